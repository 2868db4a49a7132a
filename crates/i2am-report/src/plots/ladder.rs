//! How scores and metrics follow damage: the variants of a model next to the model itself, by kind of damage.

use i2am_plot::{ACCENT, Anchor, Axis, Canvas, INK, MUTED, text_width, title_width};
use i2am_results::AggregateRow;
use serde::Deserialize;

use super::{Plot, PlotGroup, model_label};
use crate::run::Run;
use crate::series::{Series, slug};

/// Width of one variant.
const STEP: i32 = 40;
/// Room between two kinds of damage.
const GAP: i32 = 26;
const TOP: i32 = 84;
const HEIGHT: i32 = 190;
const SMALL: f64 = 11.0;

/// A model that a `[[variant]]` made, as manifests name it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Variant {
    model: String,
    of: String,
    group: String,
}

/// A mean with its interval, if it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    mean: f64,
    ends: Option<[f64; 2]>,
}

/// One kind of damage: what each variant is called, and its value.
#[derive(Debug, PartialEq)]
struct Kind {
    title: String,
    rungs: Vec<(String, Option<Point>)>,
}

/// One plot for each model that has variants and each column of the main table; none for runs without variants.
pub(super) fn plots(runs: &[Run]) -> Vec<Plot> {
    let mut plots = Vec::new();
    for run in runs {
        let variants = run.manifest.config["variants"].clone();
        let variants: Vec<Variant> = serde_json::from_value(variants).unwrap_or_default();
        let mut models: Vec<&str> = Vec::new();
        for variant in &variants {
            if !models.contains(&variant.of.as_str()) {
                models.push(&variant.of);
            }
        }
        for model in models {
            let mut series: Vec<Series> = Vec::new();
            for row in run.headline().filter(|row| row.model == model) {
                let own = run.series(row);
                if own.is_column() && !series.contains(&own) {
                    series.push(own);
                }
            }
            for series in series {
                plots.extend(of_model(runs, run, model, &variants, &series));
            }
        }
    }
    plots
}

fn of_model(
    runs: &[Run],
    run: &Run,
    model: &str,
    variants: &[Variant],
    series: &Series,
) -> Option<Plot> {
    let value = |model: &str| {
        let is_it = |row: &&AggregateRow| row.model == model && run.series(row) == *series;
        let row = run.headline().find(is_it)?;
        Some(Point {
            mean: row.mean?,
            ends: run.interval(row),
        })
    };
    let own = value(model)?;
    let kinds = kinds(model, variants, value);
    if kinds
        .iter()
        .all(|kind| kind.rungs.iter().all(|(_, point)| point.is_none()))
    {
        return None;
    }
    let label = model_label(runs, run, model);
    let arrow = series.better().arrow();
    let title = format!("{} by damage: {label}", series.full_title());
    let remark = format!("{arrow} Mean and 95 % interval; band: the model itself");
    Some(Plot {
        name: format!("ladder_{}_{}", slug(&label), series.slug()),
        description: format!("{title}. {}", remark.trim_start()),
        group: PlotGroup::Ladder,
        drawing: draw(&title, remark.trim_start(), own, &kinds).drawing(),
    })
}

/// The variants of `model` by kind, in the order of the configuration.
fn kinds(model: &str, variants: &[Variant], value: impl Fn(&str) -> Option<Point>) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for variant in variants.iter().filter(|variant| variant.of == model) {
        let rung = (rung(&variant.model, model), value(&variant.model));
        match kinds.iter_mut().find(|kind| kind.title == variant.group) {
            Some(kind) => kind.rungs.push(rung),
            None => kinds.push(Kind {
                title: variant.group.clone(),
                rungs: vec![rung],
            }),
        }
    }
    kinds
}

/// What distinguishes a variant within its kind: the number at the end of its name, or else its name.
fn rung(variant: &str, model: &str) -> String {
    let own = variant
        .strip_prefix(model)
        .and_then(|rest| rest.strip_prefix('-'))
        .unwrap_or(variant);
    match own.rsplit_once('-') {
        Some((_, last)) if last.parse::<f64>().is_ok() => last.to_owned(),
        _ => own.to_owned(),
    }
}

fn draw(title: &str, remark: &str, own: Point, kinds: &[Kind]) -> Canvas {
    let rungs = kinds.iter().flat_map(|kind| &kind.rungs);
    let points = rungs.clone().filter_map(|(_, point)| *point).chain([own]);
    let values = points.flat_map(|point| {
        let [low, high] = point.ends.unwrap_or([point.mean; 2]);
        [low, point.mean, high]
    });
    let bottom = TOP + HEIGHT;
    let axis = Axis::over(values, bottom, TOP);
    let ticks = axis.ticks();
    let left = 22
        + ticks
            .iter()
            .map(|(_, text)| text_width(text, SMALL))
            .max()
            .unwrap_or(0);
    let width_of = |kind: &Kind| {
        let rungs = kind.rungs.len() as i32 * STEP;
        rungs.max(text_width(&kind.title, SMALL) + 6)
    };
    let right = left + kinds.iter().map(|kind| width_of(kind) + GAP).sum::<i32>();
    let below = rungs
        .map(|(label, _)| text_width(label, SMALL))
        .max()
        .unwrap_or(0);
    let width = (right + 10)
        .max(28 + title_width(title))
        .max(28 + text_width(remark, 12.0));
    let upright = below > STEP - 4;
    let label_height = if upright { below + 16 } else { 30 };
    let mut canvas = Canvas::new(width, bottom + label_height);
    canvas.heading(title, remark);
    canvas.rows(axis, ticks, [left, right - GAP / 2]);
    let ends = [left, right - GAP / 2];
    if let Some([low, high]) = own.ends {
        let [low, high] = [axis.pixel(low), axis.pixel(high)];
        let corners = [
            [ends[0], low],
            [ends[1], low],
            [ends[1], high],
            [ends[0], high],
        ];
        canvas.area(corners, MUTED, 0.18);
    }
    let y = axis.pixel(own.mean);
    canvas.path([[ends[0], y], [ends[1], y]], MUTED, 1);

    let mut x = left + GAP / 2;
    for kind in kinds {
        canvas.text([x, TOP - 16], &kind.title, SMALL, MUTED, Anchor::Left);
        let place = |index: usize| x + index as i32 * STEP + STEP / 2;
        // From the model itself, which is no damage, through the variants.
        let mut line = vec![[x, y]];
        for (index, (_, point)) in kind.rungs.iter().enumerate() {
            line.extend(point.map(|point| [place(index), axis.pixel(point.mean)]));
        }
        canvas.path(line, ACCENT, 1);
        for (index, (label, point)) in kind.rungs.iter().enumerate() {
            let x = place(index);
            let (at, anchor) = if upright {
                ([x, bottom + below + 8], Anchor::Up)
            } else {
                ([x, bottom + 14], Anchor::Middle)
            };
            canvas.text(at, label, SMALL, INK, anchor);
            let Some(point) = point else { continue };
            if let Some(ends) = point.ends {
                canvas.path(ends.map(|end| [x, axis.pixel(end)]), ACCENT, 2);
            }
            canvas.circle([x, axis.pixel(point.mean)], 4, ACCENT, 1.0);
        }
        x += width_of(kind) + GAP;
    }
    canvas
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(model: &str, of: &str, group: &str) -> Variant {
        let [model, of, group] = [model, of, group].map(str::to_owned);
        Variant { model, of, group }
    }

    #[test]
    fn variants_stand_by_kind_in_their_order_under_what_distinguishes_them() {
        assert_eq!(rung("a-noise-0.05", "a"), "0.05");
        assert_eq!(rung("a-steps-4", "a"), "4");
        assert_eq!(rung("a-no-text", "a"), "no-text");
        let variants = [
            variant("a-noise-0.1", "a", "noise"),
            variant("a-steps-4", "a", "steps"),
            variant("a-noise-0.2", "a", "noise"),
            variant("b-noise-0.1", "b", "noise"),
        ];
        let value = |model: &str| {
            (model != "a-steps-4").then_some(Point {
                mean: model.len() as f64,
                ends: None,
            })
        };
        let found = kinds("a", &variants, value);
        let rungs = |kind: &Kind| {
            let names = kind.rungs.iter();
            names
                .map(|(name, point)| (name.clone(), point.is_some()))
                .collect::<Vec<_>>()
        };
        let own = |name: &str, has: bool| (name.to_owned(), has);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].title.as_str(), found[1].title.as_str()),
            ("noise", "steps")
        );
        assert_eq!(rungs(&found[0]), [own("0.1", true), own("0.2", true)]);
        assert_eq!(rungs(&found[1]), [own("4", false)]);
    }

    #[test]
    fn the_drawing_has_a_point_for_every_value_and_a_band_for_the_model() {
        let point = |mean: f64| {
            Some(Point {
                mean,
                ends: Some([mean - 0.1, mean + 0.1]),
            })
        };
        let kinds = [Kind {
            title: "noise".to_owned(),
            rungs: vec![
                ("0.1".to_owned(), point(0.5)),
                ("0.2".to_owned(), None),
                ("0.4".to_owned(), point(0.9)),
            ],
        }];
        let svg = draw("Score", "", point(0.4).unwrap(), &kinds).svg();
        assert_eq!(svg.matches("<circle").count(), 2);
        assert_eq!(svg.matches("<polygon").count(), 1);
        for label in ["0.1", "0.2", "0.4", "noise"] {
            assert!(svg.contains(&format!(">{label}</text>")), "{svg}");
        }
    }
}
