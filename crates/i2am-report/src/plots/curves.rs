//! What is left of the image while the reference is taken away in the order of a map: mean over samples, with a band.

use std::collections::BTreeMap;

use i2am_attribution::Counterfactual;
use i2am_plot::{ACCENT, Anchor, Axis, Canvas, INK, MUTED, Rgb, text_width, title_width};

use super::{Plot, PlotGroup, model_label};
use crate::ReportError;
use crate::interval;
use crate::run::Run;
use crate::series::slug;

/// The color of curves of most relevant first.
pub(super) const FIRST: Rgb = [0xA5, 0x23, 0x28];
/// Baselines that are shown; the others are in the tables.
const BASELINES: [&str; 4] = [
    "baseline reference_mask",
    "baseline edges",
    "baseline center",
    "baseline random_1",
];
const WIDTH: i32 = 150;
const HEIGHT: i32 = 130;
const GAP: i32 = 22;
const TOP: i32 = 92;
const LEFT: i32 = 48;
const SMALL: f64 = 11.0;

/// Curves of one map by order: for each step, the values of the samples.
type Curves = [Vec<Vec<f64>>; 2];
/// Two curves with their bands.
pub(super) type Bands = [Vec<Point>; 2];
/// The curves of every map that is shown, by moment and operator.
type ByMoment = BTreeMap<(String, String), Vec<(String, Curves)>>;

/// One plot for each model, moment and operator; none for runs without curves.
pub(super) fn plots(runs: &[Run]) -> Result<Vec<Plot>, ReportError> {
    let mut plots = Vec::new();
    for run in runs {
        for model in run.models() {
            let label = model_label(runs, run, &model);
            for ((moment, operator), maps) in read(run, &model)? {
                let title = format!("{label}: {operator}, {moment}");
                let maps: Vec<(String, Bands)> = maps
                    .into_iter()
                    .map(|(name, curves)| (name, bands(&curves)))
                    .collect();
                let remark = "Left of the image: blue, least relevant cells first; red, most \
                              relevant first. Mean and 95 % band over samples";
                plots.push(Plot {
                    name: format!(
                        "curves_{}_{}_{}",
                        slug(&label),
                        slug(&operator),
                        slug(&moment)
                    ),
                    description: format!("{title}. {remark}"),
                    group: PlotGroup::Truth,
                    drawing: draw(&title, remark, &maps).drawing(),
                });
            }
        }
    }
    Ok(plots)
}

/// The file of one sample, if there is one.
pub(super) fn file(
    run: &Run,
    model: &str,
    id: &str,
) -> Result<Option<Counterfactual>, ReportError> {
    let path = run.paths.counterfactual(model, id);
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = i2am_files::read(&path)?;
    Ok(Some(Counterfactual::from_bytes(&bytes, &path)?))
}

/// By moment and operator, the curves of every map that is shown.
fn read(run: &Run, model: &str) -> Result<ByMoment, ReportError> {
    let mut found = ByMoment::new();
    for id in run.asked(model) {
        let Some(sample) = file(run, model, &id)? else {
            continue;
        };
        for at in &sample.moments {
            for removed in at
                .removed
                .iter()
                .filter(|removed| !removed.curves.is_empty())
            {
                let maps = found
                    .entry((at.moment.clone(), removed.operator.clone()))
                    .or_default();
                let points = removed.curves.len() / (2 * sample.claims.len());
                let curves = removed.curves.chunks(2 * points);
                for ((name, _), curves) in sample.claims.iter().zip(curves) {
                    if name.starts_with("baseline ") && !BASELINES.contains(&name.as_str()) {
                        continue;
                    }
                    if maps.iter().all(|(known, _)| known != name) {
                        let none = || vec![Vec::new(); points];
                        maps.push((name.clone(), [none(), none()]));
                    }
                    let own = maps.iter_mut().find(|(known, _)| known == name);
                    let Some((_, own)) = own else { continue };
                    for (order, curve) in own.iter_mut().zip(curves.chunks(points)) {
                        for (samples, value) in order.iter_mut().zip(curve) {
                            samples.push(f64::from(*value));
                        }
                    }
                }
            }
        }
    }
    Ok(found)
}

fn bands(curves: &Curves) -> Bands {
    [0, 1].map(|order| curves[order].iter().map(|samples| point(samples)).collect())
}

/// A panel for each of `maps`, in one scale.
pub(super) fn draw(title: &str, remark: &str, maps: &[(String, Bands)]) -> Canvas {
    let columns = maps.len() as i32;
    let width = (LEFT + columns * (WIDTH + GAP))
        .max(28 + title_width(title))
        .max(28 + text_width(remark, 12.0));
    let bottom = TOP + HEIGHT;
    let mut canvas = Canvas::new(width, bottom + 44);
    canvas.heading(title, remark);
    let all = maps.iter().flat_map(|(_, bands)| bands).flatten();
    let axis = Axis::over(all.flat_map(|point| [point.low, point.high]), bottom, TOP);
    for (index, (name, orders)) in maps.iter().enumerate() {
        let left = LEFT + index as i32 * (WIDTH + GAP);
        panel(&mut canvas, [left, left + WIDTH], axis, name, orders);
        if index > 0 {
            continue;
        }
        for (value, text) in axis.ticks() {
            let at = [left - 6, axis.pixel(value)];
            canvas.text(at, text, SMALL, MUTED, Anchor::Right);
        }
    }
    canvas
}

/// A mean with its interval, or with itself where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) mean: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

fn point(samples: &[f64]) -> Point {
    let n = samples.len();
    let mean = samples.iter().sum::<f64>() / n as f64;
    let squares: f64 = samples.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
    let [low, high] = interval::of_mean(mean, deviation, n).unwrap_or([mean; 2]);
    Point { mean, low, high }
}

/// The two curves of one map.
fn panel(canvas: &mut Canvas, [left, right]: [i32; 2], axis: Axis, name: &str, orders: &Bands) {
    canvas.rows(
        axis,
        axis.ticks()
            .into_iter()
            .map(|(value, _)| (value, String::new())),
        [left, right],
    );
    canvas.text([left, TOP - 14], name, SMALL, INK, Anchor::Left);
    let (top, bottom) = (axis.pixel(axis.ends()[1]), axis.pixel(axis.ends()[0]));
    let steps = orders[0].len().max(2) - 1;
    let x = Axis::between(0.0, steps as f64, left, right);
    let ends = [(0.0, "0".to_owned()), (steps as f64, "all".to_owned())];
    canvas.columns(x, ends, [top.min(bottom), top.max(bottom)]);
    for (points, color) in orders.iter().zip([ACCENT, FIRST]) {
        let at = |(step, value): (usize, f64)| [x.place(step as f64), axis.place(value)];
        let low = points.iter().map(|point| point.low).enumerate().map(at);
        let high = points.iter().map(|point| point.high).enumerate().map(at);
        let mut band: Vec<[f64; 2]> = low.collect();
        band.extend(high.rev());
        canvas.area(band, color, 0.2);
        let means = points.iter().map(|point| point.mean).enumerate().map(at);
        canvas.path(means, color, 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_has_two_curves_with_bands() {
        let curves = |high: f64| {
            bands(&[
                vec![vec![1.0, 1.0], vec![high, 0.5], vec![0.0, 0.0]],
                vec![vec![1.0]; 3],
            ])
        };
        let maps = [
            ("masked region".to_owned(), curves(0.9)),
            ("baseline edges".to_owned(), curves(0.7)),
        ];
        let svg = draw("model", "", &maps).svg();
        assert_eq!(svg.matches("<polygon").count(), 4);
        assert!(svg.contains(">masked region</text>") && svg.contains(">baseline edges</text>"));
        let [one, two] = [point(&[0.5]), point(&[0.25, 0.75])];
        assert_eq!((one.low, one.high), (0.5, 0.5));
        // Student's t with one degree of freedom: 12.706 times the standard error.
        assert!((two.high - 0.5 - 12.706 * 0.25).abs() < 1e-3, "{two:?}");
    }
}
