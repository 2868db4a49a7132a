//! DCI-VTON (Gou et al. 2023): virtual try-on with the networks of Paint-by-Example. A garment that was warped to the person's
//! shape beforehand is pasted into the hole, and sampling starts from the noised composite.

mod config;
mod hole;
mod inputs;

use std::path::Path;

use i2am_datasets::{Part, Sample};
use i2am_nets::layout::Checkpoint;
use i2am_nets::{LoadReport, NetError};
use serde::Deserialize as _;
use serde_json::Value;
use tch::Device;
use toml::de::ValueDeserializer;

pub use config::{DataVersion, DciVtonConfig};
pub use inputs::DciVtonInputs;

use super::common::noised;
use super::inpainting::{self, Conditions, Inpainter, Networks, Settings};
use super::{ConfigValue, Family, FamilyInfo, Generated, Model, ModelFacts, Pipeline, Request};
use crate::RunnerError;
use crate::capture::CaptureConfig;
use crate::pictures::{self, Quantise};

/// The family.
pub struct DciVton;

static INFO: FamilyInfo = FamilyInfo {
    name: "dci-vton",
    summary: "virtual try-on over a pre-warped garment; one image token; 15 cross-attentions recorded",
    needs: NEEDS_V1,
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

impl Family for DciVton {
    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn configure(
        &self,
        table: ConfigValue<'_>,
        base: &Path,
    ) -> Result<Box<dyn Model>, toml::de::Error> {
        let mut config = DciVtonConfig::deserialize(ValueDeserializer::from(table))?;
        config.checkpoint = base.join(&config.checkpoint);
        Ok(Box::new(config))
    }

    /// A file without the loss network loads as well if a configuration asks for this family, but cannot be told from
    /// Paint-by-Example's.
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

    fn inspect(&self, checkpoint: &Checkpoint) -> Result<LoadReport, NetError> {
        inpainting::inspect(checkpoint)
    }
}

impl DciVtonConfig {
    fn shared(&self) -> Settings<'_> {
        Settings {
            family: INFO.name,
            checkpoint: &self.checkpoint,
            precision: self.precision,
            sampler: &self.sampler,
            guidance: self.guidance,
            posterior: self.posterior,
            size: self.size,
            unet_heads: self.unet_heads,
            clip_heads: self.clip_heads,
        }
    }

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

    fn checked_crop(&self) -> Result<Option<f64>, RunnerError> {
        match self.crop_enlargement {
            Some(factor) if !(0.0..=10.0).contains(&factor) => Err(RunnerError::Setting {
                key: "model.crop_enlargement",
                expected: "0 (the garment's box) to 10".to_owned(),
                found: factor.to_string(),
            }),
            given => Ok(given),
        }
    }
}

impl Model for DciVtonConfig {
    fn name(&self) -> &str {
        &self.name
    }

    fn checkpoint(&self) -> &Path {
        &self.checkpoint
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).expect("a configuration of plain values is JSON")
    }

    fn needs(&self) -> &'static [Part] {
        match self.data {
            DataVersion::V1 => NEEDS_V1,
            DataVersion::V2 => NEEDS_V2,
        }
    }

    fn check(&self, capture: Option<&CaptureConfig>) -> Result<ModelFacts, RunnerError> {
        self.checked_crop()?;
        let facts = self.shared().check(capture)?;
        Ok(ModelFacts {
            size: facts.size.map(|size| self.output_size(size)).transpose()?,
            ..facts
        })
    }

    fn load(&self, device: Device) -> Result<Box<dyn Pipeline>, RunnerError> {
        Ok(Box::new(DciVtonPipeline::load(self, device)?))
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
    /// As [`Model::load`].
    pub fn load(config: &DciVtonConfig, device: Device) -> Result<Self, RunnerError> {
        let crop_enlargement = config.checked_crop()?;
        let inpainter = Inpainter::load(&config.shared(), device)?;
        Ok(Self {
            data: config.data,
            crop_enlargement,
            paste_back: config.paste_back,
            output: config.output_size(inpainter.size())?,
            inpainter,
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &Networks {
        self.inpainter.networks()
    }
}

impl Pipeline for DciVtonPipeline {
    fn generate(&self, sample: &Sample, request: Request<'_>) -> Result<Generated, RunnerError> {
        let _guard = tch::no_grad_guard();
        let inpainter = &self.inpainter;
        let enlargement = match self.crop_enlargement {
            Some(factor) => factor,
            None => inputs::drawn_enlargement(request.noise)?,
        };
        let inputs = DciVtonInputs::of(sample, self.data, inpainter.size(), enlargement)?;
        let composite = inpainter.encode(&inputs.composite, "composite", request.noise)?;
        let vae = inpainter.networks().vae.config();
        let side = inpainter.networks().image_encoder.config().image_size;
        let conditions = Conditions {
            surroundings: inpainter.encode(
                &inputs.inpaint_image,
                "inpaint_image",
                request.noise,
            )?,
            latent_mask: inputs.latent_keep(vae.factor()),
            reference: inputs.clip(side),
            hole: -&inputs.keep + 1.0,
            start: noised(&composite, &inpainter.start_noise(request.noise)?),
        };
        let painted = inpainter.paint(&sample.id, conditions, request)?;
        let picture = inputs.finish(&painted.decoded, self.paste_back, self.output);
        Ok(Generated {
            image: pictures::unit_to_rgb(&picture, Quantise::Truncate),
            decoded: painted.decoded,
            latent: painted.latent,
            record: painted.record,
        })
    }

    fn steps(&self) -> usize {
        self.inpainter.steps()
    }
}
