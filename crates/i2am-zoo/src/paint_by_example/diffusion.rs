//! The last stage: the UNet on latents encoded once, with the reference encoder or around a frozen one.

use std::path::Path;

use anyhow::Result;
use i2am_nets::image_encoder::{ImageEncoder, ImageEncoderConfig};
use i2am_nets::unet::{UNet, UNetConfig};
use i2am_nets::vae::{Posterior, Vae};
use i2am_nets::{Context, NoProbe, Scope, TensorSource};
use i2am_runner::RunnerError;
use i2am_runner::samplers::{Call, Denoiser, SamplerConfig};
use i2am_runner::schedule::Schedule as NoiseSchedule;
use tch::{Device, Kind, Tensor};

use super::config::DiffusionStage;
use super::data::TrainingSet;
use crate::noising::Noised;
use crate::posteriors::Posteriors;
use crate::trainer::Task;
use crate::{encoded, pictures, progress};

/// Pictures encoded at a time.
const ENCODE_BATCH: i64 = 32;
/// Guidance of the evaluation pictures.
const GUIDANCE: f64 = 2.0;

/// The UNet, and the encoder of its token: trained with it or frozen.
pub(super) struct Networks {
    unet: UNet,
    pub(super) image_encoder: ImageEncoder,
}

impl Networks {
    pub(super) fn new(
        source: &dyn TensorSource,
        unet: &UNetConfig,
        image_encoder: &ImageEncoderConfig,
    ) -> Self {
        Self {
            unet: UNet::new(&Scope::root(source, "unet"), unet.clone()),
            image_encoder: ImageEncoder::new(
                &Scope::root(source, "image_encoder"),
                image_encoder.clone(),
            ),
        }
    }
}

/// Posteriors of every training picture, whole and with its masked region in gray; and the references' tokens if their encoder is frozen.
pub(super) struct Latents {
    person: Posteriors,
    masked: Posteriors,
    /// `[count, 1, width]`, f16 on the CPU.
    tokens: Option<Tensor>,
}

impl Latents {
    /// Encodes `set`; its references too if there is a `frozen` encoder.
    pub(super) fn encode(
        vae: &Vae,
        frozen: Option<&ImageEncoder>,
        set: &TrainingSet,
        device: Device,
    ) -> Self {
        let _guard = tch::no_grad_guard();
        let count = set.len() as i64;
        let mut parts: [Vec<Posterior>; 2] = Default::default();
        let mut tokens = Vec::new();
        let bar = progress::bar("encoding", set.len() as u64);
        for start in (0..count).step_by(ENCODE_BATCH as usize) {
            let end = (start + ENCODE_BATCH).min(count);
            let indices = Tensor::arange_start(start, end, (Kind::Int64, Device::Cpu));
            let person = set.person(&indices, device);
            let masked = &person * set.keep(&indices, device);
            parts[0].push(vae.encode(&person));
            parts[1].push(vae.encode(&masked));
            if let Some(encoder) = frozen {
                let token = encoder.forward(&set.reference(&indices, device));
                tokens.push(token.to_device(Device::Cpu).to_kind(Kind::Half));
            }
            bar.inc((end - start) as u64);
        }
        let [person, masked] = parts.map(|part| Posteriors::gather(&part));
        Self {
            person,
            masked,
            tokens: frozen.map(|_| Tensor::cat(&tokens, 0)),
        }
    }

    /// What brings the latents to unit variance.
    pub(super) fn unit_scale(&self) -> f64 {
        let means = self.person.mean.to_kind(Kind::Float);
        1.0 / means.std(true).double_value(&[])
    }
}

/// Everything the stage needs.
pub(super) struct Stage<'a> {
    pub(super) networks: &'a Networks,
    pub(super) autoencoder: &'a Vae,
    pub(super) latents: &'a Latents,
    /// Of the autoencoder's latents.
    pub(super) scaling_factor: f64,
    pub(super) set: &'a TrainingSet,
    pub(super) config: &'a DiffusionStage,
    pub(super) device: Device,
}

impl Task for Stage<'_> {
    /// Squared error of the predicted noise, weighted towards high noise.
    fn loss(&self) -> Tensor {
        let device = self.device;
        let batch = self.config.schedule.batch as i64;
        let indices = Tensor::randint(self.set.len() as i64, [batch], (Kind::Int64, Device::Cpu));
        let clean = self
            .latents
            .person
            .sample(&indices, self.scaling_factor, device);
        let fixed = self.fixed_channels(&indices, &clean);
        let noised = Noised::draw(&clean, device);

        let encoder = &self.networks.image_encoder;
        let tokens = self.tokens(&indices);
        let drop =
            Tensor::rand([batch, 1, 1], (Kind::Float, device)).lt(self.config.drop_reference);
        let nothing = encoder.unconditional().expand_as(&tokens);
        let context = Context::pooled(nothing.where_self(&drop, &tokens));

        let x = Tensor::cat(&[&noised.noisy, &fixed], 1);
        let unet = &self.networks.unet;
        let eps = unet.forward(&x, &noised.timesteps, &context, &mut NoProbe);
        let weight = noised.high_noise_weight(self.config.high_noise_weight);
        ((eps - &noised.noise).square() * weight).mean(Kind::Float)
    }

    /// Rows: masked picture, reference, generated, truth.
    fn evaluate(&self, _step: u64, stem: &Path) -> Result<()> {
        self.pictures(&stem.with_extension("png"))
    }
}

impl Stage<'_> {
    /// The references' tokens, `[batch, 1, width]`.
    fn tokens(&self, indices: &Tensor) -> Tensor {
        let device = self.device;
        match &self.latents.tokens {
            Some(tokens) => encoded::pick(tokens, indices, device),
            None => self
                .networks
                .image_encoder
                .forward(&self.set.reference(indices, device)),
        }
    }

    /// Encoded masked picture and mask: the five channels after the noisy latent.
    fn fixed_channels(&self, indices: &Tensor, latent: &Tensor) -> Tensor {
        let device = self.device;
        let masked = self
            .latents
            .masked
            .sample(indices, self.scaling_factor, device);
        let size = latent.size();
        let keep = self.set.keep(indices, device).upsample_bilinear2d(
            [size[2], size[3]],
            false,
            None,
            None,
        );
        Tensor::cat(&[masked, keep], 1)
    }

    fn pictures(&self, path: &Path) -> Result<()> {
        let (vae, device) = (self.autoencoder, self.device);
        tch::manual_seed(1);
        let indices = Tensor::arange(8, (Kind::Int64, Device::Cpu));
        let person = self.set.person(&indices, device);
        let keep = self.set.keep(&indices, device);
        let like = self.latents.person.sample(&indices, 1.0, device);
        let fixed = self.fixed_channels(&indices, &like);
        let tokens = self.tokens(&indices);
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
        let generated = vae.decode(&(latent / self.scaling_factor));
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
