//! Loss and evaluation. A tall map has the person's rows, then the garment's.

use std::path::Path;

use anyhow::Result;
use i2am_nets::unet::UNet;
use i2am_nets::{AttentionProbe, Context, Joint, NoProbe};
use i2am_runner::RunnerError;
use i2am_runner::samplers::{Call, Denoiser, SamplerConfig};
use i2am_runner::schedule::Schedule;
use tch::{Device, Kind, Tensor};

use super::CatVton;
use super::set::{Drawn, TallSet};
use crate::attention::{AttentionLoss, Wanted};
use crate::evaluation::{noise, record, write_columns};
use crate::noising::Noised;

/// Mask and masked latent, the channels behind the noisy latent: `[batch, 1 + channels, 2h, w]`. A `garment` of zeros is none.
pub(super) fn fixed_channels(mask: &Tensor, masked: &Tensor, garment: &Tensor) -> Tensor {
    let mask = Tensor::cat(&[mask, &mask.zeros_like()], 2);
    let latent = Tensor::cat(&[masked, garment], 2);
    Tensor::cat(&[mask, latent], 1)
}

impl CatVton {
    fn scale(&self) -> f64 {
        self.vae.config().scaling_factor
    }

    /// The loss of a fresh batch of `set`.
    pub(super) fn batch_loss(&self, set: &TallSet) -> Tensor {
        let (device, keys, scale) = (self.device, &self.config.keys, self.scale());
        let batch = keys.schedule.batch as i64;
        let indices = Tensor::randint(set.len(), [batch], (Kind::Int64, Device::Cpu));
        let [person, masked, garment] = [&set.person, &set.masked, &set.garment]
            .map(|part| part.sample(&indices, scale, device));
        let chance = |share: f64| Tensor::rand([batch, 1, 1, 1], (Kind::Float, device)).lt(share);
        let is_person = keys.person_references.map(chance);
        let garment = match &is_person {
            None => garment,
            Some(is_person) => person.where_self(is_person, &garment),
        };
        let mask = set.mask(&indices, device);
        let noised = Noised::draw(&Tensor::cat(&[&person, &garment], 2), device);
        let is_kept = Tensor::rand([batch, 1, 1, 1], (Kind::Float, device))
            .ge(keys.loss.drop_reference)
            .to_kind(Kind::Float);
        let fixed = fixed_channels(&mask, &masked, &(garment * &is_kept));
        let x = Tensor::cat(&[&noised.noisy, &fixed], 1);
        let context = Context::joint(Joint::LowerHalf);
        let places = (set.places.as_ref()).map(|places| places.pick(&indices, device));
        let printed = places.as_ref().map(|places| {
            let printed = places.narrow(1, 3, 1);
            Tensor::cat(&[&printed, &printed.zeros_like()], 2)
        });
        let forward = |probe: &mut dyn AttentionProbe| {
            let eps = (self.unet).forward(&x, &noised.timesteps, &context, probe);
            noised.try_on_loss(&eps, &fixed.narrow(1, 0, 1), printed.as_ref(), &keys.loss)
        };
        let (Some(attention), Some(places)) = (&keys.attention, &places) else {
            return forward(&mut NoProbe);
        };
        // Nothing is known of a garment that is not shown.
        let _ = places.narrow(1, 2, 1).g_mul_(&is_kept);
        if let Some(is_person) = &is_person {
            let _ = places.narrow(1, 2, 1).masked_fill_(is_person, 0.0);
        }
        let mut watch = AttentionLoss::new(&attention.layers, Wanted::Places(places));
        forward(&mut watch) + watch.loss() * attention.weight
    }

    /// The picture of `drawn` in the garment of `worn`, `[1, 3, H, W]`.
    fn generate(&self, drawn: &Drawn, worn: &Drawn, name: &str) -> Result<Tensor> {
        let (device, scale, keys) = (self.device, self.scale(), &self.config.keys.evaluation);
        let encode = |picture: &Tensor| self.vae.encode(&picture.to_device(device)).mean * scale;
        let (masked, garment) = (encode(&drawn.masked), encode(&worn.garment));
        let mask = drawn
            .latent_mask(self.vae.config().factor())
            .to_device(device);
        let without = fixed_channels(&mask, &masked, &garment.zeros_like());
        let with = fixed_channels(&mask, &masked, &garment);
        let size = with.size();
        let start = [1, masked.size()[1], size[2], size[3]];
        let start = noise(keys.seed, name).draw("start", &start)?;
        let mut guided = Guided {
            unet: &self.unet,
            fixed: Tensor::cat(&[without, with], 0),
            guidance: keys.guidance,
        };
        let sampler = SamplerConfig {
            steps: keys.steps,
            ..SamplerConfig::default()
        };
        let sampler = sampler.build(&Schedule::default())?;
        let latent = sampler.sample(start.to_device(device), &mut guided)?;
        let upper = latent.narrow(2, 0, size[2] / 2);
        let decoded = self.vae.decode(&(upper / scale));
        Ok(decoded.clamp(-1.0, 1.0).to_device(Device::Cpu))
    }

    /// Rows: masked picture, garment, generated, generated in the garment of the next sample, truth. The mean squared errors in the
    /// masked region, levels from -1 to 1, of both generated pictures go into a table: the second one is what the garment is worth.
    pub(super) fn evaluate_all(&self, samples: &[Drawn], step: u64, stem: &Path) -> Result<()> {
        let one = |index: usize| {
            let (drawn, next) = (&samples[index], &samples[(index + 1) % samples.len()]);
            let name = format!("{index:05}");
            let own = self.generate(drawn, drawn, &name)?;
            let other = self.generate(drawn, next, &name)?;
            let errors = [&own, &other].map(|picture| hole_error(picture, drawn));
            let [masked, garment, person] =
                [&drawn.masked, &drawn.garment, &drawn.person].map(Tensor::shallow_clone);
            Ok((vec![masked, garment, own, other, person], errors))
        };
        let done: Vec<_> = (0..samples.len()).map(one).collect::<Result<_>>()?;
        let means = write_columns(stem, &done)?;
        record(stem, "hole_error,hole_error_other_garment", step, &means)
    }
}

fn hole_error(picture: &Tensor, drawn: &Drawn) -> f64 {
    let error = ((picture - &drawn.person).square() * &drawn.mask).sum(Kind::Float);
    (error / (drawn.mask.sum(Kind::Float) * 3.0)).double_value(&[])
}

/// The UNet under guidance: without the garment, then with it.
struct Guided<'a> {
    unet: &'a UNet,
    /// `[2, 1 + channels, 2h, w]`.
    fixed: Tensor,
    guidance: f64,
}

impl Denoiser for Guided<'_> {
    fn predict(&mut self, x: &Tensor, call: Call) -> Result<Tensor, RunnerError> {
        let x = Tensor::cat(&[&Tensor::cat(&[x, x], 0), &self.fixed], 1);
        let t = self.unet.timesteps(call.timestep, 2, x.device());
        let context = Context::joint(Joint::LowerHalf);
        let halves = self.unet.forward(&x, &t, &context, &mut NoProbe);
        let halves = halves.chunk(2, 0);
        Ok(&halves[0] + (&halves[1] - &halves[0]) * self.guidance)
    }

    fn step_noise(&mut self, _step: usize, like: &Tensor) -> Result<Tensor, RunnerError> {
        Ok(like.randn_like())
    }
}
