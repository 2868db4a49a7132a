//! Do maps change when the weights behind them are random, or the reference is another one? A map that stays as it was does not show what
//! the model has learned, or what it reads.

use anyhow::Result;
use i2am_attribution::{AttentionRecord, Convention, attribution_map};
use i2am_faithfulness::{
    LAYERS_EFFECT, LAYERS_SIMILARITY, LAYERS_SSIM, RANDOMIZED_EFFECT, RANDOMIZED_SIMILARITY,
    RANDOMIZED_SSIM, agreement,
};
use i2am_imaging::{Plane, RgbImage};
use i2am_metrics::ssim_of_planes;
use i2am_quantity::{Direction, Level, Measurement, Outcome, Quantity};
use i2am_runner::RunnerError;
use i2am_runner::families::Moment;

use super::answers::About;
use super::rows::{Name, or_constant, row};
use super::scene::Scene;

/// Names of weights that make queries and keys, in the spellings of all families.
const QUERIES_AND_KEYS: [&str; 4] = ["to_q.", "to_k.", "add_q_proj.", "add_k_proj."];
/// Why there is no structural similarity.
const NO_SSIM: &str = "the map is smaller than a window of 7 x 7 positions, or the same everywhere";
/// Why a pass has no map.
const NOT_FINITE: &str = "what the pass predicts is not finite";

/// Similarity of ranks, structural similarity, and the effect on what is predicted.
type Quantities = [&'static Quantity; 3];
const OF_ALL: Quantities = [&RANDOMIZED_SIMILARITY, &RANDOMIZED_SSIM, &RANDOMIZED_EFFECT];
const OF_LAYERS: Quantities = [&LAYERS_SIMILARITY, &LAYERS_SSIM, &LAYERS_EFFECT];

/// How alike maps are before and after, in single passes from the latent that the sample has at this step.
pub(super) fn rows(about: &About<'_>, scene: &mut Scene<'_>) -> Result<Vec<Measurement>> {
    let Moment::Step(step) = scene.moment else {
        return Ok(Vec::new());
    };
    let mut passes = Passes {
        convention: Convention {
            time_groups: about.record.groups(),
            ..about.asked.plan.config.convention.clone()
        },
        step,
        before: scene.record(step, None)?.0,
        scene,
        rows: Vec::new(),
    };
    let mut layers: Vec<String> = Vec::new();
    for layer in &passes.before.layers {
        if !layers.contains(&layer.name) {
            layers.push(layer.name.clone());
        }
    }
    let seed = about.asked.seed(about.sample);
    let random = || about.asked.weights.randomized(seed);
    let count = layers.len();
    let digits = count.to_string().len();
    let backward = layers.iter().rev().collect::<Vec<_>>();
    let forward = layers.iter().collect::<Vec<_>>();
    for (order, layers) in [("from the output", backward), ("from the input", forward)] {
        let mut random = random();
        for (index, layer) in layers.into_iter().enumerate() {
            random.add(|name| is_of(name, layer));
            let after = index + 1;
            passes.compare(&Change {
                what: &format!("{order}, {after:0digits$} of {count}"),
                changed: &Level::Layer(layer.clone()),
                map: &Level::Unified,
                quantities: OF_LAYERS,
                reference: None,
            })?;
        }
    }
    for layer in &layers {
        let mut random = random();
        random.add(|name| is_of(name, layer));
        let layer = Level::Layer(layer.clone());
        passes.compare(&Change {
            what: "one layer",
            changed: &layer,
            map: &layer,
            quantities: OF_LAYERS,
            reference: None,
        })?;
    }
    let mut all = |what, wanted: &dyn Fn(&str) -> bool, reference| {
        let mut random = random();
        random.add(wanted);
        passes.compare(&Change {
            what,
            changed: &Level::Unified,
            map: &Level::Unified,
            quantities: OF_ALL,
            reference,
        })
    };
    let is_read = |name: &str| layers.iter().any(|layer| is_of(name, layer));
    let is_asking = |name: &str| QUERIES_AND_KEYS.iter().any(|part| name.contains(part));
    all("attention layers", &is_read, None)?;
    all(
        "queries and keys",
        &|name| is_read(name) && is_asking(name),
        None,
    )?;
    all("whole network", &|_| true, None)?;
    if let Some(other) = &about.others.reference {
        all("other reference", &|_| false, Some(other))?;
    }
    Ok(passes.rows)
}

/// Whether the weight `name` belongs to `layer`.
fn is_of(name: &str, layer: &str) -> bool {
    let below = name.strip_prefix(layer);
    below.is_some_and(|below| below.starts_with('.'))
}

/// What is different in a pass, and what is compared.
struct Change<'a> {
    what: &'a str,
    /// What the rows of the change are about.
    changed: &'a Level,
    /// Which maps are compared.
    map: &'a Level,
    quantities: Quantities,
    reference: Option<&'a RgbImage>,
}

/// Passes at one step, compared with the one in which nothing is different.
struct Passes<'a, 's> {
    scene: &'a mut Scene<'s>,
    step: usize,
    convention: Convention,
    before: AttentionRecord,
    rows: Vec<Measurement>,
}

impl Passes<'_, '_> {
    /// Adds the rows of a pass with the weights as they are now.
    fn compare(&mut self, change: &Change<'_>) -> Result<()> {
        let name = Name::of(change.what, self.scene);
        let [ranks, structure, effect] = change.quantities;
        let (after, latent) = match self.scene.record(self.step, change.reference) {
            Ok(found) => found,
            Err(error) => match error.downcast_ref() {
                Some(RunnerError::NotFinite { .. }) => {
                    let empty = row(ranks, Outcome::empty(NOT_FINITE), name.alone());
                    self.rows.push(empty);
                    return Ok(());
                }
                _ => return Err(error),
            },
        };
        let moved = self.scene.effects_of(&[latent])?[0];
        for direction in Direction::ALL {
            let map = |record: &AttentionRecord| {
                let map = attribution_map(record, &self.convention, direction, change.map);
                map.ok().map(|map| map.plane)
            };
            let (Some(before), Some(after)) = (map(&self.before), map(&after)) else {
                continue;
            };
            let ssim = structural(&before, &after);
            let ssim = ssim.map_or_else(|| Outcome::empty(NO_SSIM), Outcome::of);
            let found = [
                (ranks, or_constant(agreement(&before, &after))),
                (structure, ssim),
                (effect, Outcome::of(moved)),
            ];
            self.rows.extend(found.map(|(quantity, outcome)| {
                let own = row(quantity, outcome, name.map(direction.as_str()));
                own.on_map(direction, change.changed.clone())
            }));
        }
        Ok(())
    }
}

/// The structural similarity of two maps, each stretched from 0 to 255; none if either is the same everywhere or too small.
fn structural(before: &Plane, after: &Plane) -> Option<f64> {
    let stretched = |map: &Plane| -> Option<Vec<f64>> {
        let (low, high) = (f64::from(map.min()), f64::from(map.max()));
        let level = |value: &f32| 255.0 * (f64::from(*value) - low) / (high - low);
        (high > low).then(|| map.data().iter().map(level).collect())
    };
    ssim_of_planes(&stretched(before)?, &stretched(after)?, before.size())
}
