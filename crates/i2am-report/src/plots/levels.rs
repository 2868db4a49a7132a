//! Scores of maps by layer, head and time: means over the samples for every model, and head by head where a run looked for faults.

use std::collections::BTreeMap;

use i2am_quantity::{Direction, Level, Marks, Place, Quantity};
use i2am_results::{AggregateRow, DebugRow};

use super::footnote::marked;
use super::matrix::{Group, Matrix};
use super::{Plot, PlotGroup, model_label};
use crate::level::{GROUPS, group, label, short_layer};
use crate::run::Run;
use crate::series::slug;

/// The mean of a map's score, and whether the map is one of one pooled token.
type Value = (f64, Marks);

pub(super) fn plots(runs: &[Run]) -> Vec<Plot> {
    let mut plots = Vec::new();
    let known = runs.iter().take(1).flat_map(|run| run.quantities().iter());
    for score in known.filter(|quantity| quantity.place == Place::Headline) {
        for direction in Direction::ALL {
            if let Some(matrix) = of_models(runs, score, direction) {
                let name = format!("levels_{}_{direction}", slug(score.name));
                plots.push(plot(name, &matrix));
            }
        }
    }
    for run in runs {
        for (model, faults) in &run.faults {
            for direction in Direction::ALL {
                let label = model_label(runs, run, model);
                let score = run.score(direction).map_or("Score", |score| score.title);
                if let Some(matrix) = of_cells(&label, faults, score, direction) {
                    let name = format!("cells_{}_{direction}", slug(&label));
                    plots.push(plot(name, &matrix));
                }
            }
        }
    }
    plots
}

fn plot(name: String, matrix: &Matrix) -> Plot {
    Plot {
        description: format!("{}. {}", matrix.title, matrix.remark),
        group: PlotGroup::Levels,
        drawing: matrix.draw().drawing(),
        name,
    }
}

fn of_models(runs: &[Run], score: &Quantity, direction: Direction) -> Option<Matrix> {
    let mut rows: Vec<String> = Vec::new();
    // What each model has, level by level; levels in the order of the ledger's summary.
    let mut values: Vec<BTreeMap<&Level, Value>> = Vec::new();
    let mut levels: Vec<&Level> = Vec::new();
    for run in runs {
        for model in run.models() {
            let wanted = |row: &&AggregateRow| {
                row.model == model && row.direction == Some(direction) && row.metric == score.name
            };
            let mut of_model = BTreeMap::new();
            for row in run.aggregate.iter().filter(wanted) {
                if let (Some(mean), Some(level)) = (row.mean, &row.level) {
                    of_model.insert(level, (mean, row.note.marks()));
                    if !levels.contains(&level) {
                        levels.push(level);
                    }
                }
            }
            if !of_model.is_empty() {
                rows.push(model_label(runs, run, &model));
                values.push(of_model);
            }
        }
    }
    if rows.is_empty() {
        return None;
    }
    let mut order: Vec<(usize, &Level)> = levels
        .into_iter()
        .filter_map(|level| Some((group(level)?, level)))
        .collect();
    order.sort_by_key(|(group, _)| *group);
    // A row has the marks that all of its maps have; a column those of maps in rows that have none.
    let whole = |of_model: &BTreeMap<&Level, Value>| {
        let mut marks = of_model.values().map(|value| value.1);
        let first = marks.next().unwrap_or_default();
        if marks.all(|other| other == first) {
            first
        } else {
            Marks::NONE
        }
    };
    let in_part = |level: &Level| -> Marks {
        let parts = values.iter().filter(|of_model| whole(of_model).is_empty());
        let own = parts.filter_map(|of_model| Some(of_model.get(level)?.1));
        own.collect()
    };
    let all = values.iter().flat_map(BTreeMap::values);
    let marks: Marks = all.map(|value| value.1).collect();
    for (row, of_model) in rows.iter_mut().zip(&values) {
        *row = marked(std::mem::take(row), whole(of_model));
    }
    let groups = GROUPS.iter().enumerate().map(|(index, title)| {
        let own = order.iter().filter(|(group, _)| *group == index);
        Group {
            title: (*title).to_owned(),
            columns: own
                .map(|(_, level)| marked(label(level), in_part(level)))
                .collect(),
        }
    });
    let cells: Vec<Vec<Option<f64>>> = values
        .iter()
        .map(|of_model| {
            let value = |(_, level): &(usize, &Level)| Some(of_model.get(level)?.0);
            order.iter().map(value).collect()
        })
        .collect();
    Some(Matrix {
        title: format!(
            "{} by time, head and layer, {}",
            score.title,
            direction.words()
        ),
        remark: "Mean over samples; blue: attention inside the mask, red: outside".to_owned(),
        rows,
        groups: groups.filter(|group| !group.columns.is_empty()).collect(),
        marks,
        full: full(&cells),
        cells,
    })
}

/// One row for each layer; columns are time groups within heads.
fn of_cells(label: &str, faults: &[DebugRow], score: &str, direction: Direction) -> Option<Matrix> {
    let own: Vec<&DebugRow> = faults
        .iter()
        .filter(|fault| fault.direction == direction)
        .collect();
    let heads = own.iter().map(|fault| fault.head + 1).max()?;
    let times = own.iter().map(|fault| fault.time_group + 1).max()?;
    let mut layers: Vec<&str> = Vec::new();
    for fault in &own {
        if !layers.contains(&fault.layer.as_str()) {
            layers.push(&fault.layer);
        }
    }
    // Rows come worst first; by name, layers stand as they are passed through.
    layers.sort_unstable();
    let mut cells = vec![vec![None; heads * times]; layers.len()];
    for fault in &own {
        let layer = layers.iter().position(|layer| *layer == fault.layer);
        cells[layer?][fault.head * times + fault.time_group] = fault.imacs;
    }
    let marks_of = |layer: &str| -> Marks {
        let faults = own.iter().filter(|fault| fault.layer == layer);
        faults.map(|fault| fault.note.marks()).collect()
    };
    let group = |head: usize| Group {
        title: format!("head {head}"),
        columns: (0..times).map(|time| time.to_string()).collect(),
    };
    Some(Matrix {
        title: format!(
            "{label}: {score} by layer, head and time, {}",
            direction.words()
        ),
        remark: "Mean over samples; columns of a head are time groups, noisiest first".to_owned(),
        rows: layers
            .iter()
            .map(|layer| marked(short_layer(layer), marks_of(layer)))
            .collect(),
        marks: own.iter().map(|fault| fault.note.marks()).collect(),
        groups: (0..heads).map(group).collect(),
        full: full(&cells),
        cells,
    })
}

/// The largest distance from zero.
fn full(cells: &[Vec<Option<f64>>]) -> f64 {
    let values = cells.iter().flatten().flatten();
    values
        .fold(0.0, |most: f64, value| most.max(value.abs()))
        .max(0.1)
}
