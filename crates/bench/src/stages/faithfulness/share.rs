//! Does the image change without the reference where a map over the image says that it reads it?

use i2am_attribution::{AttentionRecord, Convention, Direction, Level, Reading, attribution_map};
use i2am_faithfulness::{AGREEMENT, Baseline, BaselineInput, agreement};
use i2am_imaging::{Plane, torch_adaptive_average};
use i2am_quantity::Measurement;

use super::answers::About;
use super::rows::{Name, or_constant, row};
use super::scene::Scene;

/// How maps over the generated image, and baselines, agree with where a gray reference makes a difference, inside the masked region.
pub(super) fn rows(about: &About<'_>, scene: &Scene<'_>) -> Vec<Measurement> {
    let size = scene.weights.size();
    let Some(changed) = inside(scene, &scene.changed(&scene.without)) else {
        return Vec::new();
    };
    let convention = &about.asked.plan.config.convention;
    let mut maps: Vec<(String, Plane)> = Vec::new();
    for reading in [Reading::ColumnSoftmax, Reading::Share] {
        let own = map(about.record, convention, reading, size);
        maps.extend(own.map(|map| (reading.as_str().to_owned(), map)));
    }
    let other = about.others.record.as_ref();
    let other = other.and_then(|record| map(record, convention, Reading::ColumnSoftmax, size));
    let input = BaselineInput {
        grid: size,
        seed: about.asked.seed(about.sample),
        other: other.as_ref(),
        mask: None,
        reference: None,
        positions: None,
    };
    let baselines = [
        Baseline::RandomFirst,
        Baseline::Center,
        Baseline::OtherSample,
    ];
    maps.extend(baselines.into_iter().filter_map(|baseline| {
        let map = baseline.map(&input)?;
        Some((format!("baseline {}", baseline.name()), map))
    }));
    let name = Name::of("gray reference", scene);
    let of_map = |(map_name, map): &(String, Plane)| {
        let map = inside(scene, map.data())?;
        let outcome = or_constant(agreement(&map, &changed));
        let own = row(&AGREEMENT, outcome, name.map(map_name));
        Some(own.on_map(Direction::ReferenceToGenerated, Level::Unified))
    };
    maps.iter().filter_map(of_map).collect()
}

fn map(
    record: &AttentionRecord,
    convention: &Convention,
    reading: Reading,
    [height, width]: [usize; 2],
) -> Option<Plane> {
    let mut convention = convention.clone();
    convention.r2g.reading = reading;
    let direction = Direction::ReferenceToGenerated;
    let map = attribution_map(record, &convention, direction, &Level::Unified).ok()?;
    Some(torch_adaptive_average(&map.plane, height, width))
}

/// The values of the positions that belong to the masked region, as one row; none if there are none.
pub(super) fn inside(scene: &Scene<'_>, values: &[f32]) -> Option<Plane> {
    let chosen = values.iter().zip(scene.inside());
    let values: Vec<f32> = chosen
        .filter(|(_, inside)| *inside)
        .map(|(value, _)| *value)
        .collect();
    (!values.is_empty()).then(|| Plane::new(1, values.len(), values).ok())?
}
