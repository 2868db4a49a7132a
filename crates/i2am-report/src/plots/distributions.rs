//! How the values of samples are spread, by model.

use i2am_quantity::Marks;
use std::collections::BTreeSet;

use super::footnote::{Footnote, marked};
use super::{Plot, PlotGroup, model_label};
use crate::run::Run;
use crate::series::Series;
use i2am_plot::{ACCENT, Anchor, Axis, Canvas, INK, MUTED, RULE, text_width};

/// Points drawn for a model; quartiles are of all.
const MOST_POINTS: usize = 400;
/// Height of a model's strip.
const STRIP: i32 = 46;
const TOP: i32 = 58;
const WIDTH: i32 = 460;
const SIZE: f64 = 12.0;

pub(super) fn plots(runs: &[Run]) -> Vec<Plot> {
    let quantities: BTreeSet<&Series> = runs
        .iter()
        .flat_map(|run| run.values.keys())
        .map(|(_, quantity)| quantity)
        .collect();
    let mut plots = Vec::new();
    for quantity in quantities {
        let (mut strips, mut any) = (Vec::new(), Marks::NONE);
        for run in runs {
            for model in run.models() {
                if let Some(values) = run.values.get(&(model.clone(), quantity.clone())) {
                    let marks = run.marks(&model, quantity);
                    let label = marked(model_label(runs, run, &model), marks);
                    any |= marks;
                    strips.push((label, values.values().copied().collect::<Vec<f64>>()));
                }
            }
        }
        let name = format!("distribution_{}", quantity.slug());
        let title = format!("{} by model", quantity.full_title());
        plots.push(Plot {
            description: format!("{title}: every sample, quartiles and median"),
            group: PlotGroup::Distributions,
            drawing: draw(&title, &strips, any).drawing(),
            name,
        });
    }
    plots
}

fn draw(title: &str, strips: &[(String, Vec<f64>)], marks: Marks) -> Canvas {
    let left = 24
        + strips
            .iter()
            .map(|(label, _)| text_width(label, SIZE))
            .max()
            .unwrap_or(0);
    let bottom = TOP + strips.len() as i32 * STRIP;
    let width = left + WIDTH + 70;
    let footnote = Footnote::new(marks, width);
    let mut canvas = Canvas::new(width, bottom + 34 + footnote.height());
    footnote.draw(&mut canvas, bottom + 36);
    canvas.heading(
        title,
        "Each point a sample; box from first to third quartile, line at the median",
    );
    let axis = Axis::over(
        strips.iter().flat_map(|(_, values)| values.iter().copied()),
        left,
        left + WIDTH,
    );
    for (value, text) in axis.ticks() {
        let x = axis.pixel(value);
        canvas.path(vec![[x, TOP], [x, bottom]], RULE, 1);
        canvas.text([x, bottom + 14], text, 11.0, MUTED, Anchor::Middle);
    }
    for (index, (label, values)) in strips.iter().enumerate() {
        let middle = TOP + index as i32 * STRIP + STRIP / 2;
        canvas.text([left - 10, middle], label, SIZE, INK, Anchor::Right);
        let n = format!("n {}", values.len());
        canvas.text([left + WIDTH + 12, middle], n, 11.0, MUTED, Anchor::Left);
        let [low, median, high] = quartiles(values);
        let box_ = [axis.pixel(low), axis.pixel(high)];
        let corners = [
            [box_[0], middle - 13],
            [box_[1], middle - 13],
            [box_[1], middle + 13],
            [box_[0], middle + 13],
        ];
        canvas.area(corners.to_vec(), ACCENT, 0.16);
        for (place, &value) in thinned(values).iter().enumerate() {
            let at = [axis.pixel(value), middle + spread(place)];
            canvas.circle(at, 3, ACCENT, 0.55);
        }
        let x = axis.pixel(median);
        canvas.path(vec![[x, middle - 15], [x, middle + 15]], INK, 2);
    }
    canvas
}

/// At most [`MOST_POINTS`] of `values`, evenly over them.
fn thinned(values: &[f64]) -> Vec<f64> {
    let step = values.len().div_ceil(MOST_POINTS).max(1);
    values.iter().step_by(step).copied().collect()
}

/// Pixels by which point `index` is moved aside, so that points of one value do not hide each other: the same on every run.
fn spread(index: usize) -> i32 {
    const GOLDEN: f64 = 0.618_033_988_749_895;
    ((((index as f64) * GOLDEN).fract() - 0.5) * 20.0).round() as i32
}

/// First quartile, median and third quartile, interpolated linearly between order statistics.
fn quartiles(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (sorted.len() - 1) as f64;
        let (below, above) = (
            sorted[place.floor() as usize],
            sorted[place.ceil() as usize],
        );
        below + (above - below) * place.fract()
    };
    [0.25, 0.5, 0.75].map(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_order_statistics() {
        // Quarters are exact.
        let text = |values: &[f64]| format!("{:?}", quartiles(values));
        assert_eq!(text(&[4.0, 1.0, 2.0, 3.0]), "[1.75, 2.5, 3.25]");
        assert_eq!(text(&[7.0]), "[7.0, 7.0, 7.0]");
    }

    #[test]
    fn a_thousand_points_are_thinned_from_end_to_end() {
        let values: Vec<f64> = (0..1000).map(f64::from).collect();
        let kept = thinned(&values);
        assert!(kept.len() <= MOST_POINTS && kept[0] == 0.0 && *kept.last().unwrap() > 990.0);
    }
}
