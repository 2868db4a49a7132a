//! A loaded `CatVTON`, and how a sample is put to its networks.

use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::vae::Vae;
use i2am_nets::{Context, Joint};
use tch::{Device, Tensor};

use super::{CatVtonConfig, CatVtonInputs, CatVtonNetworks};
use crate::RunnerError;
use crate::capture::CaptureMasks;
use crate::families::common;
use crate::families::fitting::Surroundings;
use crate::families::kind;
use crate::families::rows::{Join, joined};
use crate::families::sampling::{Frame, Pass, Prepared, Sampling};
use crate::noise::NoiseSource;
use crate::pictures::{self, Quantise};

/// The edge of the mask is blurred over this part of the height where the person is put back.
const BLURRED_PART: u32 = 50;

/// A loaded `CatVTON`.
pub struct CatVtonPipeline {
    networks: CatVtonNetworks,
    frame: Frame,
    config: CatVtonConfig,
}

impl CatVtonPipeline {
    /// Loads the files of `config`.
    ///
    /// # Errors
    /// As [`crate::families::Model::load`].
    pub fn load(config: &CatVtonConfig, device: Device) -> Result<Self, RunnerError> {
        kind::load(config, device)
    }

    /// The pipeline of networks that come from elsewhere than a checkpoint: training, or a trial at full size.
    ///
    /// `networks` are on `device` in the precision of `config`, whose files are not looked at.
    ///
    /// # Errors
    /// A sampler that cannot work.
    pub fn of_networks(
        networks: CatVtonNetworks,
        config: &CatVtonConfig,
        device: Device,
    ) -> Result<Self, RunnerError> {
        Ok(Self {
            networks,
            frame: Frame::new(config, device)?,
            config: config.clone(),
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &CatVtonNetworks {
        &self.networks
    }

    fn size(&self) -> (i64, i64) {
        self.config.size.into()
    }

    /// The scaled latent of `picture`; its noise is called `posterior.NAME`.
    fn latent(
        &self,
        picture: &Tensor,
        name: &str,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let posterior = self.vae().encode(&self.frame.to_network(picture));
        self.frame.latent(self.vae(), &posterior, name, noise)
    }

    /// The channels that follow those of the noisy latent, mask and masked latent, in rows `[without garment, with garment]`, or the
    /// second alone. Without a garment its latent is zero.
    fn fixed_channels(
        &self,
        inputs: &CatVtonInputs,
        noise: &NoiseSource,
    ) -> Result<Tensor, RunnerError> {
        let person = self.latent(&inputs.masked_person(), "masked_image", noise)?;
        let garment = self.latent(&inputs.garment, "reference", noise)?;
        let hole = inputs.latent_hole(self.vae().config().factor());
        let hole = self.frame.to_network(&hole);
        let row = |garment: &Tensor| {
            let mask = Tensor::cat(&[&hole, &hole.zeros_like()], 2);
            Tensor::cat(&[mask, Tensor::cat(&[&person, garment], 2)], 1)
        };
        let with = row(&garment);
        Ok(match self.frame.guidance {
            None => with,
            Some(_) => Tensor::cat(&[row(&garment.zeros_like()), with], 0),
        })
    }
}

/// What the networks read besides the latent: the channels that follow it.
pub(in crate::families) struct TryOn(Tensor);

impl Join for TryOn {
    fn join(samples: &[&Self]) -> Self {
        Self(joined(samples, |s| &s.0))
    }
}

impl Sampling for CatVtonPipeline {
    type Inputs = TryOn;
    type Kept = Option<Surroundings>;

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn vae(&self) -> &Vae {
        &self.networks.vae
    }

    fn prepare(&self, sample: &Sample, noise: &NoiseSource) -> Result<Prepared<Self>, RunnerError> {
        let (height, width) = self.size();
        let inputs = CatVtonInputs::of(sample, self.config.preprocess, (height, width))?;
        let fixed = self.fixed_channels(&inputs, noise)?;
        let surroundings = self.config.repaint.then(|| {
            let [person, _] = self.config.preprocess.fits();
            let size = (height as u32, width as u32);
            Surroundings::of(sample, person, size, BLURRED_PART)
        });
        Ok(Prepared {
            start: self
                .frame
                .start_noise(self.vae(), (2 * height, width), noise)?,
            masks: CaptureMasks {
                inpainting: Some(inputs.hole),
                reference: inputs.garment_mask,
            },
            inputs: TryOn(fixed),
            kept: surroundings,
        })
    }

    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut TryOn,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError> {
        let context = Context::joint(Joint::LowerHalf);
        let networks = &self.networks;
        let rows = networks.predict(x, &inputs.0, pass.timestep, &context, pass.probe);
        let guidance = self.frame.guidance.unwrap_or(1.0);
        Ok(common::guided(rows, x.size()[0], guidance))
    }

    /// The upper half: the garment is sampled too.
    fn generated(&self, latent: &Tensor) -> Tensor {
        latent.narrow(2, 0, latent.size()[2] / 2)
    }

    fn picture(&self, kept: &Option<Surroundings>, decoded: &Tensor) -> RgbImage {
        let generated = pictures::to_rgb(decoded, Quantise::Round);
        match kept {
            Some(surroundings) => surroundings.around(&generated),
            None => generated,
        }
    }
}
