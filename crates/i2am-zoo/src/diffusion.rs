//! Third stage: the UNet and the reference encoder, on latents encoded once.

use std::path::Path;

use anyhow::Result;
use i2am_nets::image_encoder::ImageEncoder;
use i2am_nets::unet::UNet;
use i2am_nets::vae::Vae;
use i2am_nets::{Context, FreshSource, NoProbe, Scope};
use i2am_runner::RunnerError;
use i2am_runner::samplers::{Call, Denoiser, SamplerConfig};
use i2am_runner::schedule::Schedule as NoiseSchedule;
use tch::{Device, Kind, Tensor};

use crate::config::DiffusionStage;
use crate::data::TrainingSet;
use crate::pictures;

/// Pictures encoded at a time.
const ENCODE_BATCH: i64 = 32;
/// Guidance of the evaluation pictures.
const GUIDANCE: f64 = 2.0;

/// The two networks that are trained together.
pub(crate) struct Networks {
    unet: UNet,
    pub(crate) image_encoder: ImageEncoder,
}

impl Networks {
    pub(crate) fn new(source: &FreshSource, config: &DiffusionStage) -> Self {
        Self {
            unet: UNet::new(&Scope::root(source, "unet"), config.unet.clone()),
            image_encoder: ImageEncoder::new(
                &Scope::root(source, "image_encoder"),
                config.image_encoder.clone(),
            ),
        }
    }
}

/// Posteriors of every training picture, whole and with its hole in grey, in half precision; and the latent's scale.
pub(crate) struct Latents {
    person: Posteriors,
    masked: Posteriors,
    /// Brings the latents to unit variance.
    pub(crate) scaling_factor: f64,
}

struct Posteriors {
    mean: Tensor,
    deviation: Tensor,
}

impl Posteriors {
    fn sample(&self, indices: &Tensor, scale: f64, device: Device) -> Tensor {
        let pick = |x: &Tensor| {
            x.index_select(0, indices)
                .to_device(device)
                .to_kind(Kind::Float)
        };
        let mean = pick(&self.mean);
        let noise = mean.randn_like() * pick(&self.deviation);
        (mean + noise) * scale
    }
}

impl Latents {
    pub(crate) fn encode(vae: &Vae, set: &TrainingSet, device: Device) -> Self {
        let _guard = tch::no_grad_guard();
        let count = set.len() as i64;
        let mut parts: [Vec<Tensor>; 4] = Default::default();
        for start in (0..count).step_by(ENCODE_BATCH as usize) {
            let indices = Tensor::arange_start(
                start,
                (start + ENCODE_BATCH).min(count),
                (Kind::Int64, Device::Cpu),
            );
            let person = set.person(&indices, device);
            let masked = &person * set.keep(&indices, device);
            for (slot, pictures) in [(0, &person), (2, &masked)] {
                let posterior = vae.encode(pictures);
                let half = |x: Tensor| x.to_device(Device::Cpu).to_kind(Kind::Half).contiguous();
                parts[slot].push(half(posterior.mean));
                parts[slot + 1].push(half((posterior.log_variance * 0.5).exp()));
            }
        }
        let [mean, deviation, masked_mean, masked_deviation] =
            parts.map(|part| Tensor::cat(&part, 0));
        let spread = mean.to_kind(Kind::Float).std(true).double_value(&[]);
        Self {
            person: Posteriors { mean, deviation },
            masked: Posteriors {
                mean: masked_mean,
                deviation: masked_deviation,
            },
            scaling_factor: 1.0 / spread,
        }
    }
}

/// Everything the stage needs.
pub(crate) struct Stage<'a> {
    pub(crate) networks: &'a Networks,
    pub(crate) latents: &'a Latents,
    pub(crate) set: &'a TrainingSet,
    pub(crate) config: &'a DiffusionStage,
}

impl Stage<'_> {
    /// Squared error of the predicted noise, weighted towards high noise.
    pub(crate) fn loss(&self, device: Device) -> Tensor {
        let batch = self.config.schedule.batch as i64;
        let indices = Tensor::randint(self.set.len() as i64, [batch], (Kind::Int64, Device::Cpu));
        let clean = self
            .latents
            .person
            .sample(&indices, self.latents.scaling_factor, device);
        let fixed = self.fixed_channels(&indices, &clean, device);

        let t = Tensor::randint(1000, [batch], (Kind::Int64, Device::Cpu));
        let alphas: Vec<f32> = NoiseSchedule::default()
            .alphas()
            .iter()
            .map(|&a| a as f32)
            .collect();
        let alpha = Tensor::from_slice(&alphas)
            .index_select(0, &t)
            .to_device(device)
            .reshape([batch, 1, 1, 1]);
        let noise = clean.randn_like();
        let noisy = &clean * alpha.sqrt() + &noise * (-&alpha + 1.0).sqrt();

        let tokens = self
            .networks
            .image_encoder
            .forward(&self.set.reference(&indices, device));
        let drop =
            Tensor::rand([batch, 1, 1], (Kind::Float, device)).lt(self.config.drop_reference);
        let nothing = self
            .networks
            .image_encoder
            .unconditional()
            .expand_as(&tokens);
        let context = Context::pooled(nothing.where_self(&drop, &tokens));

        let x = Tensor::cat(&[noisy, fixed], 1);
        let eps = self
            .networks
            .unet
            .forward(&x, &t.to_device(device), &context, &mut NoProbe);
        let weight = ((-&alpha + 1.0) / &alpha).clamp_max(self.config.high_noise_weight) + 1.0;
        ((eps - noise).square() * weight).mean(Kind::Float)
    }

    /// Encoded masked picture and mask: the five channels beside the noisy latent.
    fn fixed_channels(&self, indices: &Tensor, latent: &Tensor, device: Device) -> Tensor {
        let masked = self
            .latents
            .masked
            .sample(indices, self.latents.scaling_factor, device);
        let size = latent.size();
        let keep = self.set.keep(indices, device).upsample_bilinear2d(
            [size[2], size[3]],
            false,
            None,
            None,
        );
        Tensor::cat(&[masked, keep], 1)
    }

    /// Rows: picture with hole, generated, truth; each column with its own reference.
    pub(crate) fn pictures(&self, vae: &Vae, device: Device, path: &Path) -> Result<()> {
        tch::manual_seed(1);
        let indices = Tensor::arange(8, (Kind::Int64, Device::Cpu));
        let person = self.set.person(&indices, device);
        let keep = self.set.keep(&indices, device);
        let like = self.latents.person.sample(&indices, 1.0, device);
        let fixed = self.fixed_channels(&indices, &like, device);
        let tokens = self
            .networks
            .image_encoder
            .forward(&self.set.reference(&indices, device));
        let nothing = self
            .networks
            .image_encoder
            .unconditional()
            .expand_as(&tokens);
        let mut guided = Guided {
            unet: &self.networks.unet,
            fixed,
            context: Context::pooled(Tensor::cat(&[nothing, tokens], 0)),
        };
        let sampler = SamplerConfig {
            steps: 20,
            ..SamplerConfig::default()
        }
        .build(&NoiseSchedule::default())?;
        let latent = sampler.sample(like.randn_like(), &mut guided)?;
        let generated = vae.decode(&(latent / self.latents.scaling_factor));
        let size = person.size();
        let reference = self
            .set
            .signed_reference(&indices, device)
            .upsample_bilinear2d([size[2], size[3]], false, None, None);
        pictures::write_rows(path, &[&person * &keep, reference, generated, person])
    }
}

/// The UNet under guidance, for the evaluation pictures.
struct Guided<'a> {
    unet: &'a UNet,
    fixed: Tensor,
    context: Context,
}

impl Denoiser for Guided<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        let x = Tensor::cat(&[x, &self.fixed], 1);
        let x = Tensor::cat(&[&x, &x], 0);
        let t = self.unet.timesteps(call.timestep, x.size()[0], x.device());
        let halves = self
            .unet
            .forward(&x, &t, &self.context, &mut NoProbe)
            .chunk(2, 0);
        Ok(&halves[0] + (&halves[1] - &halves[0]) * GUIDANCE)
    }

    fn step_noise(&mut self, _step: usize, like: &Tensor) -> Result<Tensor, RunnerError> {
        Ok(like.randn_like())
    }
}
