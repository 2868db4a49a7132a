//! A loaded Leffa, and how a sample is put to its networks.

use std::collections::BTreeMap;

use i2am_datasets::Sample;
use i2am_imaging::RgbImage;
use i2am_nets::vae::Vae;
use tch::{Device, Tensor};

use super::{LeffaConfig, LeffaInputs, LeffaNetworks, ReferenceFeatures};
use crate::RunnerError;
use crate::capture::CaptureMasks;
use crate::families::fitting::{Fit, Surroundings};
use crate::families::kind;
use crate::families::rows::{Join, joined};
use crate::families::sampling::{Frame, Pass, Prepared, Sampling};
use crate::noise::NoiseSource;
use crate::pictures::{self, Quantise};

/// The edge of the mask is blurred over this part of the height where the person is put back.
const BLURRED_PART: u32 = 100;

/// A loaded Leffa.
pub struct LeffaPipeline {
    networks: LeffaNetworks,
    frame: Frame,
    config: LeffaConfig,
}

impl LeffaPipeline {
    /// Loads the checkpoint of `config`.
    ///
    /// # Errors
    /// As [`crate::families::Model::load`].
    pub fn load(config: &LeffaConfig, device: Device) -> Result<Self, RunnerError> {
        kind::load(config, device)
    }

    /// The pipeline of networks that come from elsewhere than a checkpoint: training, or a trial at full size.
    ///
    /// `networks` are on `device` in the precision of `config`, of which the checkpoint is not looked at.
    ///
    /// # Errors
    /// A sampler that cannot work.
    pub fn of_networks(
        networks: LeffaNetworks,
        config: &LeffaConfig,
        device: Device,
    ) -> Result<Self, RunnerError> {
        Ok(Self {
            networks,
            frame: Frame::new(config, device)?,
            config: config.clone(),
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &LeffaNetworks {
        &self.networks
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

    /// Features of the garment for a step at `timestep`.
    fn features(&self, inputs: &mut TryOn, timestep: i64) -> BTreeMap<String, Tensor> {
        let compute = |garment: &Tensor, t: i64| self.networks.features(garment, t);
        let features = match self.config.reference_features {
            ReferenceFeatures::EveryStep => return compute(&inputs.garment, timestep),
            ReferenceFeatures::Once => {
                let visited = self.frame.sampler.timesteps();
                let middle = visited[visited.len() / 2];
                let garment = &inputs.garment;
                inputs
                    .features
                    .get_or_insert_with(|| compute(garment, middle))
            }
        };
        let shared = features.iter();
        shared
            .map(|(layer, feature)| (layer.clone(), feature.shallow_clone()))
            .collect()
    }
}

/// Noise under guidance, of the noise predicted `without` and `with` the garment, each `[samples, channels, h, w]`: `without + scale (with -
/// without)`, of which the standard deviation over all values of a sample is then taken to that of `with` by `rescale`.
pub(super) fn guided(without: &Tensor, with: &Tensor, scale: f64, rescale: f64) -> Tensor {
    let guided = without + (with - without) * scale;
    let deviation = |x: &Tensor| x.std_dim([1, 2, 3].as_slice(), true, true);
    let rescaled = &guided * (deviation(with) / deviation(&guided));
    rescaled * rescale + guided * (1.0 - rescale)
}

/// What the networks read besides the latent.
pub(in crate::families) struct TryOn {
    /// Channels that follow those of the noisy latent: mask, latent of the person outside the masked region, body map.
    fixed: Tensor,
    /// Latents of nothing and of the garment, or the second alone.
    garment: Tensor,
    /// The garment's features, if they are computed once.
    features: Option<BTreeMap<String, Tensor>>,
}

impl Join for TryOn {
    fn join(samples: &[&Self]) -> Self {
        Self {
            fixed: joined(samples, |s| &s.fixed),
            garment: joined(samples, |s| &s.garment),
            features: None,
        }
    }
}

impl Sampling for LeffaPipeline {
    type Inputs = TryOn;
    type Kept = Option<Surroundings>;

    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn vae(&self) -> &Vae {
        &self.networks.vae
    }

    fn prepare(&self, sample: &Sample, noise: &NoiseSource) -> Result<Prepared<Self>, RunnerError> {
        let size: (i64, i64) = self.config.size.into();
        let inputs = LeffaInputs::of(sample, size)?;
        let person = self.latent(&inputs.masked_person(), "masked_image", noise)?;
        let garment = self.latent(&inputs.garment, "reference", noise)?;
        let maps = inputs.latent_maps(self.vae().config().factor());
        let [hole, pose] = maps.map(|map| self.frame.to_network(&map));
        let surroundings = self.config.repaint.then(|| {
            let size = (size.0 as u32, size.1 as u32);
            Surroundings::of(sample, Fit::Stretch, size, BLURRED_PART)
        });
        let garment = match self.frame.guidance {
            Some(_) => Tensor::cat(&[garment.zeros_like(), garment], 0),
            None => garment,
        };
        Ok(Prepared {
            start: self.frame.start_noise(self.vae(), size, noise)?,
            masks: CaptureMasks {
                inpainting: Some(inputs.hole),
                reference: inputs.garment_mask,
            },
            inputs: TryOn {
                fixed: Tensor::cat(&[hole, person, pose], 1),
                garment,
                features: None,
            },
            kept: surroundings,
        })
    }

    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut TryOn,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError> {
        let features = self.features(inputs, pass.timestep);
        let input = Tensor::cat(&[x, &inputs.fixed], 1);
        let rows = self
            .networks
            .predict(&input, features, pass.timestep, pass.probe);
        let Some(scale) = self.frame.guidance else {
            return Ok(rows);
        };
        let halves = rows.chunk(2, 0);
        let rescale = self.config.guidance_rescale.unwrap_or(scale);
        Ok(guided(&halves[0], &halves[1], scale, rescale))
    }

    fn picture(&self, kept: &Option<Surroundings>, decoded: &Tensor) -> RgbImage {
        let generated = pictures::to_rgb(decoded, Quantise::Round);
        match kept {
            Some(surroundings) => surroundings.around(&generated),
            None => generated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::guided;
    use tch::Tensor;

    /// The published formula `s r - (s - 1) e` by hand, where `e` is the guided noise, and `r` the same with the deviation of `with`.
    #[test]
    fn guidance_is_rescaled_beyond_the_deviation() {
        let row = |values: [f64; 2]| Tensor::from_slice(&values).reshape([1, 1, 1, 2]);
        let (without, with) = (row([0.0, 0.0]), row([1.0, -1.0]));
        // e = 3 (1, -1), r = (1, -1), 3 r - 2 e = -3 (1, -1).
        let result = guided(&without, &with, 3.0, 3.0);
        let expected = row([-3.0, 3.0]);
        assert!((result - expected).abs().max().double_value(&[]) < 1e-12);
        // Without rescaling it is plain guidance, with all of it the deviation is that of `with`.
        let plain = guided(&without, &with, 3.0, 0.0);
        assert!((plain - row([3.0, -3.0])).abs().max().double_value(&[]) < 1e-12);
        let all = guided(&without, &with, 3.0, 1.0);
        assert!((all - with).abs().max().double_value(&[]) < 1e-12);
    }
}
