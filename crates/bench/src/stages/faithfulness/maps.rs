//! Maps over the cells of the reference: those of the record under the choices that matter, and baselines that know nothing of the model.

use i2am_attribution::{
    AttentionRecord, Averaging, Convention, Direction, LayerRecord, Level, Reading, attribution_map,
};
use i2am_datasets::Sample;
use i2am_faithfulness::{Baseline, BaselineInput};
use i2am_imaging::{Plane, gray_to_plane, torch_adaptive_average};

use super::answers::{Asked, Others};

/// Maps over cells, by the names that rows have.
pub(super) struct Claims(pub(super) Vec<(String, Plane)>);

impl Claims {
    /// Those of the record, then the baselines.
    pub(super) fn of(
        asked: &Asked<'_>,
        sample: &Sample,
        record: &AttentionRecord,
        others: &Others,
    ) -> Self {
        let mut found = asked.maps_of(record);
        let other = others.record.as_ref().and_then(|record| {
            let map = asked.maps_of(record).into_iter().next();
            Some(map?.1)
        });
        let mask = sample.reference_mask.as_ref();
        let mask = mask.and_then(|mask| gray_to_plane(mask).ok());
        let input = BaselineInput {
            grid: asked.settings.cells,
            seed: asked.seed(sample),
            other: other.as_ref(),
            mask: mask.as_ref(),
            reference: Some(&sample.reference),
            positions: None,
        };
        // An even map claims nothing that SaCo could weigh, and same places are for maps of single positions.
        let all = Baseline::ALL.iter();
        let all = all.filter(|b| !matches!(b, Baseline::Uniform | Baseline::SamePlace));
        let baselines = all.filter_map(|baseline| {
            let map = baseline.map(&input)?;
            Some((format!("baseline {}", baseline.name()), map))
        });
        found.extend(baselines);
        Self(found)
    }

    pub(super) fn values(&self) -> Vec<(String, Vec<f32>)> {
        let values = |(name, map): &(String, Plane)| (name.clone(), map.data().to_vec());
        self.0.iter().map(values).collect()
    }
}

/// Maps of `record` over `cells`.
pub(super) fn own_maps(
    base: &Convention,
    record: &AttentionRecord,
    [height, width]: [usize; 2],
) -> Vec<(String, Plane)> {
    let map = |(name, convention): (&str, Convention)| {
        let direction = Direction::GeneratedToReference;
        let map = attribution_map(record, &convention, direction, &Level::Unified).ok()?;
        let map = torch_adaptive_average(&map.plane, height, width);
        Some((name.to_owned(), map))
    };
    readings(base, record).into_iter().filter_map(map).collect()
}

/// The choices between a record and a map over the reference that may decide whether it is true, as far as `record` has the sums.
fn readings(base: &Convention, record: &AttentionRecord) -> Vec<(&'static str, Convention)> {
    let with = |averaged_over: Averaging, reading: Reading, carried: bool| {
        let mut convention = base.clone();
        convention.g2r.averaged_over = averaged_over;
        convention.g2r.reading = reading;
        convention.carried = carried;
        convention
    };
    let (inside, absolute) = (Averaging::Inside, Reading::Absolute);
    let mut found = vec![
        ("masked region", with(inside, absolute, false)),
        ("all positions", with(Averaging::All, absolute, false)),
    ];
    let any = |has: fn(&LayerRecord) -> bool| record.layers.iter().any(has);
    if any(|layer| layer.relative.is_some()) {
        found.push((
            "masked region, relative",
            with(inside, Reading::Relative, false),
        ));
    }
    if any(|layer| layer.carried.is_some()) {
        found.push(("masked region, carried", with(inside, absolute, true)));
    }
    found
}
