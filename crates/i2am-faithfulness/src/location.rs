//! Does a map lie where the truth lies? Scores of a map against a counterfactual map of the same size.
//!
//! The truth is at each place how far the output changes when that place is taken away, or the other way round. Its region `S` is the
//! share of places with the largest values, of a fixed area, so that what a map without knowledge reaches is known.

use i2am_imaging::Plane;
use i2am_stats::spearman;

/// The default share of places that make up `S`.
pub const SHARE: f64 = 0.05;

/// A score with what a map that knows nothing would have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Located {
    /// The score, 0 to 1, higher is better.
    pub value: f64,
    /// What is expected of a uniform map or one in random order: the share of places that are in `S`.
    pub expected: f64,
}

/// Pointing game: whether the largest value of `map` lies in `S`, the places with the top `share` of `truth`.
///
/// 1 if so, 0 if not. Where several places share the largest value, or several the last place in `S`, the chance that it lies in `S` if
/// they are chosen at random.
///
/// # Shapes
/// `map` and `truth` are of one size; `S` has `share` of their number of places, rounded, at least one.
/// # Units and range
/// None, 0 to 1, higher is better; the mean over samples is hits / (hits + misses).
///
/// `None` if `truth` has one value only, so that there is no `S`, or if a value of either is not finite.
/// # Panics
/// If the sizes differ, or `share` is not above 0 and at most 1.
/// # Source
/// Zhang et al. 2018, with a region of known area in place of an object; checked against NumPy (fixture `faithfulness`).
pub fn pointing(map: &Plane, truth: &Plane, share: f64) -> Option<Located> {
    let region = Region::of(map, truth, share)?;
    let largest = map.max();
    let hits: Vec<f64> = map
        .data()
        .iter()
        .zip(&region.inside)
        .filter(|&(&value, _)| value >= largest)
        .map(|(_, &inside)| inside)
        .collect();
    Some(region.located(hits.iter().sum::<f64>() / hits.len() as f64))
}

/// Relevance mass accuracy: the part of the sum of `map` that lies in `S`, the places with the top `share` of `truth`.
///
/// # Shapes
/// As [`pointing`].
/// # Units and range
/// None, 0 to 1, higher is better. A factor on `map` changes nothing; a constant added to it does.
///
/// `None` as [`pointing`], and if `map` has a value below 0 or none above.
/// # Panics
/// As [`pointing`].
/// # Source
/// Arras et al. 2022 (CLEVR-XAI); checked against NumPy (fixture `faithfulness`).
pub fn relevance_mass(map: &Plane, truth: &Plane, share: f64) -> Option<Located> {
    let region = Region::of(map, truth, share)?;
    let total = map.sum();
    if map.min() < 0.0 || total <= 0.0 {
        return None;
    }
    let values = map.data().iter().map(|&value| f64::from(value));
    let inside: f64 = values
        .zip(&region.inside)
        .map(|(value, &inside)| value * inside)
        .sum();
    Some(region.located(inside / total))
}

/// Relevance rank accuracy: the part of the places with the top `share` of `map` that lie in `S`, those with the top `share` of `truth`.
///
/// Where places tie for the last place, the part that is expected if they are chosen at random.
///
/// # Shapes
/// As [`pointing`].
/// # Units and range
/// None, 0 to 1, higher is better. Only the order of the values counts.
///
/// `None` as [`pointing`].
/// # Panics
/// As [`pointing`].
/// # Source
/// Arras et al. 2022 (CLEVR-XAI); checked against NumPy (fixture `faithfulness`).
pub fn relevance_rank(map: &Plane, truth: &Plane, share: f64) -> Option<Located> {
    let region = Region::of(map, truth, share)?;
    let chosen = top(map.data(), region.size);
    let both: f64 = chosen.iter().zip(&region.inside).map(|(a, b)| a * b).sum();
    Some(region.located(both / region.size as f64))
}

/// Spearman's correlation of `map` and `truth` over the places.
///
/// # Units and range
/// None, -1 to 1, higher is better; 0 is expected of a map that knows nothing.
///
/// `None` if either has one value only, fewer than two places, or a value that is not finite.
/// # Panics
/// If the sizes differ.
/// # Source
/// Checked against scipy.stats.spearmanr (fixture `faithfulness`).
pub fn agreement(map: &Plane, truth: &Plane) -> Option<f64> {
    check_sizes(map, truth);
    let [map, truth] = [map, truth].map(|plane| {
        plane
            .data()
            .iter()
            .copied()
            .map(f64::from)
            .collect::<Vec<_>>()
    });
    spearman(&map, &truth).ok()
}

/// The [`agreement`] of position-to-position maps: its mean over the positions, weighted by how much the truth of each adds up to.
///
/// From the reference to the generated picture, `maps[r]` is where reference position `r` is used and `truths[r]` where the output
/// changes without it. For the way back, from a generated position to the reference, see [`transposed`].
///
/// # Shapes
/// One map and one truth for each position, each pair of one size.
/// # Units and range
/// As [`agreement`]. Positions without an agreement, or whose truth adds up to nothing, do not count; `None` if that is all of them.
/// # Panics
/// If there are not as many truths as maps, or the sizes of a pair differ.
/// # Source
/// Checked against scipy (fixture `faithfulness`).
pub fn weighted_agreement(maps: &[Plane], truths: &[Plane]) -> Option<f64> {
    assert_eq!(
        maps.len(),
        truths.len(),
        "a truth for every map is expected"
    );
    let (mut sum, mut total) = (0.0, 0.0);
    for (map, truth) in maps.iter().zip(truths) {
        let weight = truth.sum();
        if let Some(value) = agreement(map, truth)
            && weight > 0.0
        {
            sum += weight * value;
            total += weight;
        }
    }
    (total > 0.0).then(|| sum / total)
}

/// Position-to-position maps seen from the other side: of maps over `g` for each `r`, the maps over `r` for each `g`.
///
/// # Shapes
/// `maps`: one for each position of `grid` (height and width), row by row, all of one size. The answer: one map of the size of `grid` for
/// each position of the given maps.
/// # Panics
/// If `maps` is not one for each position of `grid`, at least one, or their sizes differ.
pub fn transposed(maps: &[Plane], grid: [usize; 2]) -> Vec<Plane> {
    let [height, width] = grid;
    assert!(
        maps.len() == height * width && !maps.is_empty(),
        "a map for every position of {height} x {width}: found {}",
        maps.len()
    );
    for map in maps {
        check_sizes(&maps[0], map);
    }
    (0..maps[0].data().len())
        .map(|place| Plane::from_fn(height, width, |r, c| maps[r * width + c].data()[place]))
        .collect()
}

/// `S`: the places with the largest truth.
struct Region {
    /// Places in `S`.
    size: usize,
    /// Chance that each place is in `S`: 0 or 1 but where places tie for the last one.
    inside: Vec<f64>,
}

impl Region {
    fn of(map: &Plane, truth: &Plane, share: f64) -> Option<Self> {
        check_sizes(map, truth);
        check_share(share);
        let values = [map, truth].into_iter().flat_map(Plane::data);
        let known = values.copied().all(f32::is_finite) && truth.min() < truth.max();
        known.then(|| {
            let size = places(truth.data().len(), share);
            Self {
                size,
                inside: top(truth.data(), size),
            }
        })
    }

    fn located(&self, value: f64) -> Located {
        Located {
            value,
            expected: self.size as f64 / self.inside.len() as f64,
        }
    }
}

/// The chance of each of `values` to be among the largest, `share` of their number, with ties broken at random: 0 or 1 but where values
/// tie for the last place.
///
/// # Panics
/// If there are no values, or `share` is not above 0 and at most 1.
pub fn largest(values: &[f32], share: f64) -> Vec<f64> {
    check_share(share);
    top(values, places(values.len(), share))
}

/// `share` of `count` places, rounded, at least one.
fn places(count: usize, share: f64) -> usize {
    ((count as f64 * share).round() as usize).max(1)
}

/// The chance of each value to be among the `size` largest, with ties broken at random.
fn top(values: &[f32], size: usize) -> Vec<f64> {
    let mut sorted: Vec<f32> = values.iter().map(|value| value + 0.0).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let last = sorted[size - 1];
    let above = values.iter().filter(|&&value| value > last).count();
    let below = values.iter().filter(|&&value| value < last).count();
    let tied = values.len() - above - below;
    let chance = (size - above) as f64 / tied as f64;
    let of = |&value: &f32| match () {
        () if value > last => 1.0,
        () if value < last => 0.0,
        () => chance,
    };
    values.iter().map(of).collect()
}

#[track_caller]
fn check_share(share: f64) {
    assert!(
        share > 0.0 && share <= 1.0,
        "a share above 0 and at most 1: found {share}"
    );
}

#[track_caller]
fn check_sizes(one: &Plane, other: &Plane) {
    assert_eq!(
        one.size(),
        other.size(),
        "two maps of one size are expected"
    );
}

#[cfg(test)]
mod tests;
