//! The autoencoder of FLUX.2 (`AutoencoderKLFlux2`): four neighbors of a latent are packed into one place, whose channels are brought to
//! mean 0 and variance 1 by the running statistics of a batch normalization without weights.

use serde::Deserialize;
use tch::{Kind, Tensor};

use super::{Vae, VaeConfig};
use crate::NetError;
use crate::layout::{Checkpoint, Rule};
use crate::limits::positive;
use crate::scope::{Init, Scope};

/// Places of a latent that are packed into one, in each direction.
const SIDE: i64 = 2;

/// Sizes of a [`PackedVae`].
#[derive(Debug, Clone, PartialEq)]
pub struct PackedVaeConfig {
    /// The autoencoder inside.
    pub vae: VaeConfig,
    /// Added to the running variances.
    pub batch_norm_eps: f64,
}

/// The key of `vae/config.json` that is not the inner autoencoder's.
#[derive(Deserialize)]
struct Keys {
    #[serde(default = "published_eps")]
    batch_norm_eps: f64,
}

fn published_eps() -> f64 {
    1e-4
}

impl PackedVaeConfig {
    /// The autoencoder of FLUX.2.
    pub fn flux2() -> Self {
        Self {
            vae: VaeConfig {
                latent_channels: 32,
                scaling_factor: 1.0,
                ..VaeConfig::stable_diffusion_v1()
            },
            batch_norm_eps: published_eps(),
        }
    }

    /// Channels of a packed latent.
    pub fn channels(&self) -> i64 {
        self.vae.latent_channels * SIDE * SIDE
    }

    /// Pixels per packed place and axis.
    pub fn factor(&self) -> i64 {
        self.vae.factor() * SIDE
    }

    /// Read from `vae/config.json` if the checkpoint has one, else inferred from tensor shapes.
    ///
    /// # Errors
    /// As [`VaeConfig::of`].
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, NetError> {
        // Latents are scaled by their statistics alone.
        let vae = VaeConfig {
            scaling_factor: 1.0,
            ..VaeConfig::of(checkpoint)?
        };
        let Some(file) = checkpoint.config("vae") else {
            let batch_norm_eps = published_eps();
            return Ok(Self {
                vae,
                batch_norm_eps,
            });
        };
        file.reject_other("patch_size", &[vec![SIDE, SIDE].into()])?;
        file.reject_other("decoder_block_out_channels", &[])?;
        let Keys { batch_norm_eps } = file.parse(&[("batch_norm_eps", Rule::OptionalNumber)])?;
        positive("batch_norm_eps", batch_norm_eps, 1.0).map_err(|reason| file.refuse(reason))?;
        Ok(Self {
            vae,
            batch_norm_eps,
        })
    }
}

/// An autoencoder whose latents are packed and normalized.
#[derive(Debug)]
pub struct PackedVae {
    vae: Vae,
    mean: Tensor,
    variance: Tensor,
    eps: f64,
}

impl PackedVae {
    /// Builds the network of `config`; the statistics are `bn.running_mean` and `bn.running_var`.
    pub fn new(scope: &Scope<'_>, config: PackedVaeConfig) -> Self {
        let channels = [config.channels()];
        let statistics = scope.sub("bn");
        // Files also count the batches that the statistics are of.
        statistics.unread();
        Self {
            mean: statistics.tensor("running_mean", &channels, Init::Zeros),
            variance: statistics.tensor("running_var", &channels, Init::Ones),
            vae: Vae::new(scope, config.vae),
            eps: config.batch_norm_eps,
        }
    }

    /// The autoencoder inside.
    pub fn vae(&self) -> &Vae {
        &self.vae
    }

    fn statistics(&self) -> [Tensor; 2] {
        let deviation = (self.variance.to_kind(Kind::Float) + self.eps).sqrt();
        [self.mean.to_kind(Kind::Float), deviation].map(|x| x.view([1, -1, 1, 1]))
    }

    /// The packed latent of `x` `[batch, 3, H, W]` in `[-1, 1]`, the mode of its distribution: `[batch, 4 * latent_channels, h, w]`.
    pub fn encode(&self, x: &Tensor) -> Tensor {
        let [mean, deviation] = self.statistics();
        let packed = self.vae.encode(x).mean.pixel_unshuffle(SIDE);
        ((packed.to_kind(Kind::Float) - mean) / deviation).to_kind(x.kind())
    }

    /// A packed latent `[batch, 4 * latent_channels, h, w]` as one of the autoencoder inside, `[batch, latent_channels, 2 h, 2 w]`.
    pub fn unpack(&self, packed: &Tensor) -> Tensor {
        let [mean, deviation] = self.statistics();
        let z = packed.to_kind(Kind::Float) * deviation + mean;
        z.to_kind(packed.kind()).pixel_shuffle(SIDE)
    }

    /// The picture of a packed latent, `[batch, 3, H, W]`, about `[-1, 1]`, not clamped.
    pub fn decode(&self, packed: &Tensor) -> Tensor {
        self.vae.decode(&self.unpack(packed))
    }
}
