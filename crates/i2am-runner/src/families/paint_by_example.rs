//! Paint-by-Example (Yang et al. 2023): inpainting after one reference picture, which enters as one pooled token.

mod config;
mod inputs;

use std::path::Path;

use i2am_datasets::{Part, Sample};
use i2am_nets::layout::{Checkpoint, Layout};
use i2am_nets::{LoadReport, NetError};
use serde::Deserialize as _;
use serde_json::Value;
use tch::Device;
use toml::de::ValueDeserializer;

pub use config::{PaintByExampleConfig, Preprocess};
use inputs::Inputs;

use super::inpainting::{self, Conditions, Inpainter, Networks, Settings};
use super::{ConfigValue, Family, FamilyInfo, Generated, Model, ModelFacts, Pipeline, Request};
use crate::RunnerError;
use crate::capture::CaptureConfig;
use crate::pictures;

/// The family.
pub struct PaintByExample;

static INFO: FamilyInfo = FamilyInfo {
    name: "paint-by-example",
    summary: "inpainting after a reference picture; one image token; 15 cross-attentions recorded",
    needs: &[Part::Image, Part::Mask, Part::Reference],
};

impl Family for PaintByExample {
    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn configure(
        &self,
        table: ConfigValue<'_>,
        base: &Path,
    ) -> Result<Box<dyn Model>, toml::de::Error> {
        let mut config = PaintByExampleConfig::deserialize(ValueDeserializer::from(table))?;
        config.checkpoint = base.join(&config.checkpoint);
        Ok(Box::new(config))
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        inpainting::recognise(checkpoint)
    }

    /// The networks of DCI-VTON are the same; only in the layout of its published files, and only if the loss network is left out, it
    /// cannot be told apart.
    fn lookalikes(&self, checkpoint: &Checkpoint) -> &'static [&'static str] {
        match checkpoint.layout() {
            Layout::Ldm => &["dci-vton"],
            Layout::Diffusers | Layout::Single => &[],
        }
    }

    fn inspect(&self, checkpoint: &Checkpoint) -> Result<LoadReport, NetError> {
        inpainting::inspect(checkpoint)
    }
}

impl PaintByExampleConfig {
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
}

impl Model for PaintByExampleConfig {
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
        INFO.needs
    }

    fn check(&self, capture: Option<&CaptureConfig>) -> Result<ModelFacts, RunnerError> {
        self.shared().check(capture)
    }

    fn load(&self, device: Device) -> Result<Box<dyn Pipeline>, RunnerError> {
        Ok(Box::new(PaintByExamplePipeline::load(self, device)?))
    }
}

/// A loaded Paint-by-Example.
pub struct PaintByExamplePipeline {
    inpainter: Inpainter,
    preprocess: Preprocess,
}

impl PaintByExamplePipeline {
    /// Loads the checkpoint of `config`.
    ///
    /// # Errors
    /// As [`Model::load`].
    pub fn load(config: &PaintByExampleConfig, device: Device) -> Result<Self, RunnerError> {
        let inpainter = Inpainter::load(&config.shared(), device)?;
        Ok(Self {
            preprocess: config.preprocess_for(inpainter.layout()),
            inpainter,
        })
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &Networks {
        self.inpainter.networks()
    }
}

impl Pipeline for PaintByExamplePipeline {
    fn generate(&self, sample: &Sample, request: Request<'_>) -> Result<Generated, RunnerError> {
        let _guard = tch::no_grad_guard();
        let inpainter = &self.inpainter;
        let inputs = Inputs::of(
            sample,
            self.preprocess,
            inpainter.size(),
            inpainter.networks().vae.config().factor(),
            inpainter.networks().image_encoder.config(),
        )?;
        let conditions = Conditions {
            surroundings: inpainter.encode(&inputs.masked_image, "masked_image", request.noise)?,
            latent_mask: inputs.latent_mask,
            reference: inputs.reference,
            hole: inputs.hole,
            start: inpainter.start_noise(request.noise)?,
        };
        let painted = inpainter.paint(&sample.id, conditions, request)?;
        Ok(Generated {
            image: pictures::to_rgb(&painted.decoded, self.preprocess.quantise()),
            decoded: painted.decoded,
            latent: painted.latent,
            record: painted.record,
        })
    }

    fn steps(&self) -> usize {
        self.inpainter.steps()
    }
}
