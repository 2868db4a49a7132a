//! What a family has to say of its networks ([`Kind`]) and of its settings ([`Settings`]). Everything else that is the same for all
//! families, how they are configured, checked and loaded, stands here once.

use std::path::{Path, PathBuf};

use i2am_datasets::{Goal, Part};
use i2am_nets::guard::guard;
use i2am_nets::layout::{Checkpoint, Opening};
use i2am_nets::{
    AttentionLayer, CheckpointSource, ExpectedSource, LoadReport, NetError, Precision, TensorSource,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use tch::Device;
use toml::de::ValueDeserializer;

use super::common::is_guided;
use super::{
    Attends, ConfigValue, Family, FamilyInfo, Model, ModelFacts, Pipeline, Posterior,
    PromptEmbeddings,
};
use crate::RunnerError;
use crate::capture::{CaptureConfig, Layer};
use crate::damage::{self, Damage, NoisySource};
use crate::samplers::Sampler;
use crate::weights::{KeepingSource, Weights};

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

    /// The network that denoises, whose attention is recorded.
    fn denoiser(&self) -> &'static str {
        "unet"
    }

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

    /// The published sizes.
    fn published(&self) -> Self::Sizes;

    /// Builds every network from `source`.
    fn build(sizes: &Self::Sizes, source: &dyn TensorSource) -> Self::Networks;

    /// The tensors that [`Family::inspect`] looks for in `checkpoint`.
    fn expected(&self, checkpoint: &Checkpoint) -> Result<ExpectedSource, NetError> {
        let expected = ExpectedSource::new();
        Self::build(&self.sizes(checkpoint)?, &expected);
        Ok(expected)
    }

    /// As [`Family::describe`].
    fn describe(&self, _checkpoint: &Checkpoint) -> Option<String> {
        None
    }
}

type Sizes<S> = <<S as Settings>::Kind as Kind>::Sizes;

/// Settings that every family has.
pub(super) struct Shared<'a> {
    pub(super) name: &'a str,
    pub(super) checkpoint: &'a Path,
    pub(super) variant: Option<&'a str>,
    pub(super) precision: Precision,
    pub(super) guidance: f64,
    pub(super) posterior: Posterior,
}

/// A family's `[[model]]` table. Whatever has this is a [`Model`].
pub(super) trait Settings: Serialize + Clone + Send + Sync + Sized {
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

    /// How it samples.
    ///
    /// # Errors
    /// Settings of the sampler that cannot work.
    fn sampler(&self) -> Result<Box<dyn Sampler>, RunnerError>;

    /// Lets every relative path start at `base`.
    fn start_at(&mut self, base: &Path);

    /// The guidance scale `g` of a family that predicts `without + g (with - without)` from passes with and without the reference, and
    /// lets the reference enter in no other way: a share of `g` is that share of the reference.
    ///
    /// # Errors
    /// Why the family is not like that.
    fn reference_guidance(&mut self) -> Result<&mut f64, &'static str>;

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

    /// A folder whose networks lie over those of the checkpoint.
    fn over(&self) -> Option<&Path> {
        None
    }

    /// The networks of the checkpoint that are read; all without it.
    fn networks(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// The networks of `base` with those of the other files that the settings name.
    ///
    /// # Errors
    /// A file that cannot be used.
    fn assemble(&self, base: Checkpoint) -> Result<Checkpoint, RunnerError> {
        Ok(base)
    }

    /// What the settings say of the sizes that a checkpoint cannot tell.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] for sizes that do not fit the others.
    fn adjust(&self, _sizes: &mut Sizes<Self>) -> Result<(), RunnerError> {
        Ok(())
    }

    /// Height and width of a generated image; `None` where they follow from the sample.
    ///
    /// # Errors
    /// A size that the networks cannot work at, and every other setting that does not fit them.
    fn image_size(&self, sizes: &Sizes<Self>) -> Result<Option<(i64, i64)>, RunnerError>;

    /// What becomes of an attention layer, as [`FamilyInfo::attends`]: for families in which the files decide what a layer reads.
    fn attends(&self, _sizes: &Sizes<Self>, network: &str, layer: &str) -> Option<Attends> {
        (Kind::info(self.kind()).attends)(network, layer)
    }

    /// Files that are read besides those of the checkpoint.
    ///
    /// # Errors
    /// One that cannot be used.
    fn other_files(&self, _sizes: &Sizes<Self>) -> Result<Vec<PathBuf>, RunnerError> {
        Ok(Vec::new())
    }

    /// Embeddings of texts by a network of their own. They come before the other networks are read, so that it is not in memory with them.
    ///
    /// # Errors
    /// Files that cannot be read or used.
    fn embeddings(
        &self,
        _sizes: &Sizes<Self>,
        _device: Device,
    ) -> Result<Vec<PromptEmbeddings>, RunnerError> {
        Ok(Vec::new())
    }

    /// The loaded model.
    fn pipeline(&self, loaded: Loaded<'_, Self>) -> Result<Self::Pipeline, RunnerError>;
}

/// Networks whose weights have been read, and what is known of them.
pub(super) struct Loaded<'a, S: Settings> {
    pub(super) networks: <S::Kind as Kind>::Networks,
    /// As [`Settings::embeddings`].
    pub(super) embeddings: Vec<PromptEmbeddings>,
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
        let mut table = table;
        let damage = Damage::take(&mut table)?;
        let mut settings = K::Settings::deserialize(ValueDeserializer::from(table))?;
        settings.start_at(base);
        Ok(if damage.is_empty() {
            Box::new(settings)
        } else {
            Box::new(Damaged { settings, damage })
        })
    }

    fn recognise(&self, checkpoint: &Checkpoint) -> Result<(), String> {
        Kind::recognise(self, checkpoint)
    }

    fn lookalikes(&self, checkpoint: &Checkpoint) -> &'static [&'static str] {
        Kind::lookalikes(self, checkpoint)
    }

    fn describe(&self, checkpoint: &Checkpoint) -> Option<String> {
        Kind::describe(self, checkpoint)
    }

    fn attentions(&self) -> Vec<(AttentionLayer, Option<Attends>)> {
        let expected = ExpectedSource::new();
        K::build(&Kind::published(self), &expected);
        let attends = Kind::info(self).attends;
        let of_network = |network: String| {
            let layers = expected.attentions(&network).into_iter();
            let named = layers.map(|layer| (attends(&network, &layer.name), layer));
            let named = named.map(|(known, layer)| (layer, known));
            named.collect::<Vec<_>>()
        };
        let networks = expected.attending().into_iter();
        networks.flat_map(of_network).collect()
    }

    fn inspect(&self, checkpoint: &Checkpoint) -> Result<LoadReport, NetError> {
        checkpoint.examine(&Kind::expected(self, checkpoint)?)
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
        check(self, &[], capture)
    }

    fn load_with_weights(
        &self,
        device: Device,
    ) -> Result<(Box<dyn Pipeline>, Weights), RunnerError> {
        guard(|| {
            let (pipeline, weights) = load_damaged(self, &[], device)?;
            Ok((Box::new(pipeline) as Box<dyn Pipeline>, weights))
        })?
    }
}

/// A model that is made worse on purpose.
struct Damaged<S> {
    settings: S,
    damage: Vec<Damage>,
}

impl<S: Settings> Damaged<S> {
    /// The settings that the damage leaves.
    fn weakened(&self) -> Result<S, RunnerError> {
        damage::check_values(&self.damage)?;
        let mut settings = self.settings.clone();
        for (index, damage) in self.damage.iter().enumerate() {
            if let Damage::WeakReference(weak) = damage {
                let name = Kind::info(self.settings.kind()).name;
                let guidance = settings.reference_guidance().map_err(|reason| {
                    let reason = format!("a {name} model cannot have a weak reference: {reason}");
                    RunnerError::Damage { index, reason }
                })?;
                *guidance *= weak.share;
            }
        }
        Ok(settings)
    }
}

impl<S: Settings + 'static> Model for Damaged<S> {
    fn name(&self) -> &str {
        Model::name(&self.settings)
    }

    fn checkpoint(&self) -> &Path {
        Model::checkpoint(&self.settings)
    }

    fn settings(&self) -> Value {
        let mut settings = Model::settings(&self.settings);
        settings["damage"] =
            serde_json::to_value(&self.damage).expect("a configuration of plain values is JSON");
        settings
    }

    fn places(&self) -> &'static [&'static str] {
        Model::places(&self.settings)
    }

    fn needs(&self) -> &'static [Part] {
        Model::needs(&self.settings)
    }

    fn accepts(&self, goal: Goal) -> Result<(), RunnerError> {
        Model::accepts(&self.settings, goal)
    }

    fn check(&self, capture: Option<&CaptureConfig>) -> Result<ModelFacts, RunnerError> {
        check(&self.weakened()?, &self.damage, capture)
    }

    fn load_with_weights(
        &self,
        device: Device,
    ) -> Result<(Box<dyn Pipeline>, Weights), RunnerError> {
        guard(|| {
            let settings = self.weakened()?;
            let (pipeline, weights) = load_damaged(&settings, &self.damage, device)?;
            let pipeline = damage::with_heads_off(Box::new(pipeline), &self.damage);
            Ok((pipeline, weights))
        })?
    }
}

/// As [`Model::check`], of a model with `damage`.
fn check<S: Settings>(
    settings: &S,
    damage: &[Damage],
    capture: Option<&CaptureConfig>,
) -> Result<ModelFacts, RunnerError> {
    let (checkpoint, sizes) = open(settings)?;
    let expected = ExpectedSource::new();
    S::Kind::build(&sizes, &expected);
    let size = settings.image_size(&sizes)?;
    checkpoint
        .examine(&expected)?
        .require_sound(checkpoint.path())?;
    check_damage(settings, damage, &sizes, &expected)?;
    let sampler = settings.sampler()?;
    let steps = sampler.timesteps().len();
    if let Some(capture) = capture {
        let denoiser = settings.kind().denoiser();
        let attends = |layer: &str| settings.attends(&sizes, denoiser, layer);
        check_capture(capture, steps, attends, expected.attentions(denoiser))?;
    }
    let own = checkpoint.files().map(Path::to_owned);
    let shared = settings.shared();
    let bytes = shared.precision.bytes();
    let rows = if is_guided(shared.guidance) { 2 } else { 1 };
    Ok(ModelFacts {
        parameters: expected.parameters(),
        weight_bytes: expected.parameters() * bytes,
        sample_bytes: size
            .and_then(|size| row_bytes(&expected, size, bytes))
            .map(|row| rows * row),
        files: own.chain(settings.other_files(&sizes)?).collect(),
        size,
        steps,
    })
}

/// Estimate of the memory that one more row of the networks' batch takes for an image of `(height, width)`, in numbers of `bytes` bytes: so
/// many channels of the widest feature maps, in multiples of the UNet's own, are alive at a time at the size of a latent of Stable
/// Diffusion; `None` for other networks. Measured for its UNet (`cargo bench -p i2am-runner --bench batch`), with a margin for networks that see more.
fn row_bytes(expected: &ExpectedSource, (height, width): (i64, i64), bytes: u64) -> Option<u64> {
    let shapes = expected.shapes();
    let channels = *shapes.get("unet.conv_in.weight")?.first()?;
    let latent = height * width / 64;
    Some(MAPS_ALIVE * (latent * channels) as u64 * bytes)
}

/// As [`row_bytes`] says.
const MAPS_ALIVE: u64 = 64;

/// Checks that every name of `damage` is that of a tensor or layer that the networks `expected` have.
fn check_damage<S: Settings>(
    settings: &S,
    damage: &[Damage],
    sizes: &Sizes<S>,
    expected: &ExpectedSource,
) -> Result<(), RunnerError> {
    if damage.is_empty() {
        return Ok(());
    }
    let denoiser = settings.kind().denoiser();
    let attends = |layer: &str| settings.attends(sizes, denoiser, layer);
    let layers = changeable(&attends, expected.attentions(denoiser));
    damage::check_names(damage, &expected.shapes(), &layers)
}

/// Loads the weights of a model.
pub(super) fn load<S: Settings>(settings: &S, device: Device) -> Result<S::Pipeline, RunnerError> {
    Ok(load_damaged(settings, &[], device)?.0)
}

/// Loads the weights of a model, with the noise of `damage`, and hands out those of the network that denoises.
fn load_damaged<S: Settings>(
    settings: &S,
    damage: &[Damage],
    device: Device,
) -> Result<(S::Pipeline, Weights), RunnerError> {
    let (checkpoint, sizes) = open(settings)?;
    settings.image_size(&sizes)?;
    if !damage.is_empty() {
        let expected = ExpectedSource::new();
        S::Kind::build(&sizes, &expected);
        check_damage(settings, damage, &sizes, &expected)?;
    }
    let embeddings = settings.embeddings(&sizes, device)?;
    let source = CheckpointSource::new(&checkpoint, settings.shared().precision, device);
    let noisy = NoisySource::new(&source, damage);
    let keeping = KeepingSource::new(&noisy, settings.kind().denoiser());
    let networks = S::Kind::build(&sizes, &keeping);
    let weights = keeping.into_weights();
    source.finish()?;
    let pipeline = settings.pipeline(Loaded {
        networks,
        embeddings,
        checkpoint: &checkpoint,
        sizes: &sizes,
        device,
    })?;
    Ok((pipeline, weights))
}

fn open<S: Settings>(settings: &S) -> Result<(Checkpoint, Sizes<S>), RunnerError> {
    settings.check_values()?;
    let shared = settings.shared();
    let opening = Opening {
        over: settings.over(),
        variant: shared.variant,
        networks: settings.networks(),
    };
    let checkpoint = settings.assemble(Checkpoint::open_as(shared.checkpoint, opening)?)?;
    let kind = settings.kind();
    kind.fits(&checkpoint)
        .map_err(|found| RunnerError::WrongFamily {
            path: settings.own_networks().to_owned(),
            family: Kind::info(kind).name,
            found,
        })?;
    let mut sizes = kind.sizes(&checkpoint)?;
    settings.adjust(&mut sizes)?;
    Ok((checkpoint, sizes))
}

/// Checks `capture` against the layers of the network that denoises, as every sample of a run would. `attends` says what becomes of a layer.
fn check_capture(
    capture: &CaptureConfig,
    steps: usize,
    attends: impl Fn(&str) -> Option<Attends>,
    layers: Vec<AttentionLayer>,
) -> Result<(), RunnerError> {
    capture.check(steps)?;
    let recorded: Vec<(String, bool)> = layers
        .iter()
        .filter_map(|layer| {
            let attends = attends(&layer.name).filter(|attends| attends.is_recorded())?;
            Some((layer.name.clone(), attends.has_map()))
        })
        .collect();
    let layers = changeable(&attends, layers);
    capture.intervene.check_layers(&layers)?;
    let recorded = recorded
        .iter()
        .map(|(name, has_map)| (name.as_str(), *has_map));
    capture.check_specific(&recorded.collect::<Vec<_>>())
}

/// The layers that probes see and can change.
fn changeable(
    attends: &impl Fn(&str) -> Option<Attends>,
    layers: Vec<AttentionLayer>,
) -> Vec<Layer> {
    let known = layers.into_iter().filter_map(|attention| {
        let attends = attends(&attention.name)?;
        let spatial = matches!(
            attends,
            Attends::Positions | Attends::UnrecordedPositions(_)
        );
        (attends != Attends::Own).then_some(Layer { attention, spatial })
    });
    known.collect()
}
