//! Rules of an intervention at work: what they mean for one layer of one sample.

use std::collections::BTreeMap;

use i2am_nets::{AttentionLayer, Intervention, Observation, Places, Role, Segment};
use tch::{Device, Kind, Tensor};

use super::intervene::{Effect, InterveneConfig, Place, Positions, Region};
use super::{CaptureMasks, Layer, Weights};
use crate::RunnerError;

/// Answers layers as they run. An answer is made once per time group, layer and order of tokens: passes of one call may read texts of
/// different lengths.
pub(super) struct Intervener {
    config: InterveneConfig,
    group: usize,
    plans: BTreeMap<(String, Vec<i64>), Option<Intervention>>,
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
            let attention = AttentionLayer {
                name: seen.layer.to_owned(),
                heads: seen.query.size()[1],
            };
            if layers.iter().all(|known| known.attention != attention) {
                let is_map = |s: &Segment| {
                    matches!((s.role, &s.places), (Role::Reference(_), Places::Grid(_)))
                };
                let spatial = seen.keys.iter().any(is_map);
                layers.push(Layer { attention, spatial });
            }
        }
        let ends = [seen.queries, seen.keys].into_iter().flatten();
        let ends = ends.map(|segment| segment.tokens.end).collect();
        let place = (seen.layer.to_owned(), ends);
        if !self.plans.contains_key(&place) {
            let plan = match self.make(seen, masks) {
                Ok(plan) => plan,
                Err(problem) => {
                    self.problem.get_or_insert(problem);
                    None
                }
            };
            self.plans.insert(place.clone(), plan);
        }
        self.plans.get(&place).and_then(Option::as_ref)
    }

    fn make(
        &self,
        seen: &Observation<'_>,
        masks: &CaptureMasks,
    ) -> Result<Option<Intervention>, RunnerError> {
        let heads = seen.query.size()[1] as usize;
        let device = seen.query.device();
        let mut factors: Option<Vec<f64>> = None;
        let mut forbidden: Option<Tensor> = None;
        let mut weakened: Option<Tensor> = None;
        let all = self.config.places();
        for place in all.filter(|place| place.holds(seen.layer, self.group)) {
            let pairs = match place.pairs {
                None => None,
                Some((from, region)) => {
                    let pairs = pairs(seen, from, region, masks);
                    match pairs.map_err(|reason| place.refuse(reason))? {
                        Some(pairs) => Some(of_heads(&pairs, &place, heads)),
                        None => continue,
                    }
                }
            };
            match (place.effect, pairs) {
                (Effect::Scale(factor), _) => {
                    let own = factors.get_or_insert_with(|| vec![1.0; heads]);
                    let own = own.iter_mut().enumerate();
                    for (_, value) in own.filter(|(head, _)| place.has_head(*head)) {
                        *value *= factor;
                    }
                }
                (Effect::Forbid, Some(pairs)) => {
                    let all = match forbidden {
                        None => pairs,
                        Some(before) => before.logical_or(&pairs),
                    };
                    // A softmax over nothing is not a number.
                    if all.all_dim(-1, false).any().int64_value(&[]) != 0 {
                        let reason = format!(
                            "nothing is left to attend to for some positions of layer `{}`",
                            seen.layer
                        );
                        return Err(place.refuse(reason));
                    }
                    forbidden = Some(all);
                }
                (Effect::Weaken(factor), Some(pairs)) => {
                    let own = pairs.to_kind(Kind::Float) * (factor - 1.0) + 1.0;
                    weakened = Some(match weakened {
                        None => own,
                        Some(before) => before * own,
                    });
                }
                (_, None) => {}
            }
        }
        if factors.is_none() && forbidden.is_none() && weakened.is_none() {
            return Ok(None);
        }
        Ok(Some(Intervention {
            allowed: forbidden.map(|pairs| pairs.logical_not().unsqueeze(0).to_device(device)),
            weakened: weakened.map(|pairs| pairs.unsqueeze(0).to_device(device)),
            factors: factors.map(|factors| Tensor::from_slice(&factors).to_device(device)),
            ..Intervention::default()
        }))
    }
}

/// The pairs of a query and a key that a rule is about, `[queries, keys]`; `None` if the layer has none of them.
fn pairs(
    seen: &Observation<'_>,
    from: Positions,
    region: Region,
    masks: &CaptureMasks,
) -> Result<Option<Tensor>, String> {
    let rows = chosen(seen.queries, |segment| Ok(asking(segment, from, masks)))?;
    let columns = chosen(seen.keys, |segment| read(segment, region, masks))?;
    let both = rows.zip(columns);
    Ok(both.map(|(rows, columns)| rows.unsqueeze(1).logical_and(&columns.unsqueeze(0))))
}

/// Which tokens of all `segments` are chosen; `None` if no segment has any to choose from.
fn chosen(
    segments: &[Segment],
    of: impl Fn(&Segment) -> Result<Option<Tensor>, String>,
) -> Result<Option<Tensor>, String> {
    let parts: Vec<Option<Tensor>> = segments.iter().map(of).collect::<Result<_, _>>()?;
    if parts.iter().all(Option::is_none) {
        return Ok(None);
    }
    let parts = parts.into_iter().zip(segments);
    let whole = parts.map(|(part, segment)| part.unwrap_or_else(|| all(segment, false)));
    Ok(Some(Tensor::cat(&whole.collect::<Vec<_>>(), 0)))
}

/// `[1 or heads, queries, keys]`: `pairs` in the heads that the rule holds for.
fn of_heads(pairs: &Tensor, place: &Place<'_>, heads: usize) -> Tensor {
    let pairs = pairs.unsqueeze(0);
    let own: Vec<bool> = (0..heads).map(|head| place.has_head(head)).collect();
    if own.iter().all(|own| *own) {
        return pairs;
    }
    pairs.logical_and(&Tensor::from_slice(&own).view([-1, 1, 1]))
}

fn all(segment: &Segment, chosen: bool) -> Tensor {
    let options = (Kind::Bool, Device::Cpu);
    Tensor::full([segment.count()], i64::from(chosen), options)
}

/// Which queries of `segment` are meant.
fn asking(segment: &Segment, from: Positions, masks: &CaptureMasks) -> Option<Tensor> {
    match (from, segment.role) {
        (Positions::Masked, Role::Generated) => {
            let grid = segment.places.grid()?;
            Some(Weights::of(masks.inpainting.as_ref(), grid, Device::Cpu).inside())
        }
        (Positions::All, Role::Generated)
        | (Positions::Reference, Role::Reference(_))
        | (Positions::Source, Role::Source)
        | (Positions::Text, Role::Text | Role::Padding)
        | (Positions::Padding, Role::Padding) => Some(all(segment, true)),
        _ => None,
    }
}

/// Which keys of `segment` are meant.
fn read(segment: &Segment, region: Region, masks: &CaptureMasks) -> Result<Option<Tensor>, String> {
    match (region, segment.role) {
        (Region::Reference, Role::Reference(_))
        | (Region::Generated, Role::Generated)
        | (Region::Source, Role::Source)
        | (Region::Text, Role::Text | Role::Padding)
        | (Region::Padding, Role::Padding) => return Ok(Some(all(segment, true))),
        (
            Region::Reference | Region::Generated | Region::Source | Region::Text | Region::Padding,
            _,
        ) => return Ok(None),
        (_, Role::Reference(_)) => {}
        _ => return Ok(None),
    }
    let Places::Grid(grid) = segment.places else {
        return Ok(None);
    };
    let masked = || match &masks.reference {
        Some(mask) => Ok(Weights::of(Some(mask), grid, Device::Cpu).inside()),
        None => Err("no mask of the reference is known for this sample".to_owned()),
    };
    Ok(Some(match region {
        Region::InsideReferenceMask => masked()?,
        Region::OutsideReferenceMask => masked()?.logical_not(),
        Region::Box([top, left, bottom, right]) => {
            let center = |index: i64, count: i64| (index as f64 + 0.5) / count as f64;
            let inside = |index: i64| {
                let row = center(index / grid.1, grid.0);
                let column = center(index % grid.1, grid.1);
                (top..bottom).contains(&row) && (left..right).contains(&column)
            };
            let inside: Vec<bool> = (0..grid.0 * grid.1).map(inside).collect();
            Tensor::from_slice(&inside)
        }
        Region::Reference | Region::Generated | Region::Source | Region::Text | Region::Padding => {
            all(segment, true)
        }
    }))
}
