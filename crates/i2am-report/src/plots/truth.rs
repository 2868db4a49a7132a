//! "Is this map true?" for single samples: the map, what taking cells away really does, and the curves, next to each other.

use i2am_attribution::{Counterfactual, Grid, MomentTruth, Removed};
use i2am_plot::{ACCENT, Anchor, Axis, Canvas, INK, MUTED, diverging, text_width, title_width};

use super::curves::{FIRST, file};
use super::{Plot, PlotGroup, model_label};
use crate::ReportError;
use crate::run::Run;
use crate::series::slug;

/// Samples of each model that are shown.
const SAMPLES: usize = 2;
/// Height of a panel.
const HEIGHT: i32 = 150;
const GAP: i32 = 20;
const TOP: i32 = 96;
const SMALL: f64 = 11.0;

/// One plot for each moment of the first samples of every model; none for runs that took nothing away.
pub(super) fn plots(runs: &[Run]) -> Result<Vec<Plot>, ReportError> {
    let mut plots = Vec::new();
    for run in runs {
        for model in run.models() {
            for id in run.asked(&model).into_iter().take(SAMPLES) {
                let Some(sample) = file(run, &model, &id)? else {
                    continue;
                };
                let label = model_label(runs, run, &model);
                for at in sample.moments.iter().filter(|at| !at.removed.is_empty()) {
                    let title = format!("{label}, sample {id}, {}: is its map true?", at.moment);
                    let remark = "Each panel in its own scale; dark: much";
                    plots.push(Plot {
                        name: format!("truth_{}_{}_{}", slug(&label), slug(&id), slug(&at.moment)),
                        description: format!("{title} {remark}"),
                        group: PlotGroup::Truth,
                        drawing: draw(&title, remark, &sample, at).drawing(),
                    });
                }
            }
        }
    }
    Ok(plots)
}

/// One panel of the plot.
enum Panel<'a> {
    Map {
        title: String,
        grid: Grid,
        values: &'a [f32],
    },
    Curves {
        title: String,
        /// Least and most relevant first.
        curves: [&'a [f32]; 2],
    },
}

impl Panel<'_> {
    fn width(&self) -> i32 {
        let (drawn, title) = match self {
            Self::Map { title, grid, .. } => (
                HEIGHT * grid.width as i32 / grid.height.max(1) as i32,
                title,
            ),
            Self::Curves { title, .. } => (HEIGHT, title),
        };
        drawn.max(text_width(title, SMALL))
    }
}

/// What is shown of one sample at one moment.
fn panels<'a>(sample: &'a Counterfactual, at: &'a MomentTruth) -> Vec<Panel<'a>> {
    let mut panels = Vec::new();
    let Some((name, values)) = sample.claims.first() else {
        return panels;
    };
    panels.push(Panel::Map {
        title: format!("map: {name}"),
        grid: sample.cells,
        values,
    });
    for removed in &at.removed {
        panels.push(Panel::Map {
            title: format!("effect: {}", removed.operator),
            grid: sample.cells,
            values: &removed.effects,
        });
        if removed.curves.is_empty() {
            continue;
        }
        let points = removed.curves.len() / (2 * sample.claims.len());
        panels.push(Panel::Curves {
            title: format!("what is left: {}", removed.operator),
            curves: [
                &removed.curves[..points],
                &removed.curves[points..2 * points],
            ],
        });
    }
    panels.extend(of_strongest(sample, at));
    panels
}

/// Of the cell that matters most: where attention says that it goes, and where the image changes without it.
fn of_strongest<'a>(sample: &'a Counterfactual, at: &'a MomentTruth) -> Vec<Panel<'a>> {
    let Some(removed) = at.removed.first() else {
        return Vec::new();
    };
    let cell = strongest(removed);
    let (row, column) = (cell / sample.cells.width + 1, cell % sample.cells.width + 1);
    let own = cell * sample.latent.len()..(cell + 1) * sample.latent.len();
    let claimed = at
        .attention
        .first()
        .map(|(_, pairs)| (format!("attention of cell {row}, {column}"), pairs));
    let changed = (
        format!("changes without it: {}", removed.operator),
        &removed.changed,
    );
    let maps = claimed.into_iter().chain([changed]);
    maps.map(|(title, values)| Panel::Map {
        title,
        grid: sample.latent,
        values: &values[own.clone()],
    })
    .collect()
}

fn strongest(removed: &Removed) -> usize {
    let effects = removed.effects.iter().enumerate();
    effects
        .max_by(|a, b| a.1.total_cmp(b.1))
        .map_or(0, |(cell, _)| cell)
}

fn draw(title: &str, remark: &str, sample: &Counterfactual, at: &MomentTruth) -> Canvas {
    let panels = panels(sample, at);
    let drawn: i32 = panels.iter().map(|panel| panel.width() + GAP).sum();
    let width = (14 + drawn).max(28 + title_width(title));
    let mut canvas = Canvas::new(width, TOP + HEIGHT + 34);
    canvas.heading(title, remark);
    let mut left = 14;
    for panel in &panels {
        match panel {
            Panel::Map {
                title,
                grid,
                values,
            } => {
                canvas.text([left, TOP - 16], title, SMALL, INK, Anchor::Left);
                map(&mut canvas, left, *grid, values);
            }
            Panel::Curves { title, curves } => {
                canvas.text([left, TOP - 16], title, SMALL, INK, Anchor::Left);
                two_curves(&mut canvas, left, *curves);
            }
        }
        left += panel.width() + GAP;
    }
    canvas
}

fn map(canvas: &mut Canvas, left: i32, grid: Grid, values: &[f32]) {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let most = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let span = (most - least).max(f32::MIN_POSITIVE);
    let width = HEIGHT * grid.width as i32 / grid.height.max(1) as i32;
    let edge = |index: usize, count: usize, length: i32| index as i32 * length / count as i32;
    for (index, value) in values.iter().enumerate() {
        let (row, column) = (index / grid.width, index % grid.width);
        let from = [
            left + edge(column, grid.width, width),
            TOP + edge(row, grid.height, HEIGHT),
        ];
        let to = [
            left + edge(column + 1, grid.width, width),
            TOP + edge(row + 1, grid.height, HEIGHT),
        ];
        let color = diverging(f64::from((value - least) / span)).0;
        canvas.rectangle(from, to, color);
    }
}

fn two_curves(canvas: &mut Canvas, left: i32, curves: [&[f32]; 2]) {
    let bottom = TOP + HEIGHT;
    let values = curves.iter().flat_map(|curve| curve.iter());
    let axis = Axis::over(values.map(|value| f64::from(*value)), bottom, TOP);
    let inner = left + 28;
    canvas.rows(axis, axis.ticks(), [inner, left + HEIGHT]);
    let steps = curves[0].len().max(2) - 1;
    let x = Axis::between(0.0, steps as f64, inner, left + HEIGHT);
    canvas.text(
        [inner, bottom + 14],
        "none removed",
        SMALL,
        MUTED,
        Anchor::Left,
    );
    canvas.text(
        [left + HEIGHT, bottom + 14],
        "all",
        SMALL,
        MUTED,
        Anchor::Right,
    );
    for (curve, color) in curves.into_iter().zip([ACCENT, FIRST]) {
        let points = curve.iter().enumerate();
        let points =
            points.map(|(step, value)| [x.place(step as f64), axis.place(f64::from(*value))]);
        canvas.path(points, color, 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Counterfactual {
        let grid = |height, width| Grid { height, width };
        Counterfactual {
            cells: grid(2, 1),
            latent: grid(1, 2),
            mask: vec![1.0; 2],
            claims: vec![("masked region".to_owned(), vec![0.2, 0.8])],
            moments: vec![MomentTruth {
                moment: "step 3".to_owned(),
                whole: vec![1.0; 2],
                attention: vec![("column-softmax".to_owned(), vec![0.1, 0.2, 0.3, 0.4])],
                removed: vec![Removed {
                    operator: "forbid".to_owned(),
                    changed: vec![0.0, 1.0, 2.0, 3.0],
                    effects: vec![0.1, 0.9],
                    curves: vec![1.0, 0.8, 0.0, 1.0, 0.3, 0.0],
                }],
            }],
        }
    }

    #[test]
    fn the_map_its_truth_and_the_curves_stand_next_to_each_other() {
        let sample = sample();
        let at = &sample.moments[0];
        let found = panels(&sample, at);
        assert_eq!(found.len(), 5);
        let svg = draw("title", "", &sample, at).svg();
        for text in [
            "map: masked region",
            "effect: forbid",
            "what is left: forbid",
            // The second of two cells, below the first.
            "attention of cell 2, 1",
            "changes without it: forbid",
        ] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}: {svg}");
        }
        assert_eq!(strongest(&at.removed[0]), 1);
        let Panel::Map { values, .. } = &found[4] else {
            panic!("a map");
        };
        // What changes at both positions without the second cell.
        assert_eq!(values.to_vec(), at.removed[0].changed[2..].to_vec());
        // Paper, and a rectangle for each of 2 + 2 cells and 2 + 2 positions.
        assert_eq!(svg.matches("<rect").count(), 9);
    }
}
