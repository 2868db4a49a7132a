//! Sizes of a UNet, read from diffusers' `unet/config.json` or inferred from the shapes of the tensors.

use serde::{Deserialize, Serialize};

use crate::layout::Checkpoint;
use crate::{NetError, layout};

/// Attention heads of the UNet's levels.
///
/// The configuration files of Stable Diffusion v1 call this number `attention_head_dim`, though it counts heads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Heads {
    /// The same number at every level.
    Same(i64),
    /// One number per level.
    PerLevel(Vec<i64>),
}

impl Heads {
    /// Heads at `level`, 0 being the highest resolution.
    pub fn at(&self, level: usize) -> i64 {
        match self {
            Self::Same(heads) => *heads,
            Self::PerLevel(heads) => heads[level],
        }
    }
}

/// Sizes of a [`super::UNet`], under the names of diffusers' `unet/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UNetConfig {
    /// Input channels: 4 plain, 9 for inpainting, 13 for StableVITON.
    pub in_channels: i64,
    /// Output channels.
    pub out_channels: i64,
    /// Channels of each level, highest resolution first.
    pub block_out_channels: Vec<i64>,
    /// Residual blocks per level on the way down; one more on the way up.
    pub layers_per_block: usize,
    /// `CrossAttnDownBlock2D` or `DownBlock2D` for each level.
    pub down_block_types: Vec<String>,
    /// Width of the context tokens.
    pub cross_attention_dim: i64,
    /// Attention heads.
    pub attention_head_dim: Heads,
    /// Groups of every group normalization.
    pub norm_num_groups: i64,
    /// Epsilon of the residual blocks' normalizations.
    pub norm_eps: f64,
    /// Transformer blocks per spatial transformer.
    #[serde(default = "one")]
    pub transformer_layers_per_block: usize,
    /// Latent height and width it was trained at, if the configuration says.
    #[serde(default)]
    pub sample_size: Option<i64>,
}

/// Channels that meet at one layer of the way up.
#[derive(Debug, Clone, Copy)]
pub(super) struct UpLayer {
    /// Of the features that come from below or from the layer before.
    pub(super) before: i64,
    /// Of the skip, and of the control model's feature at the same place.
    pub(super) skip: i64,
}

fn one() -> usize {
    1
}

/// Heads of every LDM model here; LDM files do not say.
const LDM_HEADS: i64 = 8;
/// Groups of every published model.
const GROUPS: i64 = 32;
const CROSS_ATTENTION: &str = "CrossAttnDownBlock2D";

impl UNetConfig {
    /// The sizes of Stable Diffusion v1's UNet with `in_channels` input channels.
    pub fn stable_diffusion_v1(in_channels: i64) -> Self {
        let types = [
            CROSS_ATTENTION,
            CROSS_ATTENTION,
            CROSS_ATTENTION,
            "DownBlock2D",
        ];
        Self {
            in_channels,
            out_channels: 4,
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: 2,
            down_block_types: types.map(str::to_owned).to_vec(),
            cross_attention_dim: 768,
            attention_head_dim: Heads::Same(LDM_HEADS),
            norm_num_groups: GROUPS,
            norm_eps: 1e-5,
            transformer_layers_per_block: 1,
            sample_size: Some(64),
        }
    }

    /// Width of the time embedding.
    pub fn time_width(&self) -> i64 {
        4 * self.block_out_channels[0]
    }

    /// Whether `level` has transformers.
    pub fn has_attention(&self, level: usize) -> bool {
        self.down_block_types[level] == CROSS_ATTENTION
    }

    /// Latent height and width must be multiples of this.
    pub fn size_multiple(&self) -> i64 {
        1 << (self.block_out_channels.len() - 1)
    }

    /// The level, 0 being the highest resolution, that `up_blocks.{index}` works at.
    pub(super) fn level_of_up_block(&self, index: usize) -> usize {
        self.block_out_channels.len() - 1 - index
    }

    /// What enters each layer of `up_blocks.{index}`.
    pub(super) fn up_layers(&self, index: usize) -> Vec<UpLayer> {
        let channels = &self.block_out_channels;
        let level = self.level_of_up_block(index);
        let outputs = channels[level];
        let from_below = channels[(level + 1).min(channels.len() - 1)];
        let last_skip = channels[level.saturating_sub(1)];
        let last = self.layers_per_block;
        let layer = |i: usize| UpLayer {
            before: if i == 0 { from_below } else { outputs },
            skip: if i == last { last_skip } else { outputs },
        };
        (0..=last).map(layer).collect()
    }

    /// Read from `unet/config.json` if the checkpoint has one, else inferred from tensor shapes.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let Some(file) = checkpoint.config("unet") else {
            return Self::infer(checkpoint);
        };
        file.reject_other("use_linear_projection", &[false.into()])?;
        file.reject_other("only_cross_attention", &[false.into()])?;
        file.reject_other("dual_cross_attention", &[false.into()])?;
        file.reject_other("class_embed_type", &[])?;
        file.reject_other("addition_embed_type", &[])?;
        file.reject_other("flip_sin_to_cos", &[true.into()])?;
        file.reject_other("freq_shift", &[0.into()])?;
        file.reject_other("act_fn", &["silu".into()])?;
        file.reject_other("resnet_time_scale_shift", &["default".into()])?;
        let config: Self = file.parse()?;
        let levels = config.block_out_channels.len();
        if levels == 0 || config.down_block_types.len() != levels {
            let reason = format!(
                "`down_block_types` has {} entries for {levels} levels",
                config.down_block_types.len()
            );
            return Err(file.refuse(reason));
        }
        if let Heads::PerLevel(heads) = &config.attention_head_dim
            && heads.len() != levels
        {
            return Err(file.refuse(format!(
                "`attention_head_dim` has {} entries for {levels} levels",
                heads.len()
            )));
        }
        let known = |name: &String| name == CROSS_ATTENTION || name == "DownBlock2D";
        if let Some(other) = config.down_block_types.iter().find(|name| !known(name)) {
            let reason = format!(
                "`down_block_types`: expected {CROSS_ATTENTION} or DownBlock2D, found {other}"
            );
            return Err(file.refuse(reason));
        }
        Ok(config)
    }

    fn infer(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let shapes = layout::Shapes::new(checkpoint, "unet");
        let levels = shapes.count("down_blocks");
        let per_level =
            |level: usize| shapes.axis(&format!("down_blocks.{level}.resnets.0.conv1.weight"), 0);
        let mid = "mid_block.attentions.0";
        let attention =
            |level: usize| shapes.has(&format!("down_blocks.{level}.attentions.0.norm.weight"));
        let block_type = |level| {
            if attention(level) {
                CROSS_ATTENTION
            } else {
                "DownBlock2D"
            }
        };
        Ok(Self {
            in_channels: shapes.axis("conv_in.weight", 1)?,
            out_channels: shapes.axis("conv_out.weight", 0)?,
            block_out_channels: (0..levels.max(1))
                .map(per_level)
                .collect::<Result<_, _>>()?,
            layers_per_block: shapes.count("down_blocks.0.resnets"),
            down_block_types: (0..levels)
                .map(|level| block_type(level).to_owned())
                .collect(),
            cross_attention_dim: shapes
                .axis(&format!("{mid}.transformer_blocks.0.attn2.to_k.weight"), 1)?,
            attention_head_dim: Heads::Same(LDM_HEADS),
            norm_num_groups: GROUPS,
            norm_eps: 1e-5,
            transformer_layers_per_block: shapes.count(&format!("{mid}.transformer_blocks")),
            sample_size: None,
        })
    }
}
