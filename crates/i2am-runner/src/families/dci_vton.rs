//! DCI-VTON (Gou et al. 2023): virtual try-on with the networks of Paint-by-Example. A garment that was warped to the person's
//! shape beforehand is pasted into the masked region, and sampling starts from the noised composite.

mod config;
mod hole;
mod inputs;

use std::path::Path;

use i2am_datasets::{Part, Sample};
use i2am_imaging::RgbImage;
use i2am_nets::layout::Checkpoint;
use i2am_nets::vae::Vae;
use i2am_nets::{NetError, TensorSource};
use tch::{Device, Tensor};

pub use config::{DataVersion, DciVtonConfig};
pub use inputs::DciVtonInputs;

use super::FamilyInfo;
use super::common::{self, noised};
use super::inpainting::{self, Conditions, Inpainter, Inpainting, Networks, Sizes};
use super::kind::{self, Kind, Loaded, Settings, Shared};
use super::sampling::{Frame, Pass, Prepared, Sampling};
use crate::RunnerError;
use crate::noise::NoiseSource;
use crate::pictures::{self, Quantise};
use crate::samplers::Sampler;
use crate::schedule::Schedule;

/// The family.
pub struct DciVton;

static INFO: FamilyInfo = FamilyInfo {
    name: "dci-vton",
    summary: "virtual try-on over a pre-warped garment; one image token; 15 cross-attentions recorded",
    needs: NEEDS_V1,
    attends: common::one_token_in_cross_attention,
};

const NEEDS_V1: &[Part] = &[
    Part::Image,
    Part::Mask,
    Part::Reference,
    Part::ReferenceMask,
    Part::Parse,
    Part::AgnosticParse,
    Part::Pose,
    Part::Warped,
    Part::WarpedMask,
];

/// The second version of the data needs no parse map without clothes.
const NEEDS_V2: &[Part] = &[
    Part::Image,
    Part::Mask,
    Part::Reference,
    Part::ReferenceMask,
    Part::Parse,
    Part::Pose,
    Part::Warped,
    Part::WarpedMask,
];

/// Tensors of a loss network that published files carry and nothing reads at inference: what tells them from Paint-by-Example's.
const LOSS_NETWORK: &str = "vgg.";

impl Kind for DciVton {
    type Sizes = Sizes;
    type Networks = Networks;
    type Settings = DciVtonConfig;

    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        inpainting::recognise(checkpoint)?;
        if checkpoint.has_in_file(LOSS_NETWORK) {
            Ok(())
        } else {
            Err(format!(
                "the networks of Paint-by-Example without `{LOSS_NETWORK}` tensors beside them"
            ))
        }
    }

    /// A file without the loss network loads as well, but cannot be distinguished from Paint-by-Example's.
    fn fits(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        inpainting::recognise(checkpoint)
    }

    fn sizes(&self, checkpoint: &Checkpoint) -> Result<Sizes, NetError> {
        Sizes::of(checkpoint)
    }

    fn published(&self) -> Sizes {
        Sizes::published()
    }

    fn build(sizes: &Sizes, source: &dyn TensorSource) -> Networks {
        sizes.build(source)
    }
}

impl DciVtonConfig {
    /// Height and width of a saved picture.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] if one is not positive.
    fn output_size(&self, (height, _): (i64, i64)) -> Result<(i64, i64), RunnerError> {
        let [height, width] = self.output.unwrap_or([height, height * 3 / 4]);
        if height < 1 || width < 1 {
            return Err(RunnerError::Setting {
                key: "model.output",
                expected: "[height, width] of at least 1".to_owned(),
                found: format!("[{height}, {width}]"),
            });
        }
        Ok((height, width))
    }
}

impl Settings for DciVtonConfig {
    type Kind = DciVton;
    type Pipeline = DciVtonPipeline;

    fn kind(&self) -> &'static DciVton {
        &DciVton
    }

    fn shared(&self) -> Shared<'_> {
        Shared {
            name: &self.name,
            checkpoint: &self.checkpoint,
            variant: self.variant.as_deref(),
            precision: self.precision,
            guidance: self.guidance,
            posterior: self.posterior,
        }
    }

    fn sampler(&self) -> Result<Box<dyn Sampler>, RunnerError> {
        self.sampler.build(&Schedule::default())
    }

    fn start_at(&mut self, base: &Path) {
        self.checkpoint = i2am_files::resolve(base, &self.checkpoint);
    }

    fn reference_guidance(&mut self) -> Result<&mut f64, &'static str> {
        Err("its pass without the reference still sees the warped garment")
    }

    fn needs(&self) -> &'static [Part] {
        match self.data {
            DataVersion::V1 => NEEDS_V1,
            DataVersion::V2 => NEEDS_V2,
        }
    }

    fn check_values(&self) -> Result<(), RunnerError> {
        match self.crop_enlargement {
            Some(factor) if !(0.0..=10.0).contains(&factor) => Err(RunnerError::Setting {
                key: "model.crop_enlargement",
                expected: "0 (the garment's box) to 10".to_owned(),
                found: factor.to_string(),
            }),
            _ => Ok(()),
        }
    }

    fn adjust(&self, sizes: &mut Sizes) -> Result<(), RunnerError> {
        sizes.set_heads(self.unet_heads, self.clip_heads)
    }

    fn image_size(&self, sizes: &Sizes) -> Result<Option<(i64, i64)>, RunnerError> {
        self.output_size(sizes.image_size(self.size)?).map(Some)
    }

    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<DciVtonPipeline, RunnerError> {
        let size = loaded.sizes.image_size(self.size)?;
        Ok(DciVtonPipeline {
            inpainter: Inpainter::new(loaded.networks, self, size, loaded.device)?,
            data: self.data,
            crop_enlargement: self.crop_enlargement,
            paste_back: self.paste_back,
            output: self.output_size(size)?,
        })
    }
}

/// A loaded DCI-VTON.
pub struct DciVtonPipeline {
    inpainter: Inpainter,
    data: DataVersion,
    crop_enlargement: Option<f64>,
    paste_back: bool,
    output: (i64, i64),
}

impl DciVtonPipeline {
    /// Loads the checkpoint of `config`.
    ///
    /// # Errors
    /// As [`super::Model::load`].
    pub fn load(config: &DciVtonConfig, device: Device) -> Result<Self, RunnerError> {
        kind::load(config, device)
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &Networks {
        &self.inpainter.networks
    }
}

impl Sampling for DciVtonPipeline {
    type Inputs = Inpainting;
    type Kept = DciVtonInputs;

    fn frame(&self) -> &Frame {
        &self.inpainter.frame
    }

    fn vae(&self) -> &Vae {
        &self.networks().vae
    }

    fn prepare(&self, sample: &Sample, noise: &NoiseSource) -> Result<Prepared<Self>, RunnerError> {
        let inpainter = &self.inpainter;
        let enlargement = match self.crop_enlargement {
            Some(factor) => factor,
            None => inputs::drawn_enlargement(noise)?,
        };
        let inputs = DciVtonInputs::of(sample, self.data, inpainter.size, enlargement)?;
        let composite = inpainter.encode(&inputs.composite, "composite", noise)?;
        let side = self.networks().image_encoder.config().image_size;
        let conditions = Conditions {
            surroundings: inpainter.encode(&inputs.inpaint_image, "inpaint_image", noise)?,
            latent_mask: inputs.latent_keep(self.vae().config().factor()),
            reference: inputs.clip(side),
            hole: -&inputs.keep + 1.0,
            start: noised(&composite, &inpainter.start_noise(noise)?),
        };
        Ok(inpainter.prepare(conditions, inputs))
    }

    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut Inpainting,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError> {
        Ok(self.inpainter.predict(x, inputs, pass.timestep, pass.probe))
    }

    fn picture(&self, kept: &DciVtonInputs, decoded: &Tensor) -> RgbImage {
        let picture = kept.finish(decoded, self.paste_back, self.output);
        pictures::unit_to_rgb(&picture, Quantise::Truncate)
    }
}
