//! `DINOv2`'s vision transformer, under the tensor names of its authors' files: `dinov2_vitl14_pretrain.pth`, and with registers
//! `dinov2_vitl14_reg4_pretrain.pth`.
//!
//! # Source
//! Oquab et al. 2023; Darcet, Oquab, Mairal, Bojanowski 2023 (registers). Checked against the authors' code (fixture `towers` of
//! `i2am-metrics`).

mod block;
mod positions;

use std::path::Path;

use tch::{Device, Tensor};

use crate::layers::{LayerNorm, products};
use crate::layout::{Checkpoint, Shapes};
use crate::limits::{TOWER, WIDTH, count_within, within};
use crate::scope::{Init, Scope};
use crate::source::{CheckpointSource, ExpectedSource};
use crate::{NetError, Precision};
use block::Block;
use positions::Positions;

/// What the network is called in full tensor names.
const NETWORK: &str = "dino";
/// Width of a head in every published network.
const HEAD_WIDTH: i64 = 64;
/// Of the authors' normalizations.
pub(crate) const EPSILON: f64 = 1e-6;

/// Sizes of a [`Dino`], as the shapes of its tensors tell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DinoConfig {
    /// Width of the tokens.
    pub width: i64,
    /// Height and width of a patch.
    pub patch: i64,
    /// Patches along one side of the pictures that positions were learned for.
    pub learned: i64,
    /// Tokens that belong to no place.
    pub registers: i64,
    /// Layers.
    pub depth: usize,
    /// Width inside the feed-forward layers.
    pub inner: i64,
}

impl DinoConfig {
    fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let shapes = Shapes::new(checkpoint, NETWORK);
        let positions = shapes.axis("pos_embed", 1)?;
        let registers = if shapes.has("register_tokens") {
            shapes.axis("register_tokens", 1)?
        } else {
            0
        };
        let config = Self {
            width: shapes.axis("cls_token", 2)?,
            patch: shapes.axis("patch_embed.proj.weight", 2)?,
            learned: ((positions - 1) as f64).sqrt().round() as i64,
            registers,
            depth: shapes.count("blocks"),
            inner: shapes.axis("blocks.0.mlp.fc1.weight", 0)?,
        };
        checkpoint
            .inferred(NETWORK, config.check())
            .map(|()| config)
    }

    fn check(&self) -> Result<(), String> {
        within("width", self.width, &WIDTH)?;
        within("patch", self.patch, &WIDTH)?;
        within("learned", self.learned, &WIDTH)?;
        within("inner", self.inner, &WIDTH)?;
        count_within("depth", self.depth, &TOWER)?;
        if self.width % HEAD_WIDTH == 0 {
            return Ok(());
        }
        Err(format!(
            "`width`: expected a multiple of {HEAD_WIDTH}, the width of a head, found {}",
            self.width
        ))
    }
}

/// The network, up to the normalized class token.
#[derive(Debug)]
pub struct Dino {
    config: DinoConfig,
    class_token: Tensor,
    registers: Option<Tensor>,
    patch_weight: Tensor,
    patch_bias: Tensor,
    positions: Positions,
    blocks: Vec<Block>,
    norm: LayerNorm,
}

impl Dino {
    /// Reads the network from one of the authors' files.
    ///
    /// # Errors
    /// A file that cannot be read, or in which a tensor is missing or has another shape.
    pub fn open(path: &Path, precision: Precision, device: Device) -> Result<Self, NetError> {
        let checkpoint = checkpoint(path)?;
        let config = DinoConfig::of(&checkpoint)?;
        let source = CheckpointSource::new(&checkpoint, precision, device);
        let network = Self::new(&Scope::root(&source, NETWORK), config);
        source.finish()?;
        Ok(network)
    }

    /// The sizes of the network in the file `path`, in which [`Dino::open`] will find every tensor; they are not read.
    ///
    /// # Errors
    /// As [`Dino::open`].
    pub fn check(path: &Path) -> Result<DinoConfig, NetError> {
        let checkpoint = checkpoint(path)?;
        let config = DinoConfig::of(&checkpoint)?;
        let expected = ExpectedSource::new();
        Self::new(&Scope::root(&expected, NETWORK), config);
        checkpoint.examine(&expected)?.require_sound(path)?;
        Ok(config)
    }

    /// Builds the network of `config`.
    pub fn new(scope: &Scope<'_>, config: DinoConfig) -> Self {
        let DinoConfig { width, patch, .. } = config;
        let token =
            |name: &str, count: i64| scope.tensor(name, &[1, count, width], Init::Normal(0.02));
        let proj = scope.sub("patch_embed.proj");
        let fan_in = Init::FanIn(3 * patch * patch);
        Self {
            class_token: token("cls_token", 1),
            registers: (config.registers > 0).then(|| token("register_tokens", config.registers)),
            patch_weight: proj.tensor("weight", &[width, 3, patch, patch], fan_in),
            patch_bias: proj.tensor("bias", &[width], fan_in),
            positions: Positions {
                learned: token("pos_embed", config.learned.pow(2) + 1),
                side: config.learned,
                with_registers: config.registers > 0,
            },
            blocks: (0..config.depth)
                .map(|i| {
                    let scope = scope.sub(format_args!("blocks.{i}"));
                    Block::new(&scope, width, config.inner, width / HEAD_WIDTH)
                })
                .collect(),
            norm: LayerNorm::new(&scope.sub("norm"), width, EPSILON),
            config,
        }
    }

    /// The sizes it was built with.
    pub fn config(&self) -> DinoConfig {
        self.config
    }

    /// The normalized class token: `[batch, 3, side, side]`, with `ImageNet`'s mean and deviation taken off, to `[batch, width]`.
    ///
    /// # Panics
    /// If the side is no multiple of the patch.
    pub fn forward(&self, pixels: &Tensor) -> Tensor {
        let p = self.config.patch;
        let size = pixels.size();
        assert!(
            size[2] == size[3] && size[2] % p == 0,
            "pictures are squares of whole patches"
        );
        let batch = size[0];
        let patches = products::conv2d(pixels, &self.patch_weight, Some(&self.patch_bias), [p, 0]);
        let patches = patches.flatten(2, 3).transpose(1, 2);
        let of_batch = |token: &Tensor| token.expand([batch, -1, -1], false);
        let mut x = Tensor::cat(&[of_batch(&self.class_token), patches], 1);
        x += self.positions.at(size[2] / p);
        if let Some(registers) = &self.registers {
            let (class, patches) = (x.narrow(1, 0, 1), x.narrow(1, 1, x.size()[1] - 1));
            x = Tensor::cat(&[class, of_batch(registers), patches], 1);
        }
        let x = self.blocks.iter().fold(x, |x, block| block.forward(&x));
        self.norm.forward(&x.select(1, 0))
    }
}

/// The file `path`; the token of masked patches is of training alone.
fn checkpoint(path: &Path) -> Result<Checkpoint, NetError> {
    let own = |name: &str| (name != "mask_token").then(|| name.to_owned());
    Checkpoint::open_single(path, NETWORK, own)
}
