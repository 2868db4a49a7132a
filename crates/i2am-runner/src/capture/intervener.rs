//! Rules of an intervention at work: what they mean for one layer of one sample.

use std::collections::BTreeMap;

use i2am_nets::{CrossAttention, Intervention, Observation};
use tch::{Device, Kind, Tensor};

use super::intervene::{InterveneConfig, Place, Positions, Region};
use super::{CaptureMasks, Layer, Weights};
use crate::RunnerError;

/// Answers layers as they run. An answer is made once per time group and layer.
pub(super) struct Intervener {
    config: InterveneConfig,
    group: usize,
    plans: BTreeMap<String, Option<Intervention>>,
    /// The layers of the first pass, until they have been compared with the rules.
    seen: Option<Vec<Layer>>,
    passes: usize,
    problem: Option<RunnerError>,
}

impl Intervener {
    /// None if there is nothing to change, so that every layer does what it always does.
    pub(super) fn new(config: &InterveneConfig) -> Option<Self> {
        (!config.is_empty()).then(|| Self {
            config: config.clone(),
            group: 0,
            plans: BTreeMap::new(),
            seen: Some(Vec::new()),
            passes: 0,
            problem: None,
        })
    }

    /// A new pass, in time group `group`.
    ///
    /// # Errors
    /// A rule that cannot work, once the first pass has shown it.
    pub(super) fn begin(&mut self, group: usize) -> Result<(), RunnerError> {
        if self.passes > 0 {
            self.check()?;
        }
        self.passes += 1;
        if self.group != group {
            self.group = group;
            self.plans.clear();
        }
        Ok(())
    }

    /// # Errors
    /// A rule that cannot work: a layer or head that no pass has shown, nothing left to attend to.
    pub(super) fn check(&mut self) -> Result<(), RunnerError> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        match self.seen.take() {
            Some(layers) => self.config.check_layers(&layers),
            None => Ok(()),
        }
    }

    /// The answer to `seen`.
    pub(super) fn plan(
        &mut self,
        seen: &Observation<'_>,
        masks: &CaptureMasks,
    ) -> Option<&Intervention> {
        if let Some(layers) = &mut self.seen {
            let attention = CrossAttention {
                name: seen.layer.to_owned(),
                heads: seen.query.size()[1],
            };
            if layers.iter().all(|known| known.attention != attention) {
                let spatial = seen.key_grid.is_some();
                layers.push(Layer { attention, spatial });
            }
        }
        if !self.plans.contains_key(seen.layer) {
            let plan = match self.make(seen, masks) {
                Ok(plan) => plan,
                Err(problem) => {
                    self.problem.get_or_insert(problem);
                    None
                }
            };
            self.plans.insert(seen.layer.to_owned(), plan);
        }
        self.plans.get(seen.layer).and_then(Option::as_ref)
    }

    fn make(
        &self,
        seen: &Observation<'_>,
        masks: &CaptureMasks,
    ) -> Result<Option<Intervention>, RunnerError> {
        let heads = seen.query.size()[1] as usize;
        let mut places = self.config.places();
        let scale: Vec<Place<'_>> = places.by_ref().take(self.config.scale.len()).collect();
        let mut factors = vec![1.0_f64; heads];
        let mut scaled = false;
        for (place, rule) in scale.iter().zip(&self.config.scale) {
            if place.holds(seen.layer, self.group) {
                scaled = true;
                let own = factors.iter_mut().enumerate();
                for (_, factor) in own.filter(|(head, _)| place.has_head(*head)) {
                    *factor *= rule.factor;
                }
            }
        }
        let mut forbidden: Option<Tensor> = None;
        for (place, rule) in places.zip(&self.config.forbid) {
            let Some(grid) = seen
                .key_grid
                .filter(|_| place.holds(seen.layer, self.group))
            else {
                continue;
            };
            let tokens = tokens(rule.region, grid, masks).map_err(|reason| place.refuse(reason))?;
            let positions = match rule.from {
                Positions::Masked => {
                    Weights::of(masks.inpainting.as_ref(), seen.grid, Device::Cpu).inside()
                }
                Positions::All => {
                    Tensor::ones([seen.grid.0 * seen.grid.1], (Kind::Bool, Device::Cpu))
                }
            };
            // [1 or heads, positions, tokens]
            let mut pairs = positions
                .unsqueeze(1)
                .logical_and(&tokens.unsqueeze(0))
                .unsqueeze(0);
            if (0..heads).any(|head| !place.has_head(head)) {
                let own: Vec<bool> = (0..heads).map(|head| place.has_head(head)).collect();
                pairs = pairs.logical_and(&Tensor::from_slice(&own).view([-1, 1, 1]));
            }
            let all = match forbidden {
                None => pairs,
                Some(before) => before.logical_or(&pairs),
            };
            // A softmax over nothing is not a number.
            if all.all_dim(-1, false).any().int64_value(&[]) != 0 {
                let reason = format!(
                    "nothing of the reference is left for some positions of layer `{}`",
                    seen.layer
                );
                return Err(place.refuse(reason));
            }
            forbidden = Some(all);
        }
        if !scaled && forbidden.is_none() {
            return Ok(None);
        }
        let device = seen.query.device();
        Ok(Some(Intervention {
            allowed: forbidden.map(|pairs| pairs.logical_not().unsqueeze(0).to_device(device)),
            factors: scaled.then(|| Tensor::from_slice(&factors).to_device(device)),
        }))
    }
}

/// The tokens of `region` on `grid`, boolean.
fn tokens(region: Region, grid: (i64, i64), masks: &CaptureMasks) -> Result<Tensor, String> {
    let masked = || match &masks.reference {
        Some(mask) => Ok(Weights::of(Some(mask), grid, Device::Cpu).inside()),
        None => Err("no mask of the reference is known for this sample".to_owned()),
    };
    match region {
        Region::InsideReferenceMask => masked(),
        Region::OutsideReferenceMask => Ok(masked()?.logical_not()),
        Region::Box([top, left, bottom, right]) => {
            let center = |index: i64, count: i64| (index as f64 + 0.5) / count as f64;
            let inside = |index: i64| {
                let row = center(index / grid.1, grid.0);
                let column = center(index % grid.1, grid.1);
                (top..bottom).contains(&row) && (left..right).contains(&column)
            };
            let inside: Vec<bool> = (0..grid.0 * grid.1).map(inside).collect();
            Ok(Tensor::from_slice(&inside))
        }
    }
}
