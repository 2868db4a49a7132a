//! Networks that are loaded, and how one sample of either family is put to them.

use i2am_nets::vae::Vae;
use i2am_nets::{AttentionProbe, Context};
use tch::{Device, Tensor};

use super::Networks;
use crate::RunnerError;
use crate::capture::CaptureMasks;
use crate::families::common;
use crate::families::kind::Settings;
use crate::families::rows::{Join, joined};
use crate::families::sampling::{Frame, Prepared, Sampling};
use crate::noise::NoiseSource;

/// Loaded networks and how to sample with them.
pub(in crate::families) struct Inpainter {
    pub(in crate::families) networks: Networks,
    pub(in crate::families) frame: Frame,
    /// Height and width of the images that the networks see.
    pub(in crate::families) size: (i64, i64),
}

/// What a sample is generated from. All on the CPU in f32 but for `surroundings` and `start`, which are as the networks give them.
pub(in crate::families) struct Conditions {
    /// `[1, channels, h, w]`, scaled latent of the image outside the masked region.
    pub(in crate::families) surroundings: Tensor,
    /// `[1, 1, h, w]`, 1 to keep, 0 to repaint.
    pub(in crate::families) latent_mask: Tensor,
    /// `[1, 3, S, S]`, normalized as CLIP's input.
    pub(in crate::families) reference: Tensor,
    /// `[1, 1, H, W]`, 1 in the masked region.
    pub(in crate::families) hole: Tensor,
    /// `[1, channels, h, w]`, where sampling starts.
    pub(in crate::families) start: Tensor,
}

/// What the networks read besides the latent.
pub(in crate::families) struct Inpainting {
    /// Channels that follow those of the noisy latent: latent of the surroundings, and the mask.
    fixed: Tensor,
    /// Rows `[unconditional, conditional]`, or the conditional one alone.
    context: Context,
}

impl Join for Inpainting {
    fn join(samples: &[&Self]) -> Self {
        Self {
            fixed: joined(samples, |s| &s.fixed),
            context: joined(samples, |s| &s.context),
        }
    }
}

impl Inpainter {
    /// # Errors
    /// A sampler that cannot work.
    pub(in crate::families) fn new<S: Settings>(
        networks: Networks,
        settings: &S,
        size: (i64, i64),
        device: Device,
    ) -> Result<Self, RunnerError> {
        Ok(Self {
            networks,
            frame: Frame::new(settings, device)?,
            size,
        })
    }

    fn vae(&self) -> &Vae {
        &self.networks.vae
    }

    /// The scaled latent of `picture`, `[1, 3, H, W]` in `[-1, 1]`; the posterior's noise is called `posterior.NAME`.
    pub(in crate::families) fn encode(
        &self,
        picture: &Tensor,
        name: &str,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let posterior = self.vae().encode(&self.frame.to_network(picture));
        self.frame.latent(self.vae(), &posterior, name, noise)
    }

    /// Noise of the size of a latent, called `start`.
    pub(in crate::families) fn start_noise(
        &self,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        self.frame.start_noise(self.vae(), self.size, noise)
    }

    /// Puts `conditions` as the networks take them.
    pub(in crate::families) fn prepare<P: Sampling<Inputs = Inpainting>>(
        &self,
        conditions: Conditions,
        kept: P::Kept,
    ) -> Prepared<P> {
        let encoder = &self.networks.image_encoder;
        let token = encoder.forward(&self.frame.to_network(&conditions.reference));
        let context = if self.frame.guidance.is_some() {
            let nothing = encoder.unconditional().expand_as(&token);
            Tensor::cat(&[nothing, token], 0)
        } else {
            token
        };
        let mask = self.frame.to_network(&conditions.latent_mask);
        Prepared {
            start: conditions.start,
            masks: CaptureMasks {
                inpainting: Some(conditions.hole),
                reference: None,
            },
            inputs: Inpainting {
                fixed: Tensor::cat(&[conditions.surroundings, mask], 1),
                context: Context::pooled(context),
            },
            kept,
        }
    }

    /// Predicted noise under guidance: one pass over `[unconditional, conditional]`.
    pub(in crate::families) fn predict(
        &self,
        x: &Tensor,
        inputs: &Inpainting,
        timestep: i64,
        probe: &mut dyn AttentionProbe,
    ) -> Tensor {
        let rows = inputs.context.tokens().size()[0];
        let input = common::for_rows(&Tensor::cat(&[x, &inputs.fixed], 1), rows);
        let unet = &self.networks.unet;
        let timesteps = unet.timesteps(timestep, rows, input.device());
        let eps = unet.forward(&input, &timesteps, &inputs.context, probe);
        common::guided(eps, x.size()[0], self.frame.guidance.unwrap_or(1.0))
    }
}
