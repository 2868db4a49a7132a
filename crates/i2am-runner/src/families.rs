//! The model families there are: one file each, one line each in [`FAMILIES`].

mod catvton;
mod common;
mod dci_vton;
mod fitting;
mod flux2;
mod inpainting;
mod ip_adapter;
mod kind;
mod leffa;
mod paint_by_example;
mod pasd;
mod rows;
mod sampling;
mod stable_viton;
mod study;
mod text;

use std::path::{Path, PathBuf};

use i2am_attribution::AttentionRecord;
use i2am_datasets::{Goal, Part, Sample};
use i2am_imaging::RgbImage;
use i2am_nets::layout::Checkpoint;
use i2am_nets::{AttentionLayer, LoadReport, NetError};
use serde_json::Value;
use tch::{Device, Tensor};
use toml::Spanned;
use toml::de::DeValue;

pub use catvton::{
    CatVton, CatVtonConfig, CatVtonInputs, CatVtonNetworks, CatVtonPipeline, CatVtonPreprocess,
    CatVtonSizes,
};
pub use dci_vton::{DataVersion, DciVton, DciVtonConfig, DciVtonInputs, DciVtonPipeline};
pub use flux2::{
    ChatTokenizer, Flux2Klein, Flux2KleinConfig, Flux2KleinInputs, Flux2KleinNetworks,
    Flux2KleinPipeline, Flux2KleinSizes, PromptEmbeddings, PromptEncoder, Shown, SourceView, Task,
};
pub use inpainting::{Networks, Posterior};
pub use ip_adapter::{
    IpAdapter, IpAdapterConfig, IpAdapterDenoiser, IpAdapterNetworks, IpAdapterPipeline,
    IpAdapterSizes, ReferenceFit,
};
pub use leffa::{
    Leffa, LeffaConfig, LeffaInputs, LeffaNetworks, LeffaPipeline, LeffaSizes, ReferenceFeatures,
};
pub use paint_by_example::{
    PaintByExample, PaintByExampleConfig, PaintByExamplePipeline, Preprocess,
};
pub use pasd::{
    ColorFix, LowResolution, PASD, PASD_LIGHT, Pasd, PasdConfig, PasdDenoiser, PasdNetworks,
    PasdPipeline, PasdSizes, PasdStart, SecondNoise, start_latent, wavelet_colors,
};
pub use stable_viton::{
    ClothPosterior, StableViton, StableVitonConfig, StableVitonInputs, StableVitonNetworks,
    StableVitonPipeline, StableVitonSizes, Start,
};
pub use text::Tokenizer;

pub use study::{
    Exchange, Exchanged, LayerPairs, Moment, PairMaps, Question, Study, Unit, Unread, WithoutCells,
};

use crate::RunnerError;
use crate::capture::CaptureConfig;
use crate::noise::NoiseSource;
use crate::weights::Weights;

/// A table of a configuration file that still knows its lines.
pub type ConfigValue<'a> = Spanned<DeValue<'a>>;

/// Every family, sorted by name.
pub static FAMILIES: &[&dyn Family] = &[
    &CatVton,
    &DciVton,
    &Flux2Klein,
    &IpAdapter,
    &Leffa,
    &PaintByExample,
    &PASD,
    &PASD_LIGHT,
    &StableViton,
];

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
    /// What becomes of an attention layer, by its network and its name; `None` for a layer that the family does not know.
    pub attends: fn(&str, &str) -> Option<Attends>,
}

impl FamilyInfo {
    /// Whether the attention of a layer of the UNet is recorded.
    pub fn records(&self, layer: &str) -> bool {
        (self.attends)("unet", layer).is_some_and(Attends::is_recorded)
    }
}

/// What an attention layer reads, and whether that is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attends {
    /// Positions of the reference image; recorded.
    Positions,
    /// Tokens of the reference image that each mix its positions; recorded.
    Mixed,
    /// Pooled tokens of the reference image; recorded.
    Pooled,
    /// Something else, which probes can see and change; not recorded, and why.
    Unrecorded(&'static str),
    /// Positions of the reference image, which probes can see and change; not recorded, and why.
    UnrecordedPositions(&'static str),
    /// The positions that ask; probes do not see it.
    Own,
}

impl Attends {
    /// Whether it is recorded.
    pub fn is_recorded(self) -> bool {
        matches!(self, Self::Positions | Self::Mixed | Self::Pooled)
    }

    /// Whether there is a map over the reference image.
    pub fn has_map(self) -> bool {
        matches!(self, Self::Positions | Self::Mixed)
    }
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

    /// Which variant of the family `checkpoint` holds, in words; `None` where there is one only.
    fn describe(&self, _checkpoint: &Checkpoint) -> Option<String> {
        None
    }

    /// Every softmax of the transformers of its networks that denoise, at the published size, and what becomes of it; `None` for one that
    /// the family does not know.
    fn attentions(&self) -> Vec<(AttentionLayer, Option<Attends>)>;

    /// Compares the tensors of `checkpoint` with what its networks need, and looks at as much of their values as tells damage.
    ///
    /// # Errors
    /// If the sizes of the networks cannot be inferred, or a tensor that they need cannot be read.
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

    /// Checks the checkpoint's tensors, the settings, and the layers that `capture` names. Of weights little is read: as much as tells
    /// whether they are damaged.
    ///
    /// # Errors
    /// What [`Model::load`] and every [`Pipeline::generate`] would fail with, but for damaged data.
    fn check(&self, capture: Option<&CaptureConfig>) -> Result<ModelFacts, RunnerError>;

    /// Loads the weights.
    ///
    /// # Errors
    /// A file that cannot be read, tensors that are missing or wrong, a setting that cannot work.
    fn load(&self, device: Device) -> Result<Box<dyn Pipeline>, RunnerError> {
        Ok(self.load_with_weights(device)?.0)
    }

    /// Loads the weights, and hands out those of the network that denoises.
    ///
    /// # Errors
    /// As [`Model::load`].
    fn load_with_weights(
        &self,
        device: Device,
    ) -> Result<(Box<dyn Pipeline>, Weights), RunnerError>;
}

/// What is known of a model before it runs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ModelFacts {
    /// Number of weights.
    pub parameters: u64,
    /// What they take, in bytes.
    pub weight_bytes: u64,
    /// Estimate of what one sample more in a batch takes, in bytes; `None` where it follows from the sample.
    pub sample_bytes: Option<u64>,
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

/// One sample of a batch.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// What is generated.
    pub sample: &'a Sample,
    /// Where its noise comes from.
    pub noise: &'a NoiseSource,
}

/// What came of a batch.
#[derive(Debug)]
pub struct Batch {
    /// Of every sample, in their order.
    pub results: Vec<Result<Generated, RunnerError>>,
    /// Why samples were done again one by one, if they were.
    pub split: Option<RunnerError>,
}

/// What came of one sample.
#[derive(Debug)]
pub struct Generated {
    /// The picture, ready to be saved.
    pub image: RgbImage,
    /// The decoded picture before quantization, `[1, 3, H, W]`, about `[-1, 1]`.
    pub decoded: Tensor,
    /// What was sampled, `[1, channels, h, w]`, scaled: the latent of the picture, and of the reference where a family samples both.
    pub latent: Tensor,
    /// The attention, if it was asked for.
    pub record: Option<AttentionRecord>,
}

/// A loaded model.
pub trait Pipeline {
    /// Generates samples in one batch of the networks, or in several if their latents differ in size. `on_step` is called after each step
    /// of a batch with its number, from 1.
    ///
    /// What a sample becomes depends on the others in its batch no more than by rounding. If a batch fails, its samples are done again one
    /// by one, so that a sample that cannot be done fails alone.
    fn generate_batch(
        &self,
        jobs: &[Job<'_>],
        capture: Option<&CaptureConfig>,
        on_step: &mut dyn FnMut(usize),
    ) -> Batch;

    /// Generates one sample: a batch of one.
    ///
    /// # Errors
    /// A sample that does not fit, noise that is missing, values that are not finite. [`RunnerError::Torch`] and
    /// [`RunnerError::OutOfMemory`] for a fault of libtorch, after which other samples may succeed; [`RunnerError::DeviceLost`] for one
    /// after which none will.
    fn generate(&self, sample: &Sample, request: Request<'_>) -> Result<Generated, RunnerError> {
        let Request {
            noise,
            capture,
            on_step,
        } = request;
        let batch = self.generate_batch(&[Job { sample, noise }], capture, on_step);
        let mut results = batch.results.into_iter();
        results
            .next()
            .expect("every sample of a batch has a result")
    }

    /// Generates one sample, keeps the latents that enter `steps` (counted from 0), and lets `work` repeat single passes.
    ///
    /// # Errors
    /// As [`Pipeline::generate`], and those of `work`.
    fn study(
        &self,
        sample: &Sample,
        request: Request<'_>,
        steps: &[usize],
        work: &mut dyn FnMut(&mut dyn Study) -> Result<(), RunnerError>,
    ) -> Result<(), RunnerError>;

    /// Sampling steps per sample.
    fn steps(&self) -> usize;
}
