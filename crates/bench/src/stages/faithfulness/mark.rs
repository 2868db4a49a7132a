//! A mark is planted in the reference. Do maps lead from the place where the image changes to the mark, and from the mark to that place?

use anyhow::Result;
use i2am_attribution::{Grid, LayerRecord};
use i2am_faithfulness::{
    Baseline, BaselineInput, Located, MARK_EFFECT, MARK_MASS, MARK_POINTING, Mark, SHARE, largest,
    pointing, relevance_mass,
};
use i2am_imaging::{Plane, RgbImage, gray_to_plane};
use i2am_quantity::{Direction, Level, Measurement, Outcome};
use i2am_runner::families::{PairMaps, Question};

use super::answers::About;
use super::counterfactual::{Pairs, by_cell, watched};
use super::rows::{Name, or_constant, row};
use super::scene::Scene;
use super::share::inside;

/// Why there is no map between a mark and positions.
const NO_MAP: &str = "no layer has attention between places of the reference and of the image, or [intervene] changes it";
/// Why nothing can be compared.
const NO_CHANGE: &str = "marks change nothing in the masked region";

/// What maps are compared with.
const BASELINES: [Baseline; 6] = [
    Baseline::Uniform,
    Baseline::RandomFirst,
    Baseline::Center,
    Baseline::ReferenceMask,
    Baseline::Edges,
    Baseline::SamePlace,
];

/// Scores of one map, or baseline, in one direction.
struct Scored {
    direction: Direction,
    map: String,
    pointing: Option<f64>,
    mass: Option<f64>,
}

/// A marked pass.
struct Marked<'a> {
    mark: &'a Mark,
    image: &'a RgbImage,
    /// By position of the masked region, how far what is predicted moves.
    changed: Plane,
    pairs: Pairs,
}

/// Scores of maps and baselines, mean over marks.
pub(super) fn rows(about: &About<'_>, scene: &mut Scene<'_>) -> Result<Vec<Measurement>> {
    let name = Name::of("planted mark", scene);
    let none = |reason| vec![row(&MARK_POINTING, Outcome::empty(reason), name.alone())];
    let layers = watched(about);
    let Some(grid) = coarsest(about).filter(|_| !layers.is_empty()) else {
        return Ok(none(NO_MAP));
    };
    let sample = about.sample;
    let marks = Mark::places(
        &sample.reference,
        sample.reference_mask.as_ref(),
        about.asked.seed(sample),
        about.asked.settings.marks,
    );
    let images: Vec<RgbImage> = marks.iter().map(|m| m.planted(&sample.reference)).collect();
    let mut probes: Vec<PairMaps> = (0..=marks.len())
        .map(|_| PairMaps::new(grid, layers.clone(), scene.conditional()))
        .collect();
    let (unmarked, with_mark) = probes.split_first_mut().expect("one more than marks");
    let mut questions = vec![Question::Probed(unmarked)];
    let marked = images.iter().zip(with_mark);
    questions.extend(marked.map(|(image, probe)| Question::ReadingProbed(image, probe)));
    let mut latents = scene.ask(&mut questions)?;
    let latents = latents.split_off(1);
    let effects = scene.effects_of(&latents)?;
    let Some(unmarked) = Pairs::of(&probes[0], scene)? else {
        return Ok(none(NO_MAP));
    };
    let mut found: Vec<Vec<Scored>> = Vec::new();
    for (((mark, image), latent), probe) in
        marks.iter().zip(&images).zip(&latents).zip(&probes[1..])
    {
        let changed = inside(scene, &scene.changed(latent));
        let changed = changed.filter(|changed| changed.min() < changed.max());
        if let (Some(changed), Some(pairs)) = (changed, Pairs::of(probe, scene)?) {
            let marked = Marked {
                mark,
                image,
                changed,
                pairs,
            };
            found.push(marked.scores(about, scene, grid, &unmarked));
        }
    }
    let Some(first) = found.first() else {
        return Ok(none(NO_CHANGE));
    };
    let mut rows = vec![row(&MARK_EFFECT, or_constant(mean(effects)), name.alone())];
    for (index, own) in first.iter().enumerate() {
        let over_marks = |of: fn(&Scored) -> Option<f64>| {
            or_constant(mean(found.iter().filter_map(|scores| of(&scores[index]))))
        };
        let variant = name.map(&format!("{}, {}", own.direction, own.map));
        rows.extend(
            [
                (&MARK_POINTING, over_marks(|scored| scored.pointing)),
                (&MARK_MASS, over_marks(|scored| scored.mass)),
            ]
            .map(|(quantity, outcome)| {
                row(quantity, outcome, variant.clone()).on_map(own.direction, Level::Unified)
            }),
        );
    }
    Ok(rows)
}

/// The smallest grid that a layer has over the reference: cells of a finer one would have no token in other layers.
fn coarsest(about: &About<'_>) -> Option<Grid> {
    let grids = about
        .record
        .layers
        .iter()
        .filter_map(LayerRecord::reference_grid);
    grids.min_by_key(|grid| grid.height * grid.width)
}

fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0.0);
    for value in values {
        sum += value;
        count += 1.0;
    }
    (count > 0.0).then(|| sum / count)
}

impl Marked<'_> {
    fn scores(
        &self,
        about: &About<'_>,
        scene: &Scene<'_>,
        grid: Grid,
        unmarked: &Pairs,
    ) -> Vec<Scored> {
        let size = [grid.height, grid.width];
        let picture = [self.image.height(), self.image.width()].map(|side| side as usize);
        let cells = self.mark.cells(picture, size);
        // Of the positions of the masked region, those that change most.
        let place = largest(self.changed.data(), SHARE);
        let read = [
            ("column-softmax", &self.pairs.column),
            ("row-softmax", &self.pairs.row),
            ("row-softmax, without the mark", &unmarked.row),
        ];
        let mask = about.sample.reference_mask.as_ref();
        let mask = mask.and_then(|mask| gray_to_plane(mask).ok());
        let positions = spread(scene, &place);
        let of_reference = BaselineInput {
            grid: size,
            seed: about.asked.seed(about.sample),
            other: None,
            mask: mask.as_ref(),
            reference: Some(self.image),
            positions: Some(&positions),
        };
        let of_image = BaselineInput {
            grid: scene.weights.size(),
            mask: None,
            reference: None,
            positions: Some(&cells),
            ..of_reference
        };
        let mut found = Vec::new();
        for (direction, input) in [
            (Direction::GeneratedToReference, of_reference),
            (Direction::ReferenceToGenerated, of_image),
        ] {
            for (name, values) in read {
                let maps = by_cell(scene, values);
                let map = maps.map(|maps| match direction {
                    Direction::GeneratedToReference => map_of_place(&maps, &place, size),
                    Direction::ReferenceToGenerated => map_of_cells(&maps, &cells),
                });
                found.extend(map.map(|map| self.scored(direction, name, &map, &cells)));
            }
            for baseline in BASELINES {
                let map = baseline.map(&input);
                let map = map.and_then(|map| match direction {
                    Direction::GeneratedToReference => Some(map),
                    Direction::ReferenceToGenerated => inside(scene, map.data()),
                });
                let name = format!("baseline {}", baseline.name());
                found.extend(map.map(|map| self.scored(direction, &name, &map, &cells)));
            }
        }
        found
    }

    /// `map` against the mark, or against where the image changes.
    fn scored(&self, direction: Direction, name: &str, map: &Plane, cells: &Plane) -> Scored {
        let (truth, share) = match direction {
            Direction::GeneratedToReference => (cells, cells.sum() / cells.data().len() as f64),
            Direction::ReferenceToGenerated => (&self.changed, SHARE),
        };
        let value = |located: Option<Located>| located.map(|located| located.value);
        Scored {
            direction,
            map: name.to_owned(),
            pointing: value(pointing(map, truth, share)),
            mass: value(relevance_mass(map, truth, share)),
        }
    }
}

/// The map over the cells of a grid of `size` of the positions with weights `place`: of `maps`, one for each cell, the weighted means.
fn map_of_place(maps: &[Plane], place: &[f64], [height, width]: [usize; 2]) -> Plane {
    let total: f64 = place.iter().sum();
    let mean = |map: &Plane| {
        let values = map.data().iter().zip(place);
        let sum: f64 = values
            .map(|(&value, weight)| f64::from(value) * weight)
            .sum();
        (sum / total) as f32
    };
    Plane::from_fn(height, width, |r, c| mean(&maps[r * width + c]))
}

/// The map over the positions of the cells that are 1 in `cells`: the sum of their `maps`.
fn map_of_cells(maps: &[Plane], cells: &Plane) -> Plane {
    Plane::from_fn(1, maps[0].data().len(), |_, position| {
        let own = maps.iter().zip(cells.data());
        own.map(|(map, cell)| map.data()[position] * cell).sum()
    })
}

/// Values of the positions of the masked region as a map of the whole image, 0 elsewhere.
fn spread(scene: &Scene<'_>, values: &[f64]) -> Plane {
    let mut values = values.iter();
    let mut map = Plane::zeros(scene.weights.height(), scene.weights.width());
    for (place, inside) in map.data_mut().iter_mut().zip(scene.inside()) {
        if inside {
            *place = *values.next().expect("a value for each position inside") as f32;
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_pointing(map: &Plane, truth: &Plane, share: f64, expected: f64) {
        let found = pointing(map, truth, share)
            .expect("a truth that is not even")
            .value;
        assert!((found - expected).abs() < 1e-12, "{found}");
    }

    /// A layer that copies one place: position 2 reads cell 1 and nothing else does.
    #[test]
    fn a_layer_that_copies_the_mark_leads_there_and_back() {
        let mut maps: Vec<Plane> = (0..6).map(|_| Plane::filled(1, 4, 0.1)).collect();
        maps[1].data_mut()[2] = 0.9;
        let changed = Plane::new(1, 4, vec![0.0, 0.1, 2.0, 0.1]).unwrap();
        let cells = Plane::from_fn(2, 3, |r, c| f32::from(u8::from((r, c) == (0, 1))));
        let place = largest(changed.data(), SHARE);
        let there = map_of_place(&maps, &place, [2, 3]);
        assert_pointing(&there, &cells, 1.0 / 6.0, 1.0);
        let back = map_of_cells(&maps, &cells);
        assert_pointing(&back, &changed, SHARE, 1.0);

        maps.rotate_left(3);
        let elsewhere = map_of_place(&maps, &place, [2, 3]);
        assert_pointing(&elsewhere, &cells, 1.0 / 6.0, 0.0);
        let even = map_of_cells(&maps, &cells);
        assert_pointing(&even, &changed, SHARE, 0.25);
    }
}
