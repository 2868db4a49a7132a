//! What is lost when a head, or a whole layer, reads nothing of the reference: layer by head.

use i2am_quantity::{Level, Marks};
use i2am_results::AggregateRow;

use super::matrix::{Group, Matrix};
use super::{Plot, PlotGroup, model_label};
use crate::level::short_layer;
use crate::run::Run;
use crate::series::slug;

/// The quantity that rows of single units have.
const EFFECT: &str = "knock_out_effect";
/// How the moments of rows about heads and layers begin.
const KINDS: [&str; 2] = ["heads, ", "layers, "];

/// One plot for each model and moment; none for runs that switched nothing off.
pub(super) fn plots(runs: &[Run]) -> Vec<Plot> {
    let mut plots = Vec::new();
    for run in runs {
        for model in run.models() {
            let own = |row: &&AggregateRow| row.model == model && row.metric == EFFECT;
            let own: Vec<&AggregateRow> = run.aggregate.iter().filter(own).collect();
            let mut moments: Vec<&str> = Vec::new();
            for moment in own.iter().filter_map(|row| moment(row)) {
                if !moments.contains(&moment) {
                    moments.push(moment);
                }
            }
            for moment in moments {
                let label = model_label(runs, run, &model);
                let Some(matrix) = of_moment(&label, &own, moment) else {
                    continue;
                };
                plots.push(Plot {
                    name: format!("knock_out_{}_{}", slug(&label), slug(moment)),
                    description: format!("{}. {}", matrix.title, matrix.remark),
                    group: PlotGroup::Truth,
                    drawing: matrix.draw().drawing(),
                });
            }
        }
    }
    plots
}

/// `step 4` of a row about a head or a layer.
fn moment(row: &AggregateRow) -> Option<&str> {
    let mut kinds = KINDS.iter();
    kinds.find_map(|kind| row.convention.strip_prefix(kind))
}

fn of_moment(label: &str, rows: &[&AggregateRow], wanted: &str) -> Option<Matrix> {
    let own = || rows.iter().filter(|row| moment(row) == Some(wanted));
    let mut layers: Vec<&str> = Vec::new();
    let mut values: Vec<(&str, Option<usize>, f64)> = Vec::new();
    for row in own() {
        let (layer, head) = match row.level.as_ref()? {
            Level::Layer(layer) => (layer.as_str(), None),
            Level::Cell(cell) => (cell.layer.as_str(), Some(cell.head)),
            _ => continue,
        };
        if !layers.contains(&layer) {
            layers.push(layer);
        }
        values.extend(row.mean.map(|mean| (layer, head, mean)));
    }
    layers.sort_unstable();
    let heads = values.iter().filter_map(|(_, head, _)| *head);
    let heads = heads.max().map_or(0, |last| last + 1);
    let mut cells = vec![vec![None; 1 + heads]; layers.len()];
    for (layer, head, value) in values {
        let row = layers.iter().position(|known| *known == layer)?;
        cells[row][head.map_or(0, |head| 1 + head)] = Some(value);
    }
    let most = cells.iter().flatten().flatten();
    let full = most.fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut groups = vec![Group {
        title: String::new(),
        columns: vec!["all heads".to_owned()],
    }];
    if heads > 0 {
        groups.push(Group {
            title: "head".to_owned(),
            columns: (0..heads).map(|head| head.to_string()).collect(),
        });
    }
    (!layers.is_empty()).then(|| Matrix {
        title: format!("{label}: effect of switching off, {wanted}"),
        remark: "Mean over samples; 0: nothing is lost, 1: as under a gray reference".to_owned(),
        rows: layers.iter().map(|layer| short_layer(layer)).collect(),
        groups,
        marks: Marks::NONE,
        full: full.max(0.01),
        cells,
    })
}
