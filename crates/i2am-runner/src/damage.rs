//! What is done to a model to make it worse on purpose, by a known amount: `[[model.damage]]`.
//!
//! Scores can be judged by whether they notice it. A damage never changes a file: noise is added to weights as they are read, heads are
//! switched off while sampling, and a guided family takes less of what its reference adds.

use std::collections::BTreeMap;

use i2am_attribution::layer_matches;
use i2am_datasets::{OtherReference, Sample};
use i2am_nets::{AttentionLayer, Init, TensorSource};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use crate::RunnerError;
use crate::capture::{CaptureConfig, InterveneConfig, Layer, ScaleRule};
use crate::families::{Batch, Job, Pipeline, Request, Study};
use crate::weights::{deviation, drawn};

/// One `[[model.damage]]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Damage {
    /// Noise on weights.
    Noise(Noise),
    /// Heads or whole layers of attention switched off, or weakened.
    Off(Off),
    /// The reference of another sample. Whoever reads the samples does this: networks cannot tell.
    OtherReference(OtherReference),
    /// Less of what the reference adds.
    WeakReference(WeakReference),
}

/// Gaussian noise, drawn by seed and name of the tensor, and added when weights are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noise {
    /// Tensors by their name in diffusers' spelling, with the network in front: `unet.*.to_q.weight`; `*` stands for any text.
    pub tensors: Vec<String>,
    /// Standard deviation of the noise, as a share of the standard deviation of each tensor's values; 0 changes nothing. A tensor whose
    /// values are all equal stays as it is.
    pub size: f64,
    /// Of the noise.
    #[serde(default)]
    pub seed: u64,
}

/// Output of heads multiplied by a factor in every step, as a rule of `[intervene.scale]` does it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Off {
    /// Layers by name, without the network; `*` stands for any text.
    pub layers: Vec<String>,
    /// Heads, counted from 0; all without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<Vec<usize>>,
    /// The factor, 0 to 1: how much is left of the output. 1 changes nothing.
    #[serde(default)]
    pub keep: f64,
}

/// Predicted noise of the pass with the reference replaced by `without + share (with - without)`, before guidance. With a guidance of
/// `g` this is a guidance of `share g`, and so it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeakReference {
    /// How much of the reference's part is left, 0 to 1. 1 changes nothing.
    pub share: f64,
}

/// What tells the kinds apart.
#[derive(Deserialize)]
struct Head {
    kind: KindName,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum KindName {
    Noise,
    Off,
    OtherReference,
    WeakReference,
}

impl Damage {
    /// Takes the list `damage` out of a `[[model]]` table.
    ///
    /// # Errors
    /// An unknown kind or key, or a value of the wrong kind, with its place in the file.
    pub fn take(model: &mut Spanned<DeValue<'_>>) -> Result<Vec<Self>, toml::de::Error> {
        let DeValue::Table(table) = model.get_mut() else {
            return Ok(Vec::new());
        };
        let Some(list) = table.remove("damage") else {
            return Ok(Vec::new());
        };
        let span = list.span();
        match list.into_inner() {
            DeValue::Array(tables) => tables.into_iter().map(Self::read).collect(),
            // In the words of the reader of lists.
            other => Vec::<Head>::deserialize(ValueDeserializer::from(Spanned::new(span, other)))
                .map(|_| Vec::new()),
        }
    }

    fn read(mut table: Spanned<DeValue<'_>>) -> Result<Self, toml::de::Error> {
        let Head { kind } = Head::deserialize(ValueDeserializer::from(table.clone()))?;
        if let DeValue::Table(table) = table.get_mut() {
            table.remove("kind");
        }
        let settings = ValueDeserializer::from(table);
        Ok(match kind {
            KindName::Noise => Self::Noise(Noise::deserialize(settings)?),
            KindName::Off => Self::Off(Off::deserialize(settings)?),
            KindName::OtherReference => {
                Self::OtherReference(OtherReference::deserialize(settings)?)
            }
            KindName::WeakReference => Self::WeakReference(WeakReference::deserialize(settings)?),
        })
    }

    /// Checks numbers, and that there is something to do.
    fn check_values(&self) -> Result<(), String> {
        let within = |key: &str, found: f64| {
            (0.0..=1.0)
                .contains(&found)
                .then_some(())
                .ok_or_else(|| format!("{key}: expected 0 to 1, found {found}"))
        };
        match self {
            Self::Noise(Noise { tensors, size, .. }) => {
                if tensors.is_empty() {
                    return Err("tensors: expected at least one name, found none".to_owned());
                }
                if !(size.is_finite() && *size >= 0.0) {
                    return Err(format!(
                        "size: expected a finite number of at least 0, found {size}"
                    ));
                }
                Ok(())
            }
            Self::Off(off) => within("keep", off.keep),
            Self::OtherReference(other) => within("share", other.share),
            Self::WeakReference(weak) => within("share", weak.share),
        }
    }
}

/// Refuses the damage `index` of a model.
fn refuse(index: usize) -> impl FnOnce(String) -> RunnerError {
    move |reason| RunnerError::Damage { index, reason }
}

/// Checks numbers; of the kinds that concern the reference as a whole, a model can have one each.
///
/// # Errors
/// [`RunnerError::Damage`] with the first that cannot be done.
pub fn check_values(damage: &[Damage]) -> Result<(), RunnerError> {
    for (index, one) in damage.iter().enumerate() {
        one.check_values().map_err(refuse(index))?;
        let alike = |other: &Damage| std::mem::discriminant(other) == std::mem::discriminant(one);
        let single = matches!(one, Damage::OtherReference(_) | Damage::WeakReference(_));
        if single && damage[..index].iter().any(alike) {
            return Err(refuse(index)("this kind is there twice".to_owned()));
        }
    }
    Ok(())
}

/// Checks that noise finds its `tensors`, given with their shapes, and that heads are there to be switched off.
///
/// # Errors
/// [`RunnerError::Damage`] with the first name that nothing has.
pub fn check_names(
    damage: &[Damage],
    tensors: &BTreeMap<String, Vec<i64>>,
    layers: &[Layer],
) -> Result<(), RunnerError> {
    for (index, one) in damage.iter().enumerate() {
        match one {
            Damage::Noise(noise) => {
                let is_known =
                    |pattern: &&String| tensors.keys().any(|name| layer_matches(pattern, name));
                if let Some(unknown) = noise.tensors.iter().find(|name| !is_known(name)) {
                    let networks: Vec<&str> = networks(tensors);
                    let (count, networks) = (tensors.len(), networks.join(", "));
                    let reason = format!(
                        "no tensor `{unknown}`; the model has {count} tensors, whose names begin with {networks}"
                    );
                    return Err(refuse(index)(reason));
                }
            }
            Damage::Off(off) => {
                let rules = InterveneConfig {
                    scale: vec![off.rule()],
                    ..InterveneConfig::default()
                };
                let checked = rules.check(1).and_then(|()| rules.check_layers(layers));
                checked.map_err(|error| match error {
                    RunnerError::Intervene { reason, .. } => refuse(index)(reason),
                    other => other,
                })?;
            }
            Damage::OtherReference(_) | Damage::WeakReference(_) => {}
        }
    }
    Ok(())
}

/// What the names of tensors begin with, each once.
fn networks(tensors: &BTreeMap<String, Vec<i64>>) -> Vec<&str> {
    let mut networks: Vec<&str> = tensors
        .keys()
        .filter_map(|name| name.split_once('.'))
        .map(|(network, _)| network)
        .collect();
    networks.dedup();
    networks
}

impl Off {
    fn rule(&self) -> ScaleRule {
        ScaleRule {
            models: None,
            layers: self.layers.clone(),
            heads: self.heads.clone(),
            time_groups: None,
            factor: self.keep,
        }
    }
}

/// Tensors of another source, some of them with noise.
pub struct NoisySource<'a> {
    inner: &'a dyn TensorSource,
    noise: Vec<&'a Noise>,
}

impl<'a> NoisySource<'a> {
    /// Tensors of `inner` with the noise of `damage`.
    pub fn new(inner: &'a dyn TensorSource, damage: &'a [Damage]) -> Self {
        let noise = damage.iter().filter_map(|one| match one {
            Damage::Noise(noise) => Some(noise),
            _ => None,
        });
        Self {
            inner,
            noise: noise.collect(),
        }
    }
}

impl TensorSource for NoisySource<'_> {
    fn tensor(&self, name: &str, shape: &[i64], init: Init) -> Tensor {
        let mut tensor = self.inner.tensor(name, shape, init);
        // A placeholder has another shape; whoever gave it says what is wrong.
        if tensor.size() == shape {
            for noise in &self.noise {
                tensor = noise.on(name, tensor);
            }
        }
        tensor
    }

    fn unread(&self, prefix: &str) {
        self.inner.unread(prefix);
    }

    fn attention(&self, network: &str, layer: AttentionLayer) {
        self.inner.attention(network, layer);
    }
}

impl Noise {
    /// The tensor `name` with this noise, if it is for it.
    fn on(&self, name: &str, tensor: Tensor) -> Tensor {
        let mut patterns = self.tensors.iter();
        if self.size <= 0.0 || !patterns.any(|pattern| layer_matches(pattern, name)) {
            return tensor;
        }
        let values = tensor.to_kind(Kind::Float);
        // Noise of no deviation is none.
        let Some(deviation) = deviation(&values) else {
            return tensor;
        };
        let drawn = drawn(self.seed, name, &tensor) * (self.size * deviation);
        (values + drawn).to_kind(tensor.kind())
    }
}

/// `pipeline` with the heads of `damage` switched off.
pub(crate) fn with_heads_off(pipeline: Box<dyn Pipeline>, damage: &[Damage]) -> Box<dyn Pipeline> {
    let rules = damage.iter().filter_map(|one| match one {
        Damage::Off(off) => Some(off.rule()),
        _ => None,
    });
    let rules: Vec<ScaleRule> = rules.collect();
    if rules.is_empty() {
        pipeline
    } else {
        Box::new(HeadsOff { pipeline, rules })
    }
}

struct HeadsOff {
    pipeline: Box<dyn Pipeline>,
    rules: Vec<ScaleRule>,
}

impl HeadsOff {
    /// The recorder is what switches heads off, so there must be one.
    fn with_rules(&self, capture: Option<&CaptureConfig>) -> CaptureConfig {
        let mut capture = capture.cloned().unwrap_or_else(|| CaptureConfig {
            time_groups: 1,
            ..CaptureConfig::default()
        });
        capture.intervene.scale.extend(self.rules.iter().cloned());
        capture
    }
}

impl Pipeline for HeadsOff {
    fn generate_batch(
        &self,
        jobs: &[Job<'_>],
        capture: Option<&CaptureConfig>,
        on_step: &mut dyn FnMut(usize),
    ) -> Batch {
        let is_recorded = capture.is_some();
        let capture = self.with_rules(capture);
        let mut batch = self.pipeline.generate_batch(jobs, Some(&capture), on_step);
        for generated in batch.results.iter_mut().flatten() {
            generated.record = generated.record.take().filter(|_| is_recorded);
        }
        batch
    }

    fn study(
        &self,
        sample: &Sample,
        request: Request<'_>,
        steps: &[usize],
        work: &mut dyn FnMut(&mut dyn Study) -> Result<(), RunnerError>,
    ) -> Result<(), RunnerError> {
        let capture = self.with_rules(request.capture);
        let Request { noise, on_step, .. } = request;
        let request = Request {
            noise,
            capture: Some(&capture),
            on_step,
        };
        self.pipeline.study(sample, request, steps, work)
    }

    fn steps(&self) -> usize {
        self.pipeline.steps()
    }
}
