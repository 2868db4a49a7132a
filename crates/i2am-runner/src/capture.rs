//! Reduces attention while sampling: from the pass's own queries and keys to an [`AttentionRecord`].

mod both;
mod intervene;
mod intervener;
mod maps;
mod near;

use std::collections::BTreeMap;
use std::rc::Rc;

use half::f16;
use i2am_attribution::{AttentionRecord, Grid, LayerRecord, LocalityConfig, Source, layer_matches};
use i2am_nets::{AttentionProbe, Intervention, Observation};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

pub use both::{Both, both_directions};
pub use intervene::{ForbidRule, InterveneConfig, Positions, Region, ScaleRule};
pub use maps::{Weights, generated_to_reference, reference_to_generated};

use crate::RunnerError;
use crate::samplers::Call;
use both::both_directions_of;
use intervener::Intervener;
use maps::{generated_to_reference_of, reference_to_generated_of};
use near::{LayerNear, LayerPairs};

/// What to record while sampling, and what to change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaptureConfig {
    /// Groups of consecutive steps that are summed apart; the authors' number is 5.
    pub time_groups: usize,
    /// Layers whose position-by-position attention is kept, by name; `*` stands for any text, and may then name nothing.
    pub specific: Vec<String>,
    /// Bound on the scores held at a time, in MiB.
    pub chunk_mib: usize,
    /// What is recorded of attention near the matching place; nothing by default.
    pub locality: Option<LocalityConfig>,
    /// Changes to the attention. The record is of the attention as changed: what is forbidden has none, while a scaled head is
    /// recorded as it attends, whatever becomes of its output.
    pub intervene: InterveneConfig,
}

impl Default for CaptureConfig {
    fn default() -> Self {
        Self {
            time_groups: 5,
            specific: Vec::new(),
            chunk_mib: 64,
            locality: None,
            intervene: InterveneConfig::default(),
        }
    }
}

/// Which rows of a batch were computed under the reference. The pipeline says so; a batch size cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionalHalf {
    /// All of them: no guidance, or separate passes.
    Whole,
    /// Rows `[conditional, unconditional]`.
    First,
    /// Rows `[unconditional, conditional]`.
    Second,
}

/// Masks of the sample at full size, `[1, 1, H, W]` f32 with 1 inside; `None` counts everything as inside.
#[derive(Debug, Default)]
pub struct CaptureMasks {
    /// The hole to be repainted.
    pub inpainting: Option<Tensor>,
    /// The garment or object in the reference picture.
    pub reference: Option<Tensor>,
}

/// A probe that builds the record of one sample, and changes the attention where it is told to.
pub struct Recorder {
    config: CaptureConfig,
    conditional: ConditionalHalf,
    wants: fn(&str) -> bool,
    masks: CaptureMasks,
    steps: usize,
    /// The time group being summed; `None` while a call is not a step of its own.
    group: Option<usize>,
    order: Vec<String>,
    layers: BTreeMap<String, Layer>,
    /// Pairs of a position and a token that are near, by the two grids: layers of one size share them.
    pairs: BTreeMap<[Grid; 2], Rc<LayerPairs>>,
    intervener: Option<Intervener>,
}

/// The running sums of one layer, on its device.
struct Layer {
    source: Source,
    heads: i64,
    grid: (i64, i64),
    /// Which tokens are inside / outside the reference mask, `[2, tokens]`.
    tokens: Weights,
    /// Which positions are inside / outside the inpainting mask, `[2, H*W]`.
    positions: Weights,
    /// `[groups, 2, heads, H*W]`.
    r2g: Tensor,
    /// `[groups, 2, heads, tokens]`.
    g2r: Option<Tensor>,
    /// `[H*W, tokens]`.
    specific: Option<Tensor>,
    near: Option<LayerNear>,
    /// Steps summed so far.
    steps: u32,
}

impl Recorder {
    /// A recorder for one sample of `steps` steps. `wants` says which layers to record.
    ///
    /// # Errors
    /// [`RunnerError::Setting`] if there are more time groups than steps, or none; [`RunnerError::Intervene`] for a rule that can
    /// never work.
    pub fn new(
        config: &CaptureConfig,
        conditional: ConditionalHalf,
        wants: fn(&str) -> bool,
        masks: CaptureMasks,
        steps: usize,
    ) -> Result<Self, RunnerError> {
        if config.time_groups == 0 || config.time_groups > steps {
            return Err(RunnerError::Setting {
                key: "attribution.time_groups",
                expected: format!("1 to the number of steps, {steps}"),
                found: config.time_groups.to_string(),
            });
        }
        config.intervene.check(config.time_groups)?;
        if let Some(locality) = &config.locality {
            locality.check()?;
        }
        Ok(Self {
            intervener: Intervener::new(&config.intervene),
            config: config.clone(),
            conditional,
            wants,
            masks,
            steps,
            group: None,
            order: Vec::new(),
            layers: BTreeMap::new(),
            pairs: BTreeMap::new(),
        })
    }

    /// Tells which call the next observations belong to. Steps are counted by the sampler, not by calls: PLMS evaluates one
    /// step twice.
    ///
    /// # Errors
    /// [`RunnerError::Intervene`] if the first call has shown that a rule cannot work.
    pub fn begin(&mut self, call: Call) -> Result<(), RunnerError> {
        let group = self.group_of(call.step);
        self.group = call.primary.then_some(group);
        match &mut self.intervener {
            Some(intervener) => intervener.begin(group),
            None => Ok(()),
        }
    }

    /// The probe of a pass without the reference that belongs to the same call: nothing is recorded, and the same is changed.
    pub fn unrecorded(&mut self) -> impl AttentionProbe {
        Unrecorded(self)
    }

    fn group_of(&self, step: usize) -> usize {
        step * self.config.time_groups / self.steps
    }

    /// Moves the sums to the CPU, once.
    ///
    /// # Errors
    /// [`RunnerError::Specific`] if a layer asked for by name was not seen or has one token only.
    pub fn finish(mut self, latent: (i64, i64)) -> Result<AttentionRecord, RunnerError> {
        if let Some(intervener) = &mut self.intervener {
            intervener.check()?;
        }
        for name in self
            .config
            .specific
            .iter()
            .filter(|name| !name.contains('*'))
        {
            let refuse = |reason: String| {
                Err(RunnerError::Specific {
                    layer: name.clone(),
                    reason,
                })
            };
            match self.layers.get(name) {
                None => {
                    return refuse(format!(
                        "no such layer; the model has {}",
                        self.order.join(", ")
                    ));
                }
                Some(layer) if layer.specific.is_none() => {
                    return refuse(
                        "its reference is one token, so there is no map over it".to_owned(),
                    );
                }
                Some(_) => {}
            }
        }
        let mut steps = vec![0_u32; self.config.time_groups];
        for step in 0..self.steps {
            steps[self.group_of(step)] += 1;
        }
        let radii = self
            .config
            .locality
            .as_ref()
            .map_or(&[][..], |locality| &locality.radii);
        let record = |name: &String| self.layers[name].record(name, radii);
        Ok(AttentionRecord {
            layers: self.order.iter().map(record).collect(),
            steps,
            latent_height: latent.0 as usize,
            latent_width: latent.1 as usize,
        })
    }

    fn start(&mut self, seen: &Observation<'_>, key: &Tensor) -> Layer {
        let device = key.device();
        let (heads, tokens) = (key.size()[0], key.size()[1]);
        let source = match seen.key_grid {
            Some((height, width)) => Source::Spatial {
                height: height as usize,
                width: width as usize,
            },
            None => Source::ImageToken,
        };
        let spatial = seen.key_grid.is_some();
        let positions = seen.grid.0 * seen.grid.1;
        let groups = self.config.time_groups as i64;
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, device));
        let specific = spatial && self.keeps_specific(seen.layer);
        let near = self.near_of(seen, heads, device);
        let token_mask = if spatial {
            self.masks.reference.as_ref()
        } else {
            None
        };
        Layer {
            source,
            heads,
            grid: seen.grid,
            tokens: Weights::of(token_mask, seen.key_grid.unwrap_or((1, tokens)), device),
            positions: Weights::of(self.masks.inpainting.as_ref(), seen.grid, device),
            r2g: zeros(&[groups, 2, heads, positions]),
            g2r: spatial.then(|| zeros(&[groups, 2, heads, tokens])),
            specific: specific.then(|| zeros(&[positions, tokens])),
            near,
            steps: 0,
        }
    }

    /// The sums near the matching place, if they are wanted and the layer has places.
    fn near_of(&mut self, seen: &Observation<'_>, heads: i64, device: Device) -> Option<LayerNear> {
        let radii = &self.config.locality.as_ref()?.radii;
        let grids = [seen.grid, seen.key_grid?].map(|(height, width)| Grid {
            height: height as usize,
            width: width as usize,
        });
        let make = || Rc::new(LayerPairs::new(grids, radii, device));
        let pairs = Rc::clone(self.pairs.entry(grids).or_insert_with(make));
        let groups = self.config.time_groups as i64;
        Some(LayerNear::new(pairs, groups, heads, device))
    }

    fn keeps_specific(&self, layer: &str) -> bool {
        let mut patterns = self.config.specific.iter();
        patterns.any(|pattern| layer_matches(pattern, layer))
    }

    /// The conditional rows of `[batch, heads, n, d]` as `[heads, n, d]`, f32.
    fn conditional(&self, x: &Tensor) -> Tensor {
        let batch = x.size()[0];
        let row = match self.conditional {
            ConditionalHalf::Whole | ConditionalHalf::First => 0,
            ConditionalHalf::Second => batch / 2,
        };
        x.select(0, row).to_kind(Kind::Float)
    }
}

impl AttentionProbe for Recorder {
    fn observe(&mut self, seen: &Observation<'_>) {
        let Some(group) = self.group else { return };
        if !(self.wants)(seen.layer) {
            return;
        }
        let _guard = tch::no_grad_guard();
        let query = self.conditional(seen.query) * seen.scale;
        let key = self.conditional(seen.key);
        if !self.layers.contains_key(seen.layer) {
            self.order.push(seen.layer.to_owned());
            let layer = self.start(seen, &key);
            self.layers.insert(seen.layer.to_owned(), layer);
        }
        let chunk = self.config.chunk_mib << 20;
        let plan = match &mut self.intervener {
            Some(intervener) => intervener.plan(seen, &self.masks),
            None => None,
        };
        let allowed = plan
            .and_then(|plan| plan.allowed.as_ref())
            .map(|allowed| allowed.squeeze_dim(0));
        let layer = self
            .layers
            .get_mut(seen.layer)
            .expect("it was just inserted");
        layer.add(group as i64, &query, &key, chunk, allowed.as_ref());
    }

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        let plan = self.intervener.as_mut()?.plan(seen, &self.masks)?;
        Some(Intervention {
            allowed: plan.allowed.as_ref().map(Tensor::shallow_clone),
            factors: plan.factors.as_ref().map(Tensor::shallow_clone),
        })
    }
}

struct Unrecorded<'a>(&'a mut Recorder);

impl AttentionProbe for Unrecorded<'_> {
    fn observe(&mut self, _seen: &Observation<'_>) {}

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        self.0.intervene(seen)
    }
}

impl Layer {
    fn add(
        &mut self,
        group: i64,
        query: &Tensor,
        key: &Tensor,
        chunk_bytes: usize,
        allowed: Option<&Tensor>,
    ) {
        self.steps += 1;
        let mut near = self.near.as_ref().map(|near| near.group(group));
        let (r2g, g2r) = match (allowed, &self.g2r) {
            (None, Some(_)) => {
                let both = both_directions_of(
                    query,
                    key,
                    &self.tokens,
                    &self.positions,
                    chunk_bytes,
                    self.specific.as_mut(),
                    near.as_ref(),
                );
                (both.r2g, Some(both.g2r))
            }
            (_, g2r) => {
                let pickers = near.as_ref().map(|near| near.pickers(self.heads));
                let (near_r2g, near_g2r) = pickers.as_ref().map(|[r2g, g2r]| (r2g, g2r)).unzip();
                let r2g = reference_to_generated_of(
                    query,
                    key,
                    &self.tokens,
                    chunk_bytes,
                    near_r2g,
                    allowed,
                );
                let g2r = g2r.is_some().then(|| {
                    generated_to_reference_of(
                        query,
                        key,
                        &self.positions,
                        chunk_bytes,
                        self.specific.as_mut(),
                        near_g2r,
                        allowed,
                    )
                });
                if let (Some(near), Some([r2g, g2r])) = (&mut near, &pickers) {
                    near.add(&r2g.sums(), &g2r.sums());
                }
                (r2g, g2r)
            }
        };
        let _ = self.r2g.select(0, group).g_add_(&r2g);
        if let (Some(sum), Some(g2r)) = (&self.g2r, g2r) {
            let _ = sum.select(0, group).g_add_(&g2r);
        }
    }

    fn record(&self, name: &str, radii: &[usize]) -> LayerRecord {
        // Groups are outermost here so that a step's sum is one contiguous addition; the record has the masks outermost.
        let flat = |sums: &Tensor| flat_f32(&sums.transpose(0, 1));
        LayerRecord {
            name: name.to_owned(),
            source: self.source,
            heads: self.heads as usize,
            height: self.grid.0 as usize,
            width: self.grid.1 as usize,
            r2g: flat(&self.r2g),
            g2r: self.g2r.as_ref().map(flat),
            r2g_counts: self.tokens.counts(),
            g2r_counts: self.positions.counts(),
            specific: self.specific.as_ref().map(|sum| {
                let mean = sum / f64::from(self.steps.max(1));
                flat_f32(&mean).into_iter().map(f16::from_f32).collect()
            }),
            near: self.near.as_ref().map(|near| near.record(radii)),
        }
    }
}

fn flat_f32(x: &Tensor) -> Vec<f32> {
    let flat = x
        .to_device(Device::Cpu)
        .to_kind(Kind::Float)
        .contiguous()
        .view(-1);
    Vec::try_from(flat).expect("a flat f32 tensor is an f32 vector")
}
