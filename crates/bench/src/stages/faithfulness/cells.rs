//! Do cells matter as much as a map claims?

use i2am_faithfulness::{
    Correlation, POINTING, RANK_CORRELATION, RELEVANCE_MASS, RELEVANCE_RANK, SACO, SHARE, pointing,
    relevance_mass, relevance_rank, saco,
};
use i2am_imaging::Plane;
use i2am_quantity::{Measurement, Outcome};

use super::answers::About;
use super::rows::{Name, or_constant, row};
use super::scene::Scene;
use crate::config::Operator;

/// Scores of every map and baseline against the `effects` of single cells.
pub(super) fn rows(
    about: &About<'_>,
    scene: &Scene<'_>,
    operator: Operator,
    effects: &[f32],
) -> Vec<Measurement> {
    let name = Name::of(operator.as_str(), scene);
    let single: Vec<f64> = effects.iter().map(|&effect| f64::from(effect)).collect();
    let truth = |map: &Plane| Plane::new(map.height(), map.width(), effects.to_vec()).ok();
    let of_map = |(map_name, map): &(String, Plane)| {
        let claims: Vec<f64> = map.data().iter().map(|&v| f64::from(v)).collect();
        let correlation = Correlation::of(&claims, &single);
        let truth = truth(map);
        let located = |score: fn(&Plane, &Plane, f64) -> Option<i2am_faithfulness::Located>| {
            Some(score(map, truth.as_ref()?, SHARE)?.value)
        };
        [
            (&SACO, saco(&claims, &single)),
            (&RANK_CORRELATION, correlation.map(|found| found.spearman)),
            (&POINTING, located(pointing)),
            (&RELEVANCE_MASS, located(relevance_mass)),
            (&RELEVANCE_RANK, located(relevance_rank)),
        ]
        .map(|(quantity, value)| row(quantity, or_constant(value), name.map(map_name)))
    };
    about.claims.0.iter().flat_map(of_map).collect()
}

/// The rows where cells cannot be compared, for a `reason`.
pub(super) fn none(
    about: &About<'_>,
    scene: &Scene<'_>,
    operator: Operator,
    reason: &str,
) -> Vec<Measurement> {
    let name = Name::of(operator.as_str(), scene);
    let of_map = |(map, _): &(String, Plane)| row(&SACO, Outcome::empty(reason), name.map(map));
    about.claims.0.iter().map(of_map).collect()
}
