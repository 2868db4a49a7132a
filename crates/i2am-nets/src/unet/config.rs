//! Sizes of a UNet, read from diffusers' `unet/config.json` or inferred from the shapes of the tensors.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::layers::CrossAttention;
use crate::layout::{Checkpoint, Rule, Shapes};
use crate::limits::{
    DEPTH, LAYERS, LEVELS, WIDTH, count_within, divides, groups_fit, positive, within,
};

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
    /// How the transformers attend to a context; no configuration file says, the family of a model does.
    #[serde(skip)]
    pub cross: CrossAttention,
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

/// Keys of `unet/config.json`.
const KEYS: &[(&str, Rule)] = &[
    ("in_channels", Rule::Count),
    ("out_channels", Rule::Count),
    ("block_out_channels", Rule::Counts),
    ("layers_per_block", Rule::Count),
    ("down_block_types", Rule::Texts),
    ("cross_attention_dim", Rule::Count),
    ("attention_head_dim", Rule::CountOrCounts),
    ("norm_num_groups", Rule::Count),
    ("norm_eps", Rule::Number),
    ("transformer_layers_per_block", Rule::OptionalCount),
    ("sample_size", Rule::OptionalCount),
];

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
            cross: CrossAttention::Single,
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
    pub(crate) fn level_of_up_block(&self, index: usize) -> usize {
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

    /// Whether a network of these sizes can be built.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn check(&self) -> Result<(), String> {
        let widths = &self.block_out_channels;
        let levels = widths.len();
        count_within("block_out_channels (levels)", levels, &LEVELS)?;
        for (key, found) in [
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("cross_attention_dim", self.cross_attention_dim),
            ("sample_size", self.sample_size.unwrap_or(1)),
        ] {
            within(key, found, &WIDTH)?;
        }
        count_within("layers_per_block", self.layers_per_block, &LAYERS)?;
        let depth = self.transformer_layers_per_block;
        count_within("transformer_layers_per_block", depth, &DEPTH)?;
        positive("norm_eps", self.norm_eps, 1.0)?;
        if self.down_block_types.len() != levels {
            let found = self.down_block_types.len();
            return Err(format!(
                "`down_block_types` has {found} entries for {levels} levels"
            ));
        }
        if let Heads::PerLevel(heads) = &self.attention_head_dim
            && heads.len() != levels
        {
            let found = heads.len();
            return Err(format!(
                "`attention_head_dim` has {found} entries for {levels} levels"
            ));
        }
        let known = |name: &String| name == CROSS_ATTENTION || name == "DownBlock2D";
        if let Some(other) = self.down_block_types.iter().find(|name| !known(name)) {
            return Err(format!(
                "`down_block_types`: expected {CROSS_ATTENTION} or DownBlock2D, found {other}"
            ));
        }
        widths
            .iter()
            .try_for_each(|&width| within("block_out_channels", width, &WIDTH))
    }

    /// Whether the groups of normalizations divide the channels. It is asked apart, because no tensor tells their number.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_groups(&self) -> Result<(), String> {
        groups_fit(self.norm_num_groups, &self.block_out_channels)
    }

    /// Whether the attention heads divide the channels. It is asked apart, because no tensor tells their number.
    ///
    /// # Errors
    /// As [`UNetConfig::check`].
    pub fn check_heads(&self) -> Result<(), String> {
        let last = self.block_out_channels.len() - 1;
        for (level, &width) in self.block_out_channels.iter().enumerate() {
            within(
                "attention_head_dim",
                self.attention_head_dim.at(level),
                &WIDTH,
            )?;
            // The middle works at the last level whether or not that has transformers.
            if self.has_attention(level) || level == last {
                self.check_heads_at(level, width)?;
            }
        }
        Ok(())
    }

    /// Whether the heads of a level divide the channels `width` of a layer.
    pub(super) fn check_heads_at(&self, level: usize, width: i64) -> Result<(), String> {
        let heads = self.attention_head_dim.at(level);
        divides(
            "attention_head_dim",
            heads,
            "the channels of a layer",
            width,
        )
    }

    /// Read from `unet/config.json` if the checkpoint has one, else inferred from tensor shapes.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        Self::of_network(checkpoint, "unet", CrossAttention::Single)
    }

    /// The same for a UNet that is called `network` there and attends to a context as `cross` says.
    ///
    /// # Errors
    /// As [`UNetConfig::of`].
    pub fn of_network(
        checkpoint: &Checkpoint,
        network: &'static str,
        cross: CrossAttention,
    ) -> Result<Self, NetError> {
        let Some(file) = checkpoint.config(network) else {
            let config = Self::infer(checkpoint, network, cross)?;
            return checkpoint
                .inferred(network, config.check())
                .map(|()| config);
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
        let config: Self = file.parse(KEYS)?;
        let checked = config.check().and_then(|()| config.check_groups());
        let checked = checked.and_then(|()| config.check_heads());
        checked.map_err(|reason| file.refuse(reason))?;
        Ok(Self { cross, ..config })
    }

    fn infer(
        checkpoint: &Checkpoint,
        network: &'static str,
        cross: CrossAttention,
    ) -> Result<Self, NetError> {
        let shapes = Shapes::new(checkpoint, network);
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
            cross_attention_dim: match cross {
                // Nothing has this width.
                CrossAttention::Absent => 1,
                CrossAttention::Single | CrossAttention::Decoupled => {
                    shapes.axis(&format!("{mid}.transformer_blocks.0.attn2.to_k.weight"), 1)?
                }
            },
            attention_head_dim: Heads::Same(LDM_HEADS),
            norm_num_groups: GROUPS,
            norm_eps: 1e-5,
            transformer_layers_per_block: shapes.count(&format!("{mid}.transformer_blocks")),
            sample_size: None,
            cross,
        })
    }
}
