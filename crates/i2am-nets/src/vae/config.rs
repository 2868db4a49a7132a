//! Sizes of the autoencoder, read from diffusers' `vae/config.json` or inferred from the shapes of the tensors.

use serde::{Deserialize, Serialize};

use crate::NetError;
use crate::layout::{Checkpoint, Shapes};

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

    /// Read from `vae/config.json` if the checkpoint has one, else inferred from tensor shapes.
    ///
    /// # Errors
    /// [`NetError::Config`] for a value that is not built here, [`NetError::Infer`] if a telling tensor is missing.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        let Some(file) = checkpoint.config("vae") else {
            return Self::infer(checkpoint);
        };
        file.reject_other("act_fn", &["silu".into()])?;
        file.reject_other("shift_factor", &[])?;
        file.reject_other("use_quant_conv", &[true.into()])?;
        file.reject_other("use_post_quant_conv", &[true.into()])?;
        file.reject_other("mid_block_add_attention", &[true.into()])?;
        let config: Self = file.parse()?;
        if config.block_out_channels.is_empty() {
            return Err(file.refuse("`block_out_channels` is empty".to_owned()));
        }
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
