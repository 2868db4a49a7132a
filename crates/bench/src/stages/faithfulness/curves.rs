//! What is left of the image while groups of cells are taken away one after the other, in the order of a map?

use anyhow::Result;
use i2am_faithfulness::{CURVE_AREA, Curve, Order, between, groups, removals};
use i2am_imaging::Plane;
use i2am_quantity::Measurement;

use super::answers::About;
use super::removal::Removal;
use super::rows::{Name, or_constant, row};
use super::scene::Scene;

/// The area between the curves of least and of most relevant first, of every map and baseline; and the curves, `[maps, 2, groups + 1]`.
pub(super) fn rows(
    about: &About<'_>,
    scene: &mut Scene<'_>,
    removal: &mut Removal<'_>,
) -> Result<(Vec<Measurement>, Vec<f32>)> {
    let settings = about.asked.settings;
    let seed = about.asked.seed(about.sample);
    let name = Name::of(removal.operator.as_str(), scene);
    let of_map = |(_, map): &(String, Plane)| {
        let groups = groups(map, settings.curve_groups, seed);
        [Order::LeastFirst, Order::MostFirst].map(|order| removals(&groups, order))
    };
    let sets: Vec<[Vec<Vec<usize>>; 2]> = about.claims.0.iter().map(of_map).collect();
    // All at once, so that batches are full.
    removal.kept(
        scene,
        &sets.iter().flatten().flatten().cloned().collect::<Vec<_>>(),
    )?;
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for ((map, _), sets) in about.claims.0.iter().zip(&sets) {
        let mut curve = |sets: &[Vec<usize>]| -> Result<Option<Curve>> {
            let values = removal.kept(scene, sets)?;
            all.extend(values.iter().map(|&value| value as f32));
            Ok(Curve::new(values))
        };
        let (least, most) = (curve(&sets[0])?, curve(&sets[1])?);
        let area = least.zip(most).map(|(least, most)| between(&least, &most));
        rows.push(row(&CURVE_AREA, or_constant(area), name.map(map)));
    }
    Ok((rows, all))
}
