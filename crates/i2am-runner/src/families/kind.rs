//! What a family has to say of its networks ([`Kind`]) and of its settings ([`Settings`]). Everything else that is the same for all
//! families, how they are configured, checked and loaded, stands here once.

use std::path::{Path, PathBuf};

use i2am_datasets::{Goal, Part};
use i2am_nets::guard::guard;
use i2am_nets::layout::Checkpoint;
use i2am_nets::{
    CheckpointSource, CrossAttention, ExpectedSource, LoadReport, NetError, Precision, TensorSource,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use tch::Device;
use toml::de::ValueDeserializer;

use super::{ConfigValue, Family, FamilyInfo, Model, ModelFacts, Pipeline, Posterior};
use crate::RunnerError;
use crate::capture::{CaptureConfig, Layer};
use crate::samplers::SamplerConfig;
use crate::schedule::Schedule;

/// A family's networks, as its checkpoints hold them. Whatever has this is a [`Family`].
pub(super) trait Kind: Sync + 'static {
    /// The sizes of the networks.
    type Sizes;
    /// The networks.
    type Networks;
    /// A `[[model]]` table.
    type Settings: Settings<Kind = Self> + DeserializeOwned + 'static;

    /// As [`Family::info`].
    fn info(&self) -> &'static FamilyInfo;

    /// As [`Family::recognise`].
    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String>;

    /// Whether `checkpoint` can be loaded as this family by a configuration that says so. That may ask for less than telling it from
    /// other families does.
    fn fits(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        Kind::recognise(self, checkpoint)
    }

    /// As [`Family::lookalikes`].
    fn lookalikes(&self, _checkpoint: &Checkpoint) -> &'static [&'static str] {
        &[]
    }

    /// The sizes that the tensors of `checkpoint` tell.
    fn sizes(&self, checkpoint: &Checkpoint) -> Result<Self::Sizes, NetError>;

    /// Builds every network from `source`.
    fn build(sizes: &Self::Sizes, source: &dyn TensorSource) -> Self::Networks;
}

type Sizes<S> = <<S as Settings>::Kind as Kind>::Sizes;

/// Settings that every family has.
pub(super) struct Shared<'a> {
    pub(super) name: &'a str,
    pub(super) checkpoint: &'a Path,
    pub(super) precision: Precision,
    pub(super) sampler: &'a SamplerConfig,
    pub(super) guidance: f64,
    pub(super) posterior: Posterior,
}

/// A family's `[[model]]` table. Whatever has this is a [`Model`].
pub(super) trait Settings: Serialize + Send + Sync + Sized {
    /// Its family.
    type Kind: Kind;
    /// The loaded model.
    type Pipeline: Pipeline + 'static;

    /// As [`Model::places`].
    const PLACES: &'static [&'static str] = &["checkpoint"];

    /// Its family.
    fn kind(&self) -> &'static Self::Kind;

    /// What every family has.
    fn shared(&self) -> Shared<'_>;

    /// Lets every relative path start at `base`.
    fn start_at(&mut self, base: &Path);

    /// As [`Model::needs`].
    fn needs(&self) -> &'static [Part] {
        Kind::info(self.kind()).needs
    }

    /// As [`Model::accepts`].
    fn accepts(&self, _goal: Goal) -> Result<(), RunnerError> {
        Ok(())
    }

    /// Checks what needs no checkpoint.
    fn check_values(&self) -> Result<(), RunnerError> {
        Ok(())
    }

    /// Where the networks lie that tell the family from others.
    fn own_networks(&self) -> &Path {
        self.shared().checkpoint
    }

    /// Opens the checkpoint.
    fn open(&self) -> Result<Checkpoint, NetError> {
        Checkpoint::open(self.shared().checkpoint)
    }

    /// What the settings say of the sizes that a checkpoint cannot tell.
    fn adjust(&self, _sizes: &mut Sizes<Self>) {}

    /// Height and width of a generated image; `None` where they follow from the sample.
    ///
    /// # Errors
    /// A size that the networks cannot work at, and every other setting that does not fit them.
    fn image_size(&self, sizes: &Sizes<Self>) -> Result<Option<(i64, i64)>, RunnerError>;

    /// Files that are read besides those of the checkpoint.
    ///
    /// # Errors
    /// One that cannot be used.
    fn other_files(&self, _sizes: &Sizes<Self>) -> Result<Vec<PathBuf>, RunnerError> {
        Ok(Vec::new())
    }

    /// The loaded model.
    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<Self::Pipeline, RunnerError>;
}

/// Networks whose weights have been read, and what is known of them.
pub(super) struct Loaded<'a, S: Settings> {
    pub(super) networks: <S::Kind as Kind>::Networks,
    pub(super) checkpoint: &'a Checkpoint,
    pub(super) sizes: &'a Sizes<S>,
    pub(super) device: Device,
}

impl<K: Kind> Family for K {
    fn info(&self) -> &'static FamilyInfo {
        Kind::info(self)
    }

    fn configure(
        &self,
        table: ConfigValue<'_>,
        base: &Path,
    ) -> Result<Box<dyn Model>, toml::de::Error> {
        let mut settings = K::Settings::deserialize(ValueDeserializer::from(table))?;
        settings.start_at(base);
        Ok(Box::new(settings))
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        Kind::recognise(self, checkpoint)
    }

    fn lookalikes(&self, checkpoint: &Checkpoint) -> &'static [&'static str] {
        Kind::lookalikes(self, checkpoint)
    }

    fn inspect(&self, checkpoint: &Checkpoint) -> Result<LoadReport, NetError> {
        let expected = ExpectedSource::new();
        K::build(&self.sizes(checkpoint)?, &expected);
        Ok(checkpoint.compare(&expected.shapes()))
    }
}

impl<S: Settings> Model for S {
    fn name(&self) -> &str {
        self.shared().name
    }

    fn checkpoint(&self) -> &Path {
        self.shared().checkpoint
    }

    fn settings(&self) -> Value {
        serde_json::to_value(self).expect("a configuration of plain values is JSON")
    }

    fn places(&self) -> &'static [&'static str] {
        S::PLACES
    }

    fn needs(&self) -> &'static [Part] {
        Settings::needs(self)
    }

    fn accepts(&self, goal: Goal) -> Result<(), RunnerError> {
        Settings::accepts(self, goal)
    }

    fn check(&self, capture: Option<&CaptureConfig>) -> Result<ModelFacts, RunnerError> {
        let (checkpoint, sizes) = open(self)?;
        let expected = ExpectedSource::new();
        S::Kind::build(&sizes, &expected);
        let size = self.image_size(&sizes)?;
        let report = checkpoint.compare(&expected.shapes());
        if !report.is_complete() {
            let path = checkpoint.path().to_owned();
            return Err(NetError::Tensors {
                path,
                report: Box::new(report),
            }
            .into());
        }
        let sampler = self.shared().sampler.build(&Schedule::default())?;
        let steps = sampler.timesteps().len();
        if let Some(capture) = capture {
            let layers = expected.cross_attentions("unet");
            check_capture(capture, steps, Kind::info(self.kind()), layers)?;
        }
        let own = checkpoint.files().map(Path::to_owned);
        Ok(ModelFacts {
            parameters: expected.parameters(),
            files: own.chain(self.other_files(&sizes)?).collect(),
            size,
            steps,
        })
    }

    fn load(&self, device: Device) -> Result<Box<dyn Pipeline>, RunnerError> {
        guard(|| Ok(Box::new(load(self, device)?) as Box<dyn Pipeline>))?
    }
}

/// Loads the weights of a model.
pub(super) fn load<S: Settings>(settings: &S, device: Device) -> Result<S::Pipeline, RunnerError> {
    let (checkpoint, sizes) = open(settings)?;
    settings.image_size(&sizes)?;
    let source = CheckpointSource::new(&checkpoint, settings.shared().precision, device);
    let networks = S::Kind::build(&sizes, &source);
    source.finish()?;
    settings.pipeline(Loaded {
        networks,
        checkpoint: &checkpoint,
        sizes: &sizes,
        device,
    })
}

fn open<S: Settings>(settings: &S) -> Result<(Checkpoint, Sizes<S>), RunnerError> {
    settings.check_values()?;
    let checkpoint = settings.open()?;
    let kind = settings.kind();
    kind.fits(&checkpoint)
        .map_err(|found| RunnerError::WrongFamily {
            path: settings.own_networks().to_owned(),
            family: Kind::info(kind).name,
            found,
        })?;
    let mut sizes = kind.sizes(&checkpoint)?;
    settings.adjust(&mut sizes);
    Ok((checkpoint, sizes))
}

/// Checks `capture` against the layers of a UNet, as every sample of a run would.
fn check_capture(
    capture: &CaptureConfig,
    steps: usize,
    info: &FamilyInfo,
    layers: Vec<CrossAttention>,
) -> Result<(), RunnerError> {
    capture.check(steps)?;
    let known = layers.into_iter().map(|attention| Layer {
        spatial: (info.spatial)(&attention.name),
        attention,
    });
    let layers: Vec<Layer> = known.collect();
    capture.intervene.check_layers(&layers)?;
    let recorded = layers
        .iter()
        .map(|layer| (layer.attention.name.as_str(), layer.spatial))
        .filter(|(name, _)| (info.records)(name));
    capture.check_specific(&recorded.collect::<Vec<_>>())
}
