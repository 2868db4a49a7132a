//! Reduces attention while sampling: from the pass's own queries and keys to an [`AttentionRecord`].

mod batch;
mod both;
mod config;
mod intervene;
mod intervener;
mod joint;
mod large;
mod maps;
mod near;
mod readers;
mod sums;

use std::collections::BTreeMap;
use std::rc::Rc;

use i2am_attribution::{AttentionRecord, Grid, Source, layer_matches};
use i2am_nets::{AttentionProbe, Intervention, Observation, Places, Role, Segment};
use tch::{Device, Kind, Tensor};

pub(crate) use batch::{Recorders, both, together};
pub use both::{Both, both_directions};
pub use config::{CaptureConfig, Layer};
pub use intervene::{ForbidRule, InterveneConfig, Positions, Region, ScaleRule, WeakenRule};
pub use maps::{Weights, generated_to_reference, reference_to_generated};

use crate::RunnerError;
use crate::samplers::Call;
use intervener::Intervener;
use joint::Changed;
use near::{LayerNear, LayerPairs};
use sums::{LayerSums, Seen, Sums, references};

/// Which rows of a batch were computed under the reference. The pipeline says so; a batch size cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionalHalf {
    /// All of them: no guidance, or separate passes.
    Whole,
    /// Rows `[conditional, unconditional]`, each half with a row for each sample.
    First,
    /// Rows `[unconditional, conditional]`, each half with a row for each sample.
    Second,
}

impl ConditionalHalf {
    /// The first row under the reference in a batch of `batch` rows; the samples follow each other from there on.
    pub(crate) fn row(self, batch: i64) -> i64 {
        match self {
            Self::Whole | Self::First => 0,
            Self::Second => batch / 2,
        }
    }
}

/// Masks of the sample at full size, `[1, 1, H, W]` f32 with 1 inside; `None` counts everything as inside.
#[derive(Debug, Default)]
pub struct CaptureMasks {
    /// The masked region.
    pub inpainting: Option<Tensor>,
    /// The garment or object in the reference picture.
    pub reference: Option<Tensor>,
}

impl CaptureMasks {
    /// The same masks.
    pub(crate) fn shared(&self) -> Self {
        let shared = |mask: &Option<Tensor>| mask.as_ref().map(Tensor::shallow_clone);
        Self {
            inpainting: shared(&self.inpainting),
            reference: shared(&self.reference),
        }
    }
}

/// A probe that builds the record of one sample, and changes the attention where rules say so.
pub struct Recorder {
    config: CaptureConfig,
    conditional: ConditionalHalf,
    /// Which of the samples of a batch is recorded.
    sample: usize,
    wants: Box<dyn Fn(&str) -> bool>,
    masks: CaptureMasks,
    steps: usize,
    /// The time group being summed; `None` while a call is not a step of its own.
    group: Option<usize>,
    order: Vec<String>,
    layers: BTreeMap<String, LayerSums>,
    /// Pairs of a position and a token that are near, by the two grids: layers of one size share them.
    pairs: BTreeMap<[Grid; 2], Rc<LayerPairs>>,
    intervener: Option<Intervener>,
}

impl Recorder {
    /// A recorder for one sample of `steps` steps. `wants` says which layers to record.
    ///
    /// # Errors
    /// As [`CaptureConfig::check`].
    pub fn new(
        config: &CaptureConfig,
        conditional: ConditionalHalf,
        wants: impl Fn(&str) -> bool + 'static,
        masks: CaptureMasks,
        steps: usize,
    ) -> Result<Self, RunnerError> {
        config.check(steps)?;
        Ok(Self {
            intervener: Intervener::new(&config.intervene),
            config: config.clone(),
            conditional,
            sample: 0,
            wants: Box::new(wants),
            masks,
            steps,
            group: None,
            order: Vec::new(),
            layers: BTreeMap::new(),
            pairs: BTreeMap::new(),
        })
    }

    /// The same for the sample of this number in its batch, from 0.
    #[must_use]
    pub fn of_sample(self, sample: usize) -> Self {
        Self { sample, ..self }
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
        let seen = self.order.iter().map(|name| {
            let references = &self.layers[name].references;
            let has_map = references.iter().any(|sums| sums.g2r.is_some());
            (name.as_str(), has_map)
        });
        self.config.check_specific(&seen.collect::<Vec<_>>())?;
        let mut steps = vec![0_u32; self.config.time_groups];
        for step in 0..self.steps {
            steps[self.group_of(step)] += 1;
        }
        let radii = self
            .config
            .locality
            .as_ref()
            .map_or(&[][..], |locality| &locality.radii);
        let records = |name: &String| self.layers[name].records(name, radii);
        Ok(AttentionRecord {
            layers: self.order.iter().flat_map(records).collect(),
            steps,
            latent_height: latent.0 as usize,
            latent_width: latent.1 as usize,
        })
    }

    /// Sums for a layer that is seen for the first time.
    fn start(&mut self, seen: &Observation<'_>, grid: (i64, i64)) -> LayerSums {
        let device = seen.key.device();
        let heads = seen.key.size()[1];
        let groups = self.config.time_groups as i64;
        let own = references(seen.keys);
        let one_only = matches!(own[..], [(_, segment)] if segment.count() == seen.key.size()[2]);
        let positions = grid.0 * grid.1;
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, device));
        let asking = seen.queries.iter();
        let asking = asking.filter(|s| matches!(s.role, Role::Text | Role::Padding));
        let readers: Vec<_> = asking.map(|s| (s.role, s.tokens.clone())).collect();
        let sums = own.iter().map(|&(reference, segment)| {
            let tokens = segment.count();
            let over_positions = || zeros(&[groups, 2, heads, positions]);
            let over_tokens = || zeros(&[groups, 2, heads, tokens]);
            let has_map = segment.places.grid().is_some();
            let mask = match segment.places {
                Places::Grid(_) => self.masks.reference.as_ref(),
                Places::Pooled | Places::Mixed { .. } => None,
            };
            let cells = match segment.places {
                Places::Grid(grid) => grid,
                Places::Pooled | Places::Mixed { .. } => (1, tokens),
            };
            let specific = has_map && self.keeps_specific(seen.layer);
            Sums {
                reference,
                source: source(segment),
                columns: segment.tokens.clone(),
                tokens: Weights::of(mask.filter(|_| reference == 0), cells, device),
                r2g: over_positions(),
                g2r: has_map.then(over_tokens),
                relative: (has_map && !one_only).then(over_tokens),
                share: (!one_only).then(over_positions),
                readers: zeros(&[groups, heads, readers.len() as i64]),
                carried: self
                    .config
                    .carried_sums
                    .then(|| [over_positions(), over_tokens(), over_positions()]),
                specific: specific.then(|| zeros(&[positions, tokens])),
                near: None,
                mix: match &segment.places {
                    Places::Mixed { weights, .. } => Some(self.conditional(weights)),
                    Places::Pooled | Places::Grid(_) => None,
                },
            }
        });
        let mut sums: Vec<Sums> = sums.collect();
        for (sums, (_, segment)) in sums.iter_mut().zip(&own) {
            if let Places::Grid(of_reference) = segment.places {
                sums.near = self.near_of([grid, of_reference], heads, device);
            }
        }
        let segments = seen.keys.iter();
        LayerSums {
            heads,
            grid,
            positions: Weights::of(self.masks.inpainting.as_ref(), grid, device),
            segments: segments.map(|s| (s.role, s.tokens.clone())).collect(),
            references: sums,
            shares: (!one_only).then(|| zeros(&[groups, heads, seen.keys.len() as i64])),
            readers,
            steps: 0,
        }
    }

    /// The sums near the matching place, if they are wanted.
    fn near_of(&mut self, grids: [(i64, i64); 2], heads: i64, device: Device) -> Option<LayerNear> {
        let radii = &self.config.locality.as_ref()?.radii;
        let grids = grids.map(|(height, width)| Grid {
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

    /// The sample's conditional row of a batch, f32.
    fn conditional(&self, x: &Tensor) -> Tensor {
        let first = self.conditional.row(x.size()[0]);
        x.select(0, first + self.sample as i64).to_kind(Kind::Float)
    }
}

/// What a record says of the tokens of a reference.
fn source(segment: &Segment) -> Source {
    let count = segment.count() as usize;
    let size = |grid: (i64, i64)| (grid.0 as usize, grid.1 as usize);
    match segment.places {
        Places::Pooled => Source::Tokens { count },
        Places::Grid(grid) => {
            let (height, width) = size(grid);
            Source::Spatial { height, width }
        }
        Places::Mixed { grid, .. } => {
            let (height, width) = size(grid);
            Source::Mixed {
                count,
                height,
                width,
            }
        }
    }
}

impl AttentionProbe for Recorder {
    fn observe(&mut self, seen: &Observation<'_>) {
        let (Some(group), Some((asking, grid))) = (self.group, seen.generated()) else {
            return;
        };
        if !seen.has_reference() || !(self.wants)(seen.layer) {
            return;
        }
        let _guard = tch::no_grad_guard();
        let (first, count) = (asking.tokens.start, asking.count());
        let queries = self.conditional(seen.query) * seen.scale;
        let query = queries.narrow(1, first, count);
        let key = self.conditional(seen.key);
        let carried = self
            .config
            .carried_sums
            .then(|| self.conditional(&(seen.carried)()));
        if !self.layers.contains_key(seen.layer) {
            self.order.push(seen.layer.to_owned());
            let layer = self.start(seen, grid);
            self.layers.insert(seen.layer.to_owned(), layer);
        }
        let plan = match &mut self.intervener {
            Some(intervener) => intervener.plan(seen, &self.masks),
            None => None,
        };
        let whole = |pairs: &Tensor| pairs.squeeze_dim(0);
        // The rows of the queries that are recorded.
        let own = |pairs: &Tensor| {
            let pairs = whole(pairs);
            match pairs.size()[1] {
                1 => pairs,
                _ => pairs.narrow(1, first, count),
            }
        };
        let changed = plan.is_some();
        let allowed = plan.and_then(|plan| plan.allowed.as_ref());
        let weakened = plan.and_then(|plan| plan.weakened.as_ref());
        let of_all = [allowed.map(whole), weakened.map(whole)];
        let (allowed, weakened) = (allowed.map(own), weakened.map(own));
        let log_sums = (!changed && large::is_large(count, seen.key.size()[2]))
            .then(|| (seen.log_sums)())
            .flatten()
            .map(|sums| self.conditional(&sums).narrow(1, first, count));
        let layer = self
            .layers
            .get_mut(seen.layer)
            .expect("it was just inserted");
        let seen = Seen {
            query: &query,
            key: &key,
            carried: carried.as_ref(),
            log_sums: log_sums.as_ref(),
            changed: Changed {
                allowed: allowed.as_ref(),
                weakened: weakened.as_ref(),
            },
            chunk_bytes: self.config.chunk_mib << 20,
        };
        layer.add(group as i64, &seen);
        let changed = Changed {
            allowed: of_all[0].as_ref(),
            weakened: of_all[1].as_ref(),
        };
        layer.add_readers(group as i64, &queries, &key, changed);
    }

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        let plan = self.intervener.as_mut()?.plan(seen, &self.masks)?;
        Some(Intervention {
            allowed: plan.allowed.as_ref().map(Tensor::shallow_clone),
            weakened: plan.weakened.as_ref().map(Tensor::shallow_clone),
            factors: plan.factors.as_ref().map(Tensor::shallow_clone),
            ..Intervention::default()
        })
    }
}

/// The probe of a pass without the reference that belongs to the same call as one with it: nothing is recorded, and the same is
/// changed.
pub struct Unrecorded<'a>(pub &'a mut dyn AttentionProbe);

impl AttentionProbe for Unrecorded<'_> {
    fn observe(&mut self, _seen: &Observation<'_>) {}

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        self.0.intervene_without(seen)
    }
}
