//! A loaded `StableVITON`, and how a sample is put to its networks.

use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::Context;
use i2am_nets::vae::{self, Vae};
use tch::{Device, Tensor};

use super::{ClothPosterior, StableVitonConfig, StableVitonInputs, StableVitonNetworks, Start};
use crate::RunnerError;
use crate::capture::{CaptureMasks, ConditionalHalf, Unrecorded};
use crate::families::Posterior;
use crate::families::common::noised;
use crate::families::kind;
use crate::families::rows::{Join, joined, joined_if_any};
use crate::families::sampling::{Frame, Pass, Prepared, Sampling};
use crate::noise::NoiseSource;
use crate::pictures::{self, Quantise};

/// A loaded `StableVITON`.
pub struct StableVitonPipeline {
    networks: StableVitonNetworks,
    frame: Frame,
    config: StableVitonConfig,
    size: (i64, i64),
}

impl StableVitonPipeline {
    /// Loads the checkpoint of `config`.
    ///
    /// # Errors
    /// As [`crate::families::Model::load`].
    pub fn load(config: &StableVitonConfig, device: Device) -> Result<Self, RunnerError> {
        kind::load(config, device)
    }

    /// The pipeline of networks that come from elsewhere than a checkpoint: training, or a trial at full size.
    ///
    /// `networks` are on `device` in the precision of `config`, of which the checkpoint is not looked at.
    ///
    /// # Errors
    /// A sampler that cannot work.
    pub fn of_networks(
        networks: StableVitonNetworks,
        config: &StableVitonConfig,
        size: (i64, i64),
        device: Device,
    ) -> Result<Self, RunnerError> {
        Ok(Self {
            networks,
            frame: Frame::new(config, device)?,
            config: config.clone(),
            size,
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &StableVitonNetworks {
        &self.networks
    }

    fn encode(&self, picture: &Tensor) -> vae::Posterior {
        self.vae().encode(&self.frame.to_network(picture))
    }

    /// The scaled latent of `picture`; its noise is called `posterior.NAME`.
    fn latent(
        &self,
        picture: &Tensor,
        name: &str,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        self.frame
            .latent(self.vae(), &self.encode(picture), name, noise)
    }

    fn start(
        &self,
        inputs: &StableVitonInputs,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let drawn = self.frame.start_noise(self.vae(), self.size, noise)?;
        Ok(match self.config.start {
            Start::Noise => drawn,
            Start::Person => noised(&self.latent(&inputs.person, "image", noise)?, &drawn),
        })
    }

    /// The channels that follow those of the noisy latent: the agnostic picture's latent, the mask, the body map's latent.
    fn fixed_channels(
        &self,
        inputs: &StableVitonInputs,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let agnostic = self.latent(&inputs.agnostic, "agnostic", noise)?;
        let densepose = self.latent(&inputs.densepose, "densepose", noise)?;
        let keep = inputs.latent_keep(self.vae().config().factor());
        Ok(Tensor::cat(
            &[agnostic, self.frame.to_network(&keep), densepose],
            1,
        ))
    }

    fn cloth(&self, inputs: &StableVitonInputs, noise: &NoiseSource) -> Result<Cloth, RunnerError> {
        Ok(match (self.config.posterior, self.config.cloth_posterior) {
            (Posterior::Sample, ClothPosterior::EveryCall) => {
                Cloth::Drawn(vec![self.encode(&inputs.cloth)])
            }
            _ => Cloth::Fixed(self.latent(&inputs.cloth, "cloth", noise)?),
        })
    }

    /// The garment's latent for a pass; a draw is called `posterior.cloth.CALL` and, in the pass without the reference,
    /// `posterior.cloth.CALL.unconditional`.
    fn hint(
        &self,
        inputs: &TryOn,
        pass: &str,
        noise: &[&NoiseSource],
    ) -> Result<Tensor, RunnerError> {
        match &inputs.cloth {
            Cloth::Fixed(latent) => Ok(latent.shallow_clone()),
            Cloth::Drawn(posteriors) => {
                let name = format!("cloth.{}{pass}", inputs.calls);
                let draw = |(posterior, noise): (&vae::Posterior, &&NoiseSource)| {
                    self.frame.latent(self.vae(), posterior, &name, noise)
                };
                let drawn = posteriors.iter().zip(noise).map(draw);
                let drawn: Vec<Tensor> = drawn.collect::<Result<_, _>>()?;
                Ok(Tensor::join(&drawn.iter().collect::<Vec<_>>()))
            }
        }
    }
}

/// The garment as the control model sees it.
enum Cloth {
    /// One scaled latent for the whole sample.
    Fixed(Tensor),
    /// A distribution for each sample, of which every call takes a draw.
    Drawn(Vec<vae::Posterior>),
}

impl Join for Cloth {
    fn join(samples: &[&Self]) -> Self {
        let drawn = samples.iter().map(|cloth| match cloth {
            Self::Fixed(_) => None,
            Self::Drawn(posteriors) => Some(posteriors),
        });
        if let Some(drawn) = drawn.collect::<Option<Vec<_>>>() {
            let own = |posterior| Join::join(&[posterior]);
            return Self::Drawn(drawn.into_iter().flatten().map(own).collect());
        }
        let fixed = samples.iter().filter_map(|cloth| match cloth {
            Self::Fixed(latent) => Some(latent),
            Self::Drawn(_) => None,
        });
        Self::Fixed(Tensor::join(&fixed.collect::<Vec<_>>()))
    }
}

/// What the networks read besides the latent.
pub(in crate::families) struct TryOn {
    fixed: Tensor,
    cloth: Cloth,
    context: Context,
    /// Guidance scale and the context that stands for no reference.
    unconditional: Option<(f64, Context)>,
    /// Calls so far. PLMS makes one more than there are steps.
    calls: usize,
}

impl Join for TryOn {
    fn join(samples: &[&Self]) -> Self {
        let scale = samples[0].unconditional.as_ref().map(|(scale, _)| *scale);
        let without = joined_if_any(samples, |s| Some(&s.unconditional.as_ref()?.1));
        Self {
            fixed: joined(samples, |s| &s.fixed),
            cloth: joined(samples, |s| &s.cloth),
            context: joined(samples, |s| &s.context),
            unconditional: scale.zip(without),
            calls: 0,
        }
    }
}

impl Sampling for StableVitonPipeline {
    type Inputs = TryOn;
    type Kept = StableVitonInputs;

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn vae(&self) -> &Vae {
        &self.networks.vae
    }

    /// The pass without the reference is a call of its own that the recorder does not see.
    fn conditional(&self) -> ConditionalHalf {
        ConditionalHalf::Whole
    }

    fn prepare(&self, sample: &Sample, noise: &NoiseSource) -> Result<Prepared<Self>, RunnerError> {
        let inputs = StableVitonInputs::of(sample, self.size)?;
        let start = self.start(&inputs, noise)?;
        let encoder = &self.networks.image_encoder;
        let clip = inputs.clip(encoder.config().image_size);
        let token = encoder.forward(&self.frame.to_network(&clip));
        let unconditional = self.frame.guidance.map(|scale| {
            let nothing = encoder.unconditional().expand_as(&token);
            (scale, Context::pooled(nothing))
        });
        Ok(Prepared {
            start,
            masks: CaptureMasks {
                inpainting: Some(-&inputs.keep + 1.0),
                reference: inputs.cloth_mask.as_ref().map(Tensor::shallow_clone),
            },
            inputs: TryOn {
                fixed: self.fixed_channels(&inputs, noise)?,
                cloth: self.cloth(&inputs, noise)?,
                context: Context::pooled(token),
                unconditional,
                calls: 0,
            },
            kept: inputs,
        })
    }

    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut TryOn,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError> {
        let input = Tensor::cat(&[x, &inputs.fixed], 1);
        let (networks, t) = (&self.networks, pass.timestep);
        let hint = self.hint(inputs, "", pass.noise)?;
        let eps = networks.predict(&input, &hint, t, &inputs.context, pass.probe);
        let eps = match &inputs.unconditional {
            None => eps,
            Some((scale, context)) => {
                let hint = self.hint(inputs, ".unconditional", pass.noise)?;
                let mut probe = Unrecorded(pass.probe);
                let without = networks.predict(&input, &hint, t, context, &mut probe);
                &without + (eps - &without) * *scale
            }
        };
        inputs.calls += 1;
        Ok(eps)
    }

    fn rewind(&self, inputs: &mut TryOn, step: usize) {
        inputs.calls = step;
    }

    fn picture(&self, kept: &StableVitonInputs, decoded: &Tensor) -> RgbImage {
        let generated = pictures::to_rgb(decoded, Quantise::Truncate);
        if self.config.repaint {
            let person = pictures::to_rgb(&kept.person, Quantise::Truncate);
            pictures::put_back(&person, &generated, &kept.keep)
        } else {
            generated
        }
    }
}
