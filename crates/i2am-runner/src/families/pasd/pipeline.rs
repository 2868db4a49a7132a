//! A loaded PASD, and how a sample is put to its networks.

use i2am_datasets::Sample;
use i2am_imaging::{RgbImage, pillow_bicubic_rgb};
use i2am_nets::Context;
use i2am_nets::vae::Vae;
use tch::{Device, Tensor};

use super::{
    ColorFix, LowResolution, PasdConfig, PasdNetworks, PasdStart, start_latent, wavelet_colors,
};
use crate::RunnerError;
use crate::capture::CaptureMasks;
use crate::families::kind;
use crate::families::rows::{Join, joined};
use crate::families::sampling::{Frame, Pass, Prepared, Sampling};
use crate::noise::NoiseSource;
use crate::pictures::{self, Quantise};

/// A loaded PASD.
pub struct PasdPipeline {
    networks: PasdNetworks,
    /// Rows `[negative, positive]`, or the positive one alone.
    context: Context,
    frame: Frame,
    config: PasdConfig,
}

impl PasdPipeline {
    /// Loads the checkpoint of `config`, and encodes its texts.
    ///
    /// # Errors
    /// As [`crate::families::Model::load`].
    pub fn load(config: &PasdConfig, device: Device) -> Result<Self, RunnerError> {
        kind::load(config, device)
    }

    /// The pipeline of networks that come from elsewhere than a checkpoint: a trial at full size.
    ///
    /// `networks` are on `device` in the precision of `config`, of which the checkpoint is not looked at; `tokens` `[2, length]` of
    /// the negative and the positive text, or `[1, length]` of the positive one if `config` has no guidance.
    ///
    /// # Errors
    /// A sampler that cannot work.
    pub fn of_networks(
        networks: PasdNetworks,
        config: &PasdConfig,
        tokens: &Tensor,
        device: Device,
    ) -> Result<Self, RunnerError> {
        let _guard = tch::no_grad_guard();
        let states = networks.text_encoder.forward(&tokens.to_device(device));
        Ok(Self {
            networks,
            context: Context::text(states),
            frame: Frame::new(config, device)?,
            config: config.clone(),
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &PasdNetworks {
        &self.networks
    }

    /// What the text attentions read, rows as in the batch.
    pub fn context(&self) -> &Context {
        &self.context
    }

    fn start(&self, low: &LowResolution, noise: &NoiseSource) -> Result<Tensor, RunnerError> {
        let (vae, frame) = (self.vae(), &self.frame);
        let size = low.unit.size();
        let first = frame.start_noise(vae, (size[2], size[3]), noise)?;
        if self.config.start == PasdStart::Noise {
            return Ok(first);
        }
        let signed = frame.to_network(&(&low.unit * 2.0 - 1.0));
        let posterior = vae.encode_tiled(&signed, &self.config.tiles);
        let latent = frame.latent(vae, &posterior, "low-resolution", noise)?;
        let second = frame.draw(noise, "start.second", &first.size())?;
        Ok(start_latent(
            &latent,
            [&first, &second],
            frame.sampler.timesteps(),
            self.config.second_noise,
        ))
    }
}

/// What the networks read besides the latent, rows as in the batch.
pub(in crate::families) struct Upscaling {
    hint: Tensor,
    context: Context,
}

impl Join for Upscaling {
    fn join(samples: &[&Self]) -> Self {
        Self {
            hint: joined(samples, |s| &s.hint),
            context: joined(samples, |s| &s.context),
        }
    }
}

impl Sampling for PasdPipeline {
    type Inputs = Upscaling;
    type Kept = LowResolution;

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn vae(&self) -> &Vae {
        &self.networks.vae
    }

    fn prepare(&self, sample: &Sample, noise: &NoiseSource) -> Result<Prepared<Self>, RunnerError> {
        let low = LowResolution::of(sample, &self.config, self.vae().config().factor())?;
        let embedding = self.networks.denoiser.control().conditioning();
        let hint = embedding.forward(&self.frame.to_network(&low.unit));
        let rows = self.context.tokens().size()[0];
        Ok(Prepared {
            start: self.start(&low, noise)?,
            masks: CaptureMasks::default(),
            inputs: Upscaling {
                hint: hint.expand([rows, -1, -1, -1], false),
                context: Context::join(&[&self.context]),
            },
            kept: low,
        })
    }

    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut Upscaling,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError> {
        let config = &self.config;
        Ok(self.networks.denoiser.guided(
            x,
            &inputs.hint,
            pass.timestep,
            &inputs.context,
            config.conditioning_scale,
            config.guidance,
            pass.probe,
        ))
    }

    fn decode(&self, unscaled: &Tensor) -> Tensor {
        self.vae().decode_tiled(unscaled, &self.config.tiles)
    }

    fn picture(&self, low: &LowResolution, decoded: &Tensor) -> RgbImage {
        let decoded = decoded.to_device(Device::Cpu).to_kind(tch::Kind::Float);
        let unit = ((decoded + 1.0) / 2.0).clamp(0.0, 1.0);
        let unit = match self.config.color_fix {
            ColorFix::Wavelet => wavelet_colors(&unit, &low.unit),
            ColorFix::None => unit,
        };
        let picture = pictures::unit_to_rgb(&unit, Quantise::Round);
        let (height, width) = low.requested;
        if picture.dimensions() == (width, height) {
            picture
        } else {
            pillow_bicubic_rgb(&picture, height as usize, width as usize)
        }
    }
}
