//! What changes where when a cell is taken away, and does the attention between the cell and each position say so?

use anyhow::Result;
use i2am_attribution::Removed;
use i2am_faithfulness::{
    Baseline, BaselineInput, CHANGE_AGREEMENT, transposed, weighted_agreement,
};
use i2am_imaging::Plane;
use i2am_quantity::{Direction, Level, Measurement};
use i2am_runner::families::{PairMaps, Question};

use super::answers::About;
use super::rows::{Name, or_constant, row};
use super::scene::Scene;
use super::share::inside;
use crate::config::Operator;

/// Attention between cells and positions, `[cells, positions]`.
pub(super) struct Pairs {
    /// Softmax over positions.
    pub(super) column: Vec<f32>,
    /// Softmax over keys.
    pub(super) row: Vec<f32>,
}

impl Pairs {
    /// What `watched` saw; none if it saw nothing.
    pub(super) fn of(watched: &PairMaps, scene: &Scene<'_>) -> Result<Option<Self>> {
        let [height, width] = scene.weights.size();
        let Some(maps) = watched.unified((height as i64, width as i64)) else {
            return Ok(None);
        };
        let [column, row] = maps.map(|map| Vec::try_from(map.contiguous().view(-1)));
        Ok(Some(Self {
            column: column?,
            row: row?,
        }))
    }

    pub(super) fn into_named(self) -> Vec<(String, Vec<f32>)> {
        let names = ["column-softmax", "row-softmax"];
        let values = [self.column, self.row];
        names.map(str::to_owned).into_iter().zip(values).collect()
    }
}

/// Names of the layers whose attention between places can be watched: none for a model whose reference tokens have no place, or whose
/// attention is changed by rules of `[intervene]`, which these maps do not know.
pub(super) fn watched(about: &About<'_>) -> Vec<String> {
    let rules = about.asked.plan.intervene.0.of_model(about.asked.model);
    if !(rules.forbid.is_empty() && rules.weaken.is_empty()) {
        return Vec::new();
    }
    let layers = about.record.layers.iter();
    let layers = layers.filter(|layer| layer.has_places());
    layers.map(|layer| layer.name.clone()).collect()
}

/// The attention of the unchanged pass; none if no layer can be watched.
pub(super) fn pairs(about: &About<'_>, scene: &mut Scene<'_>) -> Result<Option<Pairs>> {
    let layers = watched(about);
    if layers.is_empty() {
        return Ok(None);
    }
    let grid = about.asked.settings.grid();
    let mut watching = PairMaps::new(grid, layers, scene.conditional());
    scene.ask(&mut [Question::Probed(&mut watching)])?;
    Pairs::of(&watching, scene)
}

/// What taking away each cell did, of which `latents` came.
pub(super) fn removed(
    operator: Operator,
    scene: &Scene<'_>,
    latents: &[Vec<f32>],
) -> Result<Removed> {
    let effects = scene.effects_of(latents)?;
    Ok(Removed {
        operator: operator.as_str().to_owned(),
        changed: latents.iter().flat_map(|x| scene.changed(x)).collect(),
        effects: effects.into_iter().map(|effect| effect as f32).collect(),
        curves: Vec::new(),
    })
}

/// Agreement of maps of single cells (R2G) and of single positions of the masked region (G2R) with what changes.
pub(super) fn rows(
    about: &About<'_>,
    scene: &Scene<'_>,
    pairs: &Pairs,
    removed: &Removed,
) -> Vec<Measurement> {
    let name = Name::of(&removed.operator, scene);
    let cells = about.asked.settings.cells;
    let Some(truth) = by_cell(scene, &removed.changed) else {
        return Vec::new();
    };
    let truths = [truth.clone(), transposed(&truth, cells)];
    let mut maps: Vec<(String, Vec<Plane>)> = Vec::new();
    for (reading, values) in [
        ("column-softmax", &pairs.column),
        ("row-softmax", &pairs.row),
    ] {
        maps.extend(by_cell(scene, values).map(|map| (reading.to_owned(), map)));
    }
    // What is left of a map whose cells, or positions, all claim the same.
    maps.extend(
        by_cell(scene, &pairs.row).map(|map| ("baseline shuffled".to_owned(), turned(map))),
    );
    for baseline in [Baseline::RandomFirst, Baseline::SamePlace] {
        let map = by_cell(scene, &baseline_pairs(about, scene, baseline));
        maps.extend(map.map(|map| (format!("baseline {}", baseline.name()), map)));
    }
    let mut rows = Vec::new();
    for (direction, truth) in [
        Direction::ReferenceToGenerated,
        Direction::GeneratedToReference,
    ]
    .into_iter()
    .zip(&truths)
    {
        for (map_name, map) in &maps {
            let map = match direction {
                Direction::ReferenceToGenerated => map.clone(),
                Direction::GeneratedToReference => transposed(map, cells),
            };
            let outcome = or_constant(weighted_agreement(&map, truth));
            let variant = name.map(&format!("{direction}, {map_name}"));
            let own = row(&CHANGE_AGREEMENT, outcome, variant);
            rows.push(own.on_map(direction, Level::Unified));
        }
    }
    rows
}

/// Of each cell, the values at the positions of the masked region.
pub(super) fn by_cell(scene: &Scene<'_>, values: &[f32]) -> Option<Vec<Plane>> {
    let positions = scene.weights.data().len();
    let of_cell = |values: &[f32]| inside(scene, values);
    values.chunks(positions).map(of_cell).collect()
}

/// The maps of other cells and positions: both lists turned by half.
fn turned(mut maps: Vec<Plane>) -> Vec<Plane> {
    let half = maps.len() / 2;
    maps.rotate_left(half);
    for map in &mut maps {
        let half = map.data().len() / 2;
        map.data_mut().rotate_left(half);
    }
    maps
}

fn baseline_pairs(about: &About<'_>, scene: &Scene<'_>, baseline: Baseline) -> Vec<f32> {
    let [rows, columns] = about.asked.settings.cells;
    let seed = about.asked.seed(about.sample);
    let of_cell = |cell: usize| {
        let own = Plane::from_fn(rows, columns, |row, column| {
            f32::from(u8::from(row * columns + column == cell))
        });
        let input = BaselineInput {
            grid: scene.weights.size(),
            seed: seed.wrapping_add(cell as u64),
            other: None,
            mask: None,
            reference: None,
            positions: Some(&own),
        };
        baseline
            .map(&input)
            .map(Plane::into_data)
            .unwrap_or_default()
    };
    (0..rows * columns).flat_map(of_cell).collect()
}
