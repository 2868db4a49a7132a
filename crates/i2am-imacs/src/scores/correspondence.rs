//! Whether maps of single positions point at the place that each position comes from, where the data set knows it.

use i2am_attribution::{
    Direction, Grid, LayerRecord, Positions, layer_matches, matching_place, specific_map,
};
use i2am_imaging::{Correspondence, Plane};
use i2am_quantity::{Better, Bound, Level, Measurement, Outcome, Quantity, Role};
use serde::{Deserialize, Serialize};

use super::{Enabled, Recorded, ScoreInfo, ScoreInput, Scored, Settings};

/// Those of which positions a map exists.
const DIRECTION: Direction = Direction::GeneratedToReference;

/// The tables of the two scores.
const HITS: &str = "correspondence";
const DISTANCES: &str = "correspondence_distance";

/// A score, two controls, and the gain over the second.
struct Parts {
    value: Quantity,
    same: Quantity,
    shuffled: Quantity,
    gain: Quantity,
}

/// Share of positions whose map has its peak within a radius of the true place.
static HIT: Parts = Parts {
    value: quantity(
        "place_hit",
        "Hit rate",
        Better::Higher,
        HITS,
        Role::Value,
        1e-4,
    ),
    same: quantity(
        "place_hit_same",
        "Same place",
        Better::Neither,
        HITS,
        Role::Control,
        1e-4,
    ),
    shuffled: quantity(
        "place_hit_shuffled",
        "Shuffled",
        Better::Neither,
        HITS,
        Role::Control,
        1e-4,
    ),
    gain: quantity(
        "place_hit_gain",
        "Gain",
        Better::Higher,
        HITS,
        Role::Gain,
        5e-4,
    ),
};
/// Distance of the peak, or of the center of mass, from the true place, in cells.
static DISTANCE: Parts = Parts {
    value: quantity(
        "place_distance",
        "Distance",
        Better::Lower,
        DISTANCES,
        Role::Value,
        1e-3,
    ),
    same: quantity(
        "place_distance_same",
        "Same place",
        Better::Neither,
        DISTANCES,
        Role::Control,
        1e-3,
    ),
    shuffled: quantity(
        "place_distance_shuffled",
        "Shuffled",
        Better::Neither,
        DISTANCES,
        Role::Control,
        1e-3,
    ),
    gain: quantity(
        "place_distance_gain",
        "Gain",
        Better::Higher,
        DISTANCES,
        Role::Gain,
        5e-4,
    ),
};

const fn quantity(
    name: &'static str,
    title: &'static str,
    better: Better,
    table: &'static str,
    role: Role,
    tolerance: f64,
) -> Quantity {
    Quantity::new(name, title, better)
        .decimals(3)
        .tolerance(
            Bound::absolute(tolerance),
            Some(Bound::absolute(10.0 * tolerance)),
        )
        .part_of(table, role)
}

/// `[attribution.correspondence]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Score {
    /// Layers by name, where `*` stands for any text; empty for every layer whose position-by-position attention was kept.
    layers: Vec<String>,
    /// Distances in cells, the larger of those in rows and in columns, within which a peak counts as a hit; ascending.
    radii: Vec<usize>,
}

impl Default for Score {
    fn default() -> Self {
        Self {
            layers: Vec::new(),
            radii: vec![1, 2],
        }
    }
}

impl Settings for Score {
    const INFO: &'static ScoreInfo = &ScoreInfo {
        name: "correspondence",
        enabled: Enabled::ByTable,
        needs_objects: false,
        recorded: false,
        quantities: &[
            &HIT.value,
            &HIT.same,
            &HIT.shuffled,
            &HIT.gain,
            &DISTANCE.value,
            &DISTANCE.same,
            &DISTANCE.shuffled,
            &DISTANCE.gain,
        ],
        summary: "where the data set knows the true place of each position in the reference: how often and how closely maps of single positions \
                  point at it, with two controls",
    };

    fn check(&self) -> Result<(), String> {
        if self.radii.is_empty() || !self.radii.is_sorted_by(|a, b| a < b) {
            return Err(format!(
                "attribution.correspondence.radii: expected at least one radius, ascending, found {:?}",
                self.radii
            ));
        }
        Ok(())
    }

    fn record(&self, wanted: &mut Recorded) {
        if wanted.specific.is_empty() {
            wanted.specific.clone_from(&self.layers);
        }
    }

    fn check_recorded(&self, recorded: &Recorded) -> Result<(), String> {
        if recorded.specific.is_empty() {
            return Err(
                "attribution.correspondence: expected `layers` or `attribution.capture.specific`, by name or with `*`, found none"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Four rows for each level and radius, and for the distances of peak and center of mass. Levels are layers and their plain mean.
    fn score(&self, input: &ScoreInput<'_>) -> Scored {
        let layers: Vec<&LayerRecord> = input
            .record
            .layers
            .iter()
            .filter(|layer| self.has(layer))
            .collect();
        let unknown = || "the data set does not know from where in the reference a position comes";
        let found: Vec<(Level, Result<Found, &'static str>)> = layers
            .iter()
            .map(|layer| {
                let found = match input.correspondence {
                    Some(correspondence) => self.found(input, layer, correspondence),
                    None => Err(unknown()),
                };
                (Level::Layer(layer.name.clone()), found)
            })
            .collect();
        let known: Vec<&Found> = found
            .iter()
            .filter_map(|(_, found)| found.as_ref().ok())
            .collect();
        let unified = match (known.is_empty(), layers.is_empty()) {
            (false, _) => Ok(Found::mean(&known)),
            (true, true) => Err("the record has no position-by-position attention"),
            (true, false) => found[0].1.clone(),
        };
        let mut rows = self.rows(&Level::Unified, &unified);
        for (level, found) in &found {
            rows.extend(self.rows(level, found));
        }
        Scored::rows(rows)
    }
}

/// A value with what it has to be compared with.
#[derive(Debug, Clone, Copy, Default)]
struct Compared {
    value: f64,
    same: f64,
    shuffled: f64,
}

impl Compared {
    const fn each(self) -> [f64; 3] {
        [self.value, self.same, self.shuffled]
    }

    const fn of([value, same, shuffled]: [f64; 3]) -> Self {
        Self {
            value,
            same,
            shuffled,
        }
    }
}

/// What was found in one layer: of each radius the share of hits, and the mean distances of peak and center of mass.
#[derive(Debug, Clone)]
struct Found {
    hits: Vec<Compared>,
    peak: Compared,
    mass: Compared,
}

impl Found {
    /// The plain mean over layers.
    fn mean(layers: &[&Self]) -> Self {
        let mean = |of: &dyn Fn(&Self) -> Compared| {
            let mut sums = [0.0; 3];
            for layer in layers {
                for (sum, value) in sums.iter_mut().zip(of(layer).each()) {
                    *sum += value;
                }
            }
            Compared::of(sums.map(|sum| sum / layers.len() as f64))
        };
        Self {
            hits: (0..layers[0].hits.len())
                .map(|index| mean(&|layer| layer.hits[index]))
                .collect(),
            peak: mean(&|layer| layer.peak),
            mass: mean(&|layer| layer.mass),
        }
    }
}

/// Where the map of one position points, and where it should. Places are rows and columns of cells.
struct Pointing {
    truth: [usize; 2],
    same: [usize; 2],
    peak: [usize; 2],
    mass: [f64; 2],
}

impl Score {
    fn has(&self, layer: &LayerRecord) -> bool {
        let named = |pattern: &String| layer_matches(pattern, &layer.name);
        layer.specific.is_some()
            && layer.reference_grid().is_some()
            && (self.layers.is_empty() || self.layers.iter().any(named))
    }

    fn found(
        &self,
        input: &ScoreInput<'_>,
        layer: &LayerRecord,
        correspondence: &Correspondence,
    ) -> Result<Found, &'static str> {
        let pointings = pointings(input, layer, correspondence);
        if pointings.is_empty() {
            return Err("no position of the layer shows a place of the reference that is known");
        }
        let hit = |place: [f64; 2], truth: [f64; 2], radius: usize| {
            let offset = [0, 1].map(|axis| (place[axis] - truth[axis]).abs());
            f64::from(u8::from(offset[0].max(offset[1]) <= radius as f64))
        };
        let distance = |place: [f64; 2], truth: [f64; 2]| {
            let offset = [0, 1].map(|axis| (place[axis] - truth[axis]).powi(2));
            (offset[0] + offset[1]).sqrt()
        };
        let peak = |pointing: &Pointing| center(pointing.peak);
        Ok(Found {
            hits: self
                .radii
                .iter()
                .map(|&radius| compared(&pointings, peak, |a, b| hit(a, b, radius)))
                .collect(),
            peak: compared(&pointings, peak, distance),
            mass: compared(&pointings, |pointing| pointing.mass, distance),
        })
    }

    fn rows(&self, level: &Level, found: &Result<Found, &'static str>) -> Vec<Measurement> {
        let mut rows = Vec::new();
        let mut add = |parts: &'static Parts, convention: &str, outcomes: [Outcome; 4]| {
            let quantities = [&parts.value, &parts.same, &parts.shuffled, &parts.gain];
            rows.extend(
                quantities
                    .into_iter()
                    .zip(outcomes)
                    .map(|(quantity, outcome)| {
                        Measurement::of(quantity, outcome)
                            .on_map(DIRECTION, level.clone())
                            .under(convention)
                    }),
            );
        };
        for (index, radius) in self.radii.iter().enumerate() {
            // From the shuffled rate, 0, to 1.
            let gain = |hits: Compared| {
                let room = 1.0 - hits.shuffled;
                (room > 0.0).then(|| (hits.value - hits.shuffled) / room)
            };
            let of = found.as_ref().map(|found| found.hits[index]);
            add(&HIT, &format!("r={radius}"), outcomes(of, gain));
        }
        // From the shuffled distance, 0, to none at all, 1.
        let gain = |distance: Compared| {
            (distance.shuffled > 0.0).then(|| 1.0 - distance.value / distance.shuffled)
        };
        let peak = found.as_ref().map(|found| found.peak);
        add(&DISTANCE, "peak", outcomes(peak, gain));
        let mass = found.as_ref().map(|found| found.mass);
        add(&DISTANCE, "mass", outcomes(mass, gain));
        rows
    }
}

fn outcomes(
    found: Result<Compared, &&'static str>,
    gain: impl Fn(Compared) -> Option<f64>,
) -> [Outcome; 4] {
    match found {
        Ok(found) => {
            let gain = match gain(found) {
                Some(gain) => Outcome::of(gain),
                None => Outcome::empty("every place is the right one"),
            };
            let [value, same, shuffled] = found.each().map(Outcome::of);
            [value, same, shuffled, gain]
        }
        Err(reason) => [(); 4].map(|()| Outcome::empty(reason)),
    }
}

/// The mean of `score` of what `place` says of every position; the same of its own place; and the mean over all permutations of the
/// true places, which is the mean over all pairs of a position and a true place.
fn compared(
    pointings: &[Pointing],
    place: impl Fn(&Pointing) -> [f64; 2],
    score: impl Fn([f64; 2], [f64; 2]) -> f64,
) -> Compared {
    let count = pointings.len() as f64;
    let mut sums = [0.0; 3];
    for pointing in pointings {
        let (truth, place) = (center(pointing.truth), place(pointing));
        sums[0] += score(place, truth);
        sums[1] += score(center(pointing.same), truth);
        let others = pointings
            .iter()
            .map(|other| score(place, center(other.truth)));
        sums[2] += others.sum::<f64>() / count;
    }
    Compared::of(sums.map(|sum| sum / count))
}

fn center(cell: [usize; 2]) -> [f64; 2] {
    cell.map(|index| index as f64)
}

/// Of every position of `layer` whose true place is known and whose map is not empty, in row-major order.
fn pointings(
    input: &ScoreInput<'_>,
    layer: &LayerRecord,
    correspondence: &Correspondence,
) -> Vec<Pointing> {
    let Some(reference) = layer.reference_grid() else {
        return Vec::new();
    };
    let generated = layer.generated_grid();
    let [height, width] = correspondence.size();
    let pixels = Grid { height, width };
    let mut found = Vec::new();
    for index in 0..generated.len() {
        // A position comes from where the pixel at its center comes from.
        let [row, column] = matching_place(index, generated, pixels);
        let Some(place) = correspondence.place(row, column) else {
            continue;
        };
        let (row, column) = (index / generated.width, index % generated.width);
        let position = Positions::at(generated, row, column);
        let Ok(map) = specific_map(input.record, &layer.name, &position, DIRECTION) else {
            continue;
        };
        let Some((peak, mass)) = pointed(&map.plane) else {
            continue;
        };
        let cell =
            |fraction: f64, count: usize| ((fraction * count as f64) as usize).min(count - 1);
        found.push(Pointing {
            truth: [
                cell(place[0], reference.height),
                cell(place[1], reference.width),
            ],
            same: matching_place(index, generated, reference),
            peak,
            mass,
        });
    }
    found
}

/// The cell of the largest value, the first in row-major order if there are several, and the center of mass; none for an empty map.
fn pointed(map: &Plane) -> Option<([usize; 2], [f64; 2])> {
    let [height, _] = map.size();
    let (mut best, mut peak) = (0.0, [0, 0]);
    let (mut total, mut moment) = (0.0, [0.0; 2]);
    for row in 0..height {
        for (column, &value) in map.row(row).iter().enumerate() {
            let value = f64::from(value);
            if value > best {
                (best, peak) = (value, [row, column]);
            }
            total += value;
            moment[0] += value * row as f64;
            moment[1] += value * column as f64;
        }
    }
    (total > 0.0).then(|| (peak, moment.map(|sum| sum / total)))
}
