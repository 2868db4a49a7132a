//! Sizes of the autoencoder, read from diffusers' `vae/config.json` or inferred from the shapes of the tensors.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::layout::{Checkpoint, Rule, Shapes};
use crate::limits::{LAYERS, LEVELS, WIDTH, count_within, groups_fit, positive, within};

/// Sizes of a [`super::Vae`], under the names of diffusers' `vae/config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VaeConfig {
    /// Channels of the picture.
    pub in_channels: i64,
    /// Channels of the decoded picture.
    pub out_channels: i64,
    /// Channels of each level, highest resolution first.
    pub block_out_channels: Vec<i64>,
    /// Residual blocks per level of the encoder; the decoder has one more.
    pub layers_per_block: usize,
    /// Channels of a latent.
    pub latent_channels: i64,
    /// Groups of every group normalization.
    pub norm_num_groups: i64,
    /// Latents are multiplied by this before diffusion.
    #[serde(default = "stable_diffusion_scale")]
    pub scaling_factor: f64,
}

fn stable_diffusion_scale() -> f64 {
    0.18215
}

/// Keys of `vae/config.json`.
const KEYS: &[(&str, Rule)] = &[
    ("in_channels", Rule::Count),
    ("out_channels", Rule::Count),
    ("block_out_channels", Rule::Counts),
    ("layers_per_block", Rule::Count),
    ("latent_channels", Rule::Count),
    ("norm_num_groups", Rule::Count),
    ("scaling_factor", Rule::OptionalNumber),
];

impl VaeConfig {
    /// The autoencoder of Stable Diffusion v1.
    pub fn stable_diffusion_v1() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            block_out_channels: vec![128, 256, 512, 512],
            layers_per_block: 2,
            latent_channels: 4,
            norm_num_groups: 32,
            scaling_factor: stable_diffusion_scale(),
        }
    }

    /// Pixels per latent cell and axis.
    pub fn factor(&self) -> i64 {
        1 << (self.block_out_channels.len() - 1)
    }

    /// Whether a network of these sizes can be built, and a latent scaled.
    ///
    /// # Errors
    /// The key, what was expected and what was found.
    pub fn check(&self) -> Result<(), String> {
        const LARGEST_SCALE: f64 = 1e6;
        let widths = &self.block_out_channels;
        count_within("block_out_channels (levels)", widths.len(), &LEVELS)?;
        count_within("layers_per_block", self.layers_per_block, &LAYERS)?;
        within("latent_channels", self.latent_channels, &WIDTH)?;
        // Pictures have three.
        within("in_channels", self.in_channels, &(3..=3))?;
        within("out_channels", self.out_channels, &(3..=3))?;
        positive("scaling_factor", self.scaling_factor, LARGEST_SCALE)?;
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

    /// Read from `vae/config.json` if the checkpoint has one, else inferred from tensor shapes.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let Some(file) = checkpoint.config("vae") else {
            let config = Self::infer(checkpoint)?;
            return checkpoint.inferred("vae", config.check()).map(|()| config);
        };
        file.reject_other("act_fn", &["silu".into()])?;
        file.reject_other("shift_factor", &[])?;
        file.reject_other("use_quant_conv", &[true.into()])?;
        file.reject_other("use_post_quant_conv", &[true.into()])?;
        file.reject_other("mid_block_add_attention", &[true.into()])?;
        let config: Self = file.parse(KEYS)?;
        let checked = config.check().and_then(|()| config.check_groups());
        checked.map_err(|reason| file.refuse(reason))?;
        Ok(config)
    }

    fn infer(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let shapes = Shapes::new(checkpoint, "vae");
        let levels = shapes.count("encoder.down_blocks").max(1);
        let width = |level: usize| {
            shapes.axis(
                &format!("encoder.down_blocks.{level}.resnets.0.conv1.weight"),
                0,
            )
        };
        Ok(Self {
            in_channels: shapes.axis("encoder.conv_in.weight", 1)?,
            out_channels: shapes.axis("decoder.conv_out.weight", 0)?,
            block_out_channels: (0..levels).map(width).collect::<Result<_, _>>()?,
            layers_per_block: shapes.count("encoder.down_blocks.0.resnets"),
            latent_channels: shapes.axis("post_quant_conv.weight", 0)?,
            norm_num_groups: 32,
            scaling_factor: shapes
                .scalar("scale_factor")?
                .unwrap_or_else(stable_diffusion_scale),
        })
    }
}
