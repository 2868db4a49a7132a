//! IMACS by layer, head and time: means over the samples for every model, and head by head where a run looked for faults.

use std::collections::BTreeMap;

use i2am_results::{AggregateRow, DebugRow};

use super::matrix::{Group, Matrix};
use super::{Plot, PlotGroup, model_label};
use crate::ReportError;
use crate::names::slug;
use crate::run::{Run, UNIFIED};

/// Both directions, with what a map of each lies over.
const DIRECTIONS: [(&str, &str); 2] = [
    ("r2g", "reference to generated"),
    ("g2r", "generated to reference"),
];

pub(super) fn plots(runs: &[Run]) -> Result<Vec<Plot>, ReportError> {
    let mut plots = Vec::new();
    for (direction, words) in DIRECTIONS {
        if let Some(matrix) = of_models(runs, direction, words) {
            plots.push(plot(format!("imacs_levels_{direction}"), &matrix)?);
        }
    }
    for run in runs {
        for (model, faults) in &run.faults {
            for (direction, words) in DIRECTIONS {
                let label = model_label(runs, run, model);
                if let Some(matrix) = of_cells(&label, faults, direction, words) {
                    plots.push(plot(
                        format!("imacs_cells_{}_{direction}", slug(&label)),
                        &matrix,
                    )?);
                }
            }
        }
    }
    Ok(plots)
}

fn plot(name: String, matrix: &Matrix) -> Result<Plot, ReportError> {
    Ok(Plot {
        description: format!("{}. {}", matrix.title, matrix.remark),
        group: PlotGroup::Levels,
        svg: matrix.draw().svg(&name)?,
        name,
    })
}

/// The kinds of levels, in order: prefix of the level, heading of the group.
const KINDS: [(&str, &str); 4] = [
    ("time:", "time, noisiest first"),
    ("head:", "head"),
    ("resolution:", "resolution"),
    ("layer:", "layer"),
];

fn of_models(runs: &[Run], direction: &str, words: &str) -> Option<Matrix> {
    let wanted = |row: &&AggregateRow| {
        row.direction == direction && row.metric.starts_with("imacs_") && row.mean.is_some()
    };
    let mut rows: Vec<String> = Vec::new();
    // What each model has, level by level; levels in the order of the ledger's summary.
    let mut values: Vec<BTreeMap<&str, f64>> = Vec::new();
    let mut levels: Vec<&str> = Vec::new();
    for run in runs {
        for model in run.models() {
            let own = run
                .aggregate
                .iter()
                .filter(wanted)
                .filter(|row| row.model == model);
            let mut of_model = BTreeMap::new();
            for row in own {
                of_model.extend(row.mean.map(|mean| (row.level.as_str(), mean)));
                if !levels.contains(&row.level.as_str()) {
                    levels.push(&row.level);
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
    let mut groups = Vec::new();
    let mut order: Vec<&str> = Vec::new();
    if levels.contains(&UNIFIED) {
        order.push(UNIFIED);
        groups.push(Group {
            title: String::new(),
            columns: vec!["unified".to_owned()],
        });
    }
    for (prefix, title) in KINDS {
        let of_kind: Vec<&str> = levels
            .iter()
            .filter(|level| level.starts_with(prefix))
            .copied()
            .collect();
        if !of_kind.is_empty() {
            let columns = of_kind
                .iter()
                .map(|level| short_layer(&level[prefix.len()..]));
            groups.push(Group {
                title: title.to_owned(),
                columns: columns.collect(),
            });
            order.extend(of_kind);
        }
    }
    let cells: Vec<Vec<Option<f64>>> = values
        .iter()
        .map(|of_model| {
            order
                .iter()
                .map(|level| of_model.get(level).copied())
                .collect()
        })
        .collect();
    Some(Matrix {
        title: format!("IMACS by time, head and layer, {words}"),
        remark: "Mean over samples; blue: attention inside the mask, red: outside".to_owned(),
        rows,
        groups,
        full: full(&cells),
        cells,
    })
}

/// One row for each layer; columns are time groups within heads.
fn of_cells(label: &str, faults: &[DebugRow], direction: &str, words: &str) -> Option<Matrix> {
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
    let group = |head: usize| Group {
        title: format!("head {head}"),
        columns: (0..times).map(|time| time.to_string()).collect(),
    };
    Some(Matrix {
        title: format!("{label}: IMACS by layer, head and time, {words}"),
        remark: "Mean over samples; columns of a head are time groups, noisiest first".to_owned(),
        rows: layers.iter().map(|layer| short_layer(layer)).collect(),
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

/// A layer's name without the parts that all have: `up.1.0`, `mid.0`, `warp.4`.
pub(crate) fn short_layer(name: &str) -> String {
    let name = name.strip_suffix(".attn2").unwrap_or(name);
    let name = name.replace(".transformer_blocks.0", "");
    name.replace("_blocks.", ".")
        .replace("_block.", ".")
        .replace(".attentions.", ".")
        .replace("warp_flow_blks.", "warp.")
}

#[cfg(test)]
mod tests {
    use super::short_layer;

    #[test]
    fn layer_names_lose_what_all_have() {
        for (name, short) in [
            (
                "down_blocks.0.attentions.1.transformer_blocks.0.attn2",
                "down.0.1",
            ),
            ("mid_block.attentions.0.transformer_blocks.0.attn2", "mid.0"),
            ("warp_flow_blks.4.transformer_blocks.0.attn2", "warp.4"),
            ("16x12", "16x12"),
        ] {
            assert_eq!(short_layer(name), short);
        }
    }
}
