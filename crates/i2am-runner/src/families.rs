//! The model families there are: one file each, one line each in [`FAMILIES`].

mod common;
mod dci_vton;
mod inpainting;
mod kind;
mod paint_by_example;
mod pasd;
mod sampling;
mod stable_viton;

use std::path::{Path, PathBuf};

use i2am_attribution::AttentionRecord;
use i2am_datasets::{Goal, Part, Sample};
use i2am_imaging::RgbImage;
use i2am_nets::layout::Checkpoint;
use i2am_nets::{LoadReport, NetError};
use serde_json::Value;
use tch::{Device, Tensor};
use toml::Spanned;
use toml::de::DeValue;

pub use dci_vton::{DataVersion, DciVton, DciVtonConfig, DciVtonInputs, DciVtonPipeline};
pub use inpainting::{Networks, Posterior};
pub use paint_by_example::{
    PaintByExample, PaintByExampleConfig, PaintByExamplePipeline, Preprocess,
};
pub use pasd::{
    ColorFix, LowResolution, PASD, PASD_LIGHT, Pasd, PasdConfig, PasdDenoiser, PasdNetworks,
    PasdPipeline, PasdSizes, PasdStart, SecondNoise, Tokenizer, start_latent, wavelet_colors,
};
pub use stable_viton::{
    ClothPosterior, StableViton, StableVitonConfig, StableVitonInputs, StableVitonNetworks,
    StableVitonPipeline, StableVitonSizes, Start,
};

use crate::RunnerError;
use crate::capture::CaptureConfig;
use crate::noise::NoiseSource;

/// A table of a configuration file that still knows its lines.
pub type ConfigValue<'a> = Spanned<DeValue<'a>>;

/// Every family, sorted by name.
pub static FAMILIES: &[&dyn Family] =
    &[&DciVton, &PaintByExample, &PASD, &PASD_LIGHT, &StableViton];

/// The family called `name`.
pub fn family(name: &str) -> Option<&'static dyn Family> {
    FAMILIES
        .iter()
        .copied()
        .find(|family| family.info().name == name)
}

/// The family whose networks `checkpoint` holds, judged by what tells families apart.
pub fn recognise(checkpoint: &Checkpoint) -> Option<&'static dyn Family> {
    FAMILIES
        .iter()
        .copied()
        .find(|family| family.recognise(checkpoint).is_ok())
}

/// What is fixed about a family.
#[derive(Debug)]
pub struct FamilyInfo {
    /// Its name in configurations.
    pub name: &'static str,
    /// One line for `bench list`.
    pub summary: &'static str,
    /// The parts of a sample that it reads.
    pub needs: &'static [Part],
    /// Whether the attention of a layer of the UNet, called by its name, is recorded.
    pub records: fn(&str) -> bool,
    /// Whether a layer attends to the positions of the reference image, and not to pooled tokens or to a text.
    pub spatial: fn(&str) -> bool,
}

/// One published kind of model.
pub trait Family: Sync {
    /// Its name and needs.
    fn info(&self) -> &'static FamilyInfo;

    /// Reads the `[[model]]` table; relative paths start at `base`.
    ///
    /// # Errors
    /// An unknown key or a value of the wrong kind, with its place in the file.
    fn configure(
        &self,
        table: ConfigValue<'_>,
        base: &Path,
    ) -> Result<Box<dyn Model>, toml::de::Error>;

    /// Whether `checkpoint` holds a model of this family.
    ///
    /// # Errors
    /// What is there instead.
    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String>;

    /// Other families whose files may look just like `checkpoint`, which this one has recognized.
    fn lookalikes(&self, _checkpoint: &Checkpoint) -> &'static [&'static str] {
        &[]
    }

    /// Compares the tensors of `checkpoint` with what its networks need, without reading any.
    ///
    /// # Errors
    /// If the sizes of the networks cannot be inferred.
    fn inspect(&self, checkpoint: &Checkpoint) -> Result<LoadReport, NetError>;
}

/// A configured model that is not loaded yet.
pub trait Model: Send + Sync {
    /// Its name in rows and folders.
    fn name(&self) -> &str;

    /// Where its checkpoint lies.
    fn checkpoint(&self) -> &Path;

    /// Every setting, defaults filled in, for the manifest.
    fn settings(&self) -> Value;

    /// The keys of its settings that only say where files lie, and so cannot change a number.
    fn places(&self) -> &'static [&'static str];

    /// The parts of a sample that it reads.
    fn needs(&self) -> &'static [Part];

    /// Whether it can do what a data set asks for.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] for a setting that does not fit `goal`.
    fn accepts(&self, goal: Goal) -> Result<(), RunnerError>;

    /// Checks the checkpoint's tensors, the settings, and the layers that `capture` names, without reading weights.
    ///
    /// # Errors
    /// What [`Model::load`] and every [`Pipeline::generate`] would fail with, but for damaged data.
    fn check(&self, capture: Option<&CaptureConfig>) -> Result<ModelFacts, RunnerError>;

    /// Loads the weights.
    ///
    /// # Errors
    /// A file that cannot be read, tensors that are missing or wrong, a setting that cannot work.
    fn load(&self, device: Device) -> Result<Box<dyn Pipeline>, RunnerError>;
}

/// What is known of a model before it runs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ModelFacts {
    /// Number of weights.
    pub parameters: u64,
    /// Files they come from.
    pub files: Vec<PathBuf>,
    /// Height and width of a generated picture; `None` where they follow from the sample.
    pub size: Option<(i64, i64)>,
    /// Sampling steps that will be taken.
    pub steps: usize,
}

/// What to do for one sample.
pub struct Request<'a> {
    /// Where noise comes from.
    pub noise: &'a NoiseSource,
    /// What to record, if anything.
    pub capture: Option<&'a CaptureConfig>,
    /// Called after each step with its number, from 1.
    pub on_step: &'a mut dyn FnMut(usize),
}

/// What came of one sample.
#[derive(Debug)]
pub struct Generated {
    /// The picture, ready to be saved.
    pub image: RgbImage,
    /// The decoded picture before quantization, `[1, 3, H, W]`, about `[-1, 1]`.
    pub decoded: Tensor,
    /// The final latent, `[1, channels, h, w]`, scaled.
    pub latent: Tensor,
    /// The attention, if it was asked for.
    pub record: Option<AttentionRecord>,
}

/// A loaded model.
pub trait Pipeline {
    /// Generates one sample.
    ///
    /// # Errors
    /// A sample that does not fit, noise that is missing, values that are not finite. [`RunnerError::Torch`] and
    /// [`RunnerError::OutOfMemory`] for a fault of libtorch, after which other samples may succeed; [`RunnerError::DeviceLost`] for one
    /// after which none will.
    fn generate(&self, sample: &Sample, request: Request<'_>) -> Result<Generated, RunnerError>;

    /// Sampling steps per sample.
    fn steps(&self) -> usize;
}
