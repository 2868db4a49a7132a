//! Paint-by-Example (Yang et al. 2023): inpainting after one reference picture, which enters as one pooled token.

mod config;
mod inputs;

use std::path::Path;

use i2am_datasets::{Part, Sample};
use i2am_imaging::RgbImage;
use i2am_nets::layout::{Checkpoint, Layout};
use i2am_nets::vae::Vae;
use i2am_nets::{NetError, TensorSource};
use tch::{Device, Tensor};

pub use config::{PaintByExampleConfig, Preprocess};
use inputs::Inputs;

use super::inpainting::{self, Conditions, Inpainter, Inpainting, Networks, Sizes};
use super::kind::{self, Kind, Loaded, Settings, Shared};
use super::sampling::{Frame, Pass, Prepared, Sampling};
use super::{FamilyInfo, common};
use crate::RunnerError;
use crate::noise::NoiseSource;
use crate::pictures;
use crate::samplers::Sampler;
use crate::schedule::Schedule;

/// The family.
pub struct PaintByExample;

static INFO: FamilyInfo = FamilyInfo {
    name: "paint-by-example",
    summary: "inpainting conditioned on a reference image; one image token; 15 cross-attentions recorded",
    needs: &[Part::Image, Part::Mask, Part::Reference],
    attends: common::one_token_in_cross_attention,
};

impl Kind for PaintByExample {
    type Sizes = Sizes;
    type Networks = Networks;
    type Settings = PaintByExampleConfig;

    fn info(&self) -> &'static FamilyInfo {
        &INFO
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        inpainting::recognise(checkpoint)
    }

    /// The networks of DCI-VTON are the same; only in the layout of its published files, and only if the loss network is left out, it
    /// cannot be distinguished.
    fn lookalikes(&self, checkpoint: &Checkpoint) -> &'static [&'static str] {
        match checkpoint.layout() {
            Layout::Ldm => &["dci-vton"],
            _ => &[],
        }
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

impl Settings for PaintByExampleConfig {
    type Kind = PaintByExample;
    type Pipeline = PaintByExamplePipeline;

    fn kind(&self) -> &'static PaintByExample {
        &PaintByExample
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
        Ok(&mut self.guidance)
    }

    fn adjust(&self, sizes: &mut Sizes) -> Result<(), RunnerError> {
        sizes.set_heads(self.unet_heads, self.clip_heads)
    }

    fn image_size(&self, sizes: &Sizes) -> Result<Option<(i64, i64)>, RunnerError> {
        sizes.image_size(self.size).map(Some)
    }

    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<PaintByExamplePipeline, RunnerError> {
        let size = loaded.sizes.image_size(self.size)?;
        Ok(PaintByExamplePipeline {
            inpainter: Inpainter::new(loaded.networks, self, size, loaded.device)?,
            preprocess: self.preprocess_for(loaded.checkpoint.layout()),
        })
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
    /// As [`super::Model::load`].
    pub fn load(config: &PaintByExampleConfig, device: Device) -> Result<Self, RunnerError> {
        kind::load(config, device)
    }

    /// The networks, for stage-by-stage comparison.
    pub fn networks(&self) -> &Networks {
        &self.inpainter.networks
    }
}

impl Sampling for PaintByExamplePipeline {
    type Inputs = Inpainting;
    type Kept = ();

    fn frame(&self) -> &Frame {
        &self.inpainter.frame
    }

    fn vae(&self) -> &Vae {
        &self.networks().vae
    }

    fn prepare(&self, sample: &Sample, noise: &NoiseSource) -> Result<Prepared<Self>, RunnerError> {
        let inpainter = &self.inpainter;
        let inputs = Inputs::of(
            sample,
            self.preprocess,
            inpainter.size,
            self.vae().config().factor(),
            self.networks().image_encoder.config(),
        )?;
        let conditions = Conditions {
            surroundings: inpainter.encode(&inputs.masked_image, "masked_image", noise)?,
            latent_mask: inputs.latent_mask,
            reference: inputs.reference,
            hole: inputs.hole,
            start: inpainter.start_noise(noise)?,
        };
        Ok(inpainter.prepare(conditions, ()))
    }

    fn predict(
        &self,
        x: &Tensor,
        inputs: &mut Inpainting,
        pass: Pass<'_>,
    ) -> Result<Tensor, RunnerError> {
        Ok(self.inpainter.predict(x, inputs, pass.timestep, pass.probe))
    }

    fn picture(&self, _kept: &(), decoded: &Tensor) -> RgbImage {
        pictures::to_rgb(decoded, self.preprocess.quantise())
    }
}
