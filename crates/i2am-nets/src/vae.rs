//! The variational autoencoder between pictures and latents (`AutoencoderKL`).

mod config;
mod halves;
mod packed;
mod tiles;

use tch::Tensor;

pub use config::VaeConfig;
use halves::{Decoder, Encoder, Normalize};
pub use packed::{PackedVae, PackedVaeConfig};
pub use tiles::Tiles;

use crate::layers::{Conv2d, GroupNorm, channels_last};
use crate::scope::Scope;

/// Encoder, decoder and the two 1×1 convolutions around the latent.
#[derive(Debug)]
pub struct Vae {
    config: VaeConfig,
    encoder: Encoder,
    decoder: Decoder,
    quant_conv: Conv2d,
    post_quant_conv: Conv2d,
}

/// A diagonal normal distribution over latents, not yet scaled.
#[derive(Debug)]
pub struct Posterior {
    /// Mean, `[batch, latent_channels, h, w]`.
    pub mean: Tensor,
    /// Log-variance, clamped to `[-30, 20]`.
    pub log_variance: Tensor,
}

impl Posterior {
    fn of_moments(moments: &Tensor) -> Self {
        let halves = moments.chunk(2, 1);
        Self {
            mean: halves[0].shallow_clone(),
            log_variance: halves[1].clamp(-30.0, 20.0),
        }
    }

    /// `mean + exp(log_variance / 2) · noise`.
    pub fn sample(&self, noise: &Tensor) -> Tensor {
        &self.mean + (&self.log_variance * 0.5).exp() * noise
    }

    /// Kullback-Leibler divergence from the standard normal, in nats, mean over the batch.
    pub fn kl(&self) -> Tensor {
        let terms = self.mean.square() + self.log_variance.exp() - 1.0 - &self.log_variance;
        terms
            .sum_dim_intlist([1, 2, 3].as_slice(), false, None)
            .mean(None)
            * 0.5
    }
}

impl Vae {
    /// Builds the network of `config`.
    pub fn new(scope: &Scope<'_>, config: VaeConfig) -> Self {
        let latent = config.latent_channels;
        Self {
            encoder: Encoder::new(&scope.sub("encoder"), &config),
            decoder: Decoder::new(&scope.sub("decoder"), &config),
            quant_conv: Conv2d::new(&scope.sub("quant_conv"), 2 * latent, 2 * latent, 1),
            post_quant_conv: Conv2d::new(&scope.sub("post_quant_conv"), latent, latent, 1),
            config,
        }
    }

    /// The sizes it was built with.
    pub fn config(&self) -> &VaeConfig {
        &self.config
    }

    /// Mean and log-variance as one tensor: `x` `[batch, 3, H, W]` in `[-1, 1]` to `[batch, 2 · latent_channels, h, w]`.
    pub fn moments(&self, x: &Tensor) -> Tensor {
        self.moments_with(x, &mut GroupNorm::forward)
    }

    fn moments_with(&self, x: &Tensor, normalize: Normalize<'_>) -> Tensor {
        self.quant_conv
            .forward(&self.encoder.forward(&channels_last(x), normalize))
    }

    /// The distribution over latents of `x` `[batch, 3, H, W]` in `[-1, 1]`.
    pub fn encode(&self, x: &Tensor) -> Posterior {
        Posterior::of_moments(&self.moments(x))
    }

    /// An unscaled latent `[batch, latent_channels, h, w]` to a picture `[batch, 3, H, W]`, about `[-1, 1]`, not clamped.
    pub fn decode(&self, z: &Tensor) -> Tensor {
        self.decode_with(z, &mut GroupNorm::forward)
    }

    fn decode_with(&self, z: &Tensor, normalize: Normalize<'_>) -> Tensor {
        let h = self.post_quant_conv.forward(&channels_last(z));
        self.decoder.forward(&h, normalize)
    }
}
