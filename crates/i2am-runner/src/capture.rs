//! Reduces attention while sampling: from the pass's own queries and keys to an [`AttentionRecord`].

mod both;
mod config;
mod intervene;
mod intervener;
mod maps;
mod near;
mod sums;

use std::collections::BTreeMap;
use std::rc::Rc;

use i2am_attribution::{AttentionRecord, Grid, Source, layer_matches};
use i2am_nets::{AttentionProbe, Intervention, Observation};
use tch::{Device, Kind, Tensor};

pub use both::{Both, both_directions};
pub use config::{CaptureConfig, Layer};
pub use intervene::{ForbidRule, InterveneConfig, Positions, Region, ScaleRule};
pub use maps::{Weights, generated_to_reference, reference_to_generated};

use crate::RunnerError;
use crate::samplers::Call;
use intervener::Intervener;
use near::{LayerNear, LayerPairs};
use sums::Sums;

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
    /// The masked region.
    pub inpainting: Option<Tensor>,
    /// The garment or object in the reference picture.
    pub reference: Option<Tensor>,
}

/// A probe that builds the record of one sample, and changes the attention where rules say so.
pub struct Recorder {
    config: CaptureConfig,
    conditional: ConditionalHalf,
    wants: fn(&str) -> bool,
    masks: CaptureMasks,
    steps: usize,
    /// The time group being summed; `None` while a call is not a step of its own.
    group: Option<usize>,
    order: Vec<String>,
    layers: BTreeMap<String, Sums>,
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
        wants: fn(&str) -> bool,
        masks: CaptureMasks,
        steps: usize,
    ) -> Result<Self, RunnerError> {
        config.check(steps)?;
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
            let spatial = matches!(self.layers[name].source, Source::Spatial { .. });
            (name.as_str(), spatial)
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
        let record = |name: &String| self.layers[name].record(name, radii);
        Ok(AttentionRecord {
            layers: self.order.iter().map(record).collect(),
            steps,
            latent_height: latent.0 as usize,
            latent_width: latent.1 as usize,
        })
    }

    fn start(&mut self, seen: &Observation<'_>, key: &Tensor) -> Sums {
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
        Sums {
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

/// The probe of a pass without the reference that belongs to the same call as one with it: nothing is recorded, and the same is
/// changed.
pub struct Unrecorded<'a, P>(pub &'a mut P);

impl<P: AttentionProbe> AttentionProbe for Unrecorded<'_, P> {
    fn observe(&mut self, _seen: &Observation<'_>) {}

    fn intervene(&mut self, seen: &Observation<'_>) -> Option<Intervention> {
        self.0.intervene(seen)
    }
}
