//! A loaded IP-Adapter, and how a sample is put to its networks.

use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::Context;
use i2am_nets::vae::Vae;
use tch::{Device, Tensor};

use super::inputs::Inputs;
use super::{IpAdapterConfig, IpAdapterNetworks};
use crate::RunnerError;
use crate::capture::CaptureMasks;
use crate::families::kind;
use crate::families::rows::{Join, joined};
use crate::families::sampling::{Frame, Pass, Prepared, Sampling};
use crate::noise::NoiseSource;
use crate::pictures::{self, Quantise};
use crate::schedule::Schedule;

/// A loaded IP-Adapter.
pub struct IpAdapterPipeline {
    networks: IpAdapterNetworks,
    /// States of the texts, rows `[negative, positive]`, or the positive one alone.
    text: Tensor,
    /// Features that stand for no reference, under guidance.
    nothing: Option<Tensor>,
    frame: Frame,
    config: IpAdapterConfig,
    size: (i64, i64),
}

impl IpAdapterPipeline {
    /// Loads the files of `config`, and encodes its texts.
    ///
    /// # Errors
    /// As [`crate::families::Model::load`].
    pub fn load(config: &IpAdapterConfig, device: Device) -> Result<Self, RunnerError> {
        kind::load(config, device)
    }

    /// The pipeline of networks that come from elsewhere than files: a trial at full size.
    ///
    /// `networks` are on `device` in the precision of `config`, of which the paths are not looked at; `tokens` `[2, length]` of the
    /// negative and the positive text, or `[1, length]` of the positive one if `config` has no guidance; `size` is height and width of
    /// the picture.
    ///
    /// # Errors
    /// A sampler that cannot work.
    pub fn of_networks(
        networks: IpAdapterNetworks,
        config: &IpAdapterConfig,
        tokens: &Tensor,
        size: (i64, i64),
        device: Device,
    ) -> Result<Self, RunnerError> {
        let _guard = tch::no_grad_guard();
        let frame = Frame::new(config, device)?;
        let text = networks.text_encoder.forward(&tokens.to_device(device));
        let guided = frame.guidance.is_some();
        Ok(Self {
            nothing: guided.then(|| networks.denoiser.no_features(&text)),
            networks,
            text,
            frame,
            config: config.clone(),
            size,
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &IpAdapterNetworks {
        &self.networks
    }

    /// What the cross-attentions read of a reference, rows as in the batch.
    fn context(&self, reference: &Tensor) -> Context {
        let denoiser = &self.networks.denoiser;
        let features = denoiser.features(&self.frame.to_network(reference));
        let features = match &self.nothing {
            Some(nothing) => Tensor::cat(&[nothing, &features], 0),
            None => features,
        };
        denoiser.context(&self.text, &features, self.config.scale)
    }

    /// The scaled latent of `picture`; its noise is called `posterior.NAME`.
    fn encode(
        &self,
        picture: &Tensor,
        name: &str,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let posterior = self.vae().encode(&self.frame.to_network(picture));
        self.frame.latent(self.vae(), &posterior, name, noise)
    }

    /// How the networks learn what is outside the hole.
    fn surroundings(
        &self,
        inputs: &Inputs,
        start: &Tensor,
        noise: &NoiseSource,
    ) -> Result<Surroundings, RunnerError> {
        let vae = self.vae().config();
        let hole = self.frame.to_network(&inputs.latent_hole(vae.factor()));
        if self.networks.denoiser.unet().config().in_channels == vae.latent_channels {
            return Ok(Surroundings::Kept {
                latent: self.encode(&inputs.image, "image", noise)?,
                noise: start.shallow_clone(),
                hole,
            });
        }
        let masked = self.encode(&inputs.masked_image(), "masked_image", noise)?;
        Ok(Surroundings::Channels(Tensor::cat(&[hole, masked], 1)))
    }
}

/// How the networks learn what is outside the hole.
enum Surroundings {
    /// By input channels of a UNet for inpainting, `[1, 1 + channels, h, w]`: the hole, and the latent of the masked image.
    Channels(Tensor),
    /// By the latent itself, which after each step is that of the image there, as noisy as the step leaves it.
    Kept {
        latent: Tensor,
        noise: Tensor,
        hole: Tensor,
    },
}

impl Join for Surroundings {
    fn join(samples: &[&Self]) -> Self {
        let channels = samples
            .iter()
            .filter_map(|surroundings| match surroundings {
                Self::Channels(channels) => Some(channels),
                Self::Kept { .. } => None,
            });
        let kept = samples
            .iter()
            .filter_map(|surroundings| match surroundings {
                Self::Channels(_) => None,
                Self::Kept {
                    latent,
                    noise,
                    hole,
                } => Some([latent, noise, hole]),
            });
        // It is the UNet that decides, and so for all samples alike.
        match kept.collect::<Vec<_>>()[..] {
            [] => Self::Channels(Tensor::join(&channels.collect::<Vec<_>>())),
            ref kept => {
                let part = |index: usize| {
                    Tensor::join(&kept.iter().map(|kept| kept[index]).collect::<Vec<_>>())
                };
                Self::Kept {
                    latent: part(0),
                    noise: part(1),
                    hole: part(2),
                }
            }
        }
    }
}

/// What the networks read besides the latent.
pub(in crate::families) struct Painting {
    surroundings: Surroundings,
    context: Context,
}

impl Join for Painting {
    fn join(samples: &[&Self]) -> Self {
        Self {
            surroundings: joined(samples, |s| &s.surroundings),
            context: joined(samples, |s| &s.context),
        }
    }
}

impl Sampling for IpAdapterPipeline {
    type Inputs = Painting;
    type Kept = ();

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn vae(&self) -> &Vae {
        &self.networks.vae
    }

    fn prepare(&self, sample: &Sample, noise: &NoiseSource) -> Result<Prepared<Self>, RunnerError> {
        let side = self.networks.denoiser.image_encoder().config().image_size;
        let inputs = Inputs::of(sample, self.config.reference_fit, self.size, side)?;
        let start = self.frame.start_noise(self.vae(), self.size, noise)?;
        Ok(Prepared {
            inputs: Painting {
                surroundings: self.surroundings(&inputs, &start, noise)?,
                context: self.context(&inputs.reference),
            },
            start,
            masks: CaptureMasks {
                inpainting: Some(inputs.hole),
                reference: inputs.reference_mask,
            },
            kept: (),
        })
    }

    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut Painting,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError> {
        let fixed = match &inputs.surroundings {
            Surroundings::Channels(channels) => Some(channels),
            Surroundings::Kept { .. } => None,
        };
        Ok(self.networks.denoiser.guided(
            x,
            fixed,
            pass.timestep,
            &inputs.context,
            self.config.guidance,
            pass.probe,
        ))
    }

    fn stepped(&self, x: Tensor, inputs: &Painting, step: usize) -> Tensor {
        let Surroundings::Kept {
            latent,
            noise,
            hole,
        } = &inputs.surroundings
        else {
            return x;
        };
        let kept = match self.frame.sampler.timesteps().get(step + 1) {
            Some(&next) => {
                let alpha = Schedule::default().alpha(next);
                latent * alpha.sqrt() + noise * (1.0 - alpha).sqrt()
            }
            None => latent.shallow_clone(),
        };
        kept * (-hole + 1.0) + x * hole
    }

    fn picture(&self, _kept: &(), decoded: &Tensor) -> RgbImage {
        pictures::to_rgb(decoded, Quantise::Round)
    }
}
