//! One metric against another, with the line through the points and its interval.

use i2am_quantity::Marks;
use std::collections::BTreeSet;

use super::footnote::{Footnote, marked};
use super::{Plot, PlotGroup, model_label};
use crate::fit::Line;
use crate::run::Run;
use crate::series::Series;
use i2am_plot::{ACCENT, Anchor, Axis, Canvas, INK, MUTED, RULE, text_width};

/// Models from which on a plot over models says anything.
const FEWEST_MODELS: usize = 3;
/// Points drawn; the line is through all.
const MOST_POINTS: usize = 1000;

const WIDTH: i32 = 520;
const HEIGHT: i32 = 400;
const LEFT: i32 = 84;
const RIGHT: i32 = 24;
const TOP: i32 = 58;
const BOTTOM: i32 = 52;

/// Each score against each metric: over models, and over samples within models.
pub(super) fn plots(runs: &[Run]) -> Vec<Plot> {
    let of_run = |run| Run::headline(run).map(move |row| run.series(row));
    let quantities: BTreeSet<Series> = runs.iter().flat_map(of_run).collect();
    let is_score = |quantity: &&Series| quantity.is_score();
    let mut plots = Vec::new();
    for score in quantities.iter().filter(is_score) {
        for metric in quantities.iter().filter(|quantity| !is_score(quantity)) {
            let both = [
                over_models(runs, score, metric),
                over_samples(runs, score, metric),
            ];
            for scatter in both.into_iter().flatten() {
                plots.push(scatter.plot());
            }
        }
    }
    plots
}

struct Scatter {
    name: String,
    title: String,
    remark: String,
    labels: [String; 2],
    points: Vec<[f64; 2]>,
    /// Means that were taken from the points, at least one.
    groups: usize,
    /// Whether a point is about maps of one pooled token.
    marks: Marks,
    /// Names of the points; none where there are too many to name.
    names: Vec<String>,
}

fn axis_label(quantity: &Series) -> String {
    let arrow = quantity.better().arrow();
    format!("{} {arrow}", quantity.full_title())
        .trim_end()
        .to_owned()
}

fn over_models(runs: &[Run], score: &Series, metric: &Series) -> Option<Scatter> {
    let (mut points, mut names, mut any) = (Vec::new(), Vec::new(), Marks::NONE);
    for run in runs {
        for model in run.models() {
            let mean = |quantity: &Series| {
                let mut own = run.headline().filter(|row| row.model == model);
                own.find(|row| run.series(row) == *quantity)?.mean
            };
            if let (Some(x), Some(y)) = (mean(score), mean(metric)) {
                points.push([x, y]);
                let marks = run.marks(&model, score);
                names.push(marked(model_label(runs, run, &model), marks));
                any |= marks;
            }
        }
    }
    (points.len() >= FEWEST_MODELS).then(|| Scatter {
        name: format!("scatter_models_{}_{}", score.slug(), metric.slug()),
        title: format!("{} and {} over models", score.title(), metric.full_title()),
        remark: format!(
            "n {} models; line and 95 % interval of the mean",
            points.len()
        ),
        labels: [score, metric].map(axis_label),
        points,
        groups: 1,
        marks: any,
        names,
    })
}

/// Deviations from the model's mean, so that differences between models cannot pass for a relation within them.
fn over_samples(runs: &[Run], score: &Series, metric: &Series) -> Option<Scatter> {
    let mut points: Vec<[f64; 2]> = Vec::new();
    let (mut models, mut any) = (0, Marks::NONE);
    for run in runs {
        for model in run.models() {
            let of = |quantity: &Series| run.values.get(&(model.clone(), quantity.clone()));
            let (Some(scores), Some(metrics)) = (of(score), of(metric)) else {
                continue;
            };
            let mut own: Vec<[f64; 2]> = scores
                .iter()
                .filter_map(|(id, x)| Some([*x, *metrics.get(id)?]))
                .collect();
            if own.len() < 2 {
                continue;
            }
            models += 1;
            any |= run.marks(&model, score);
            let n = own.len() as f64;
            let means = [0, 1].map(|axis| own.iter().map(|point| point[axis]).sum::<f64>() / n);
            for point in &mut own {
                *point = [point[0] - means[0], point[1] - means[1]];
            }
            points.extend(own);
        }
    }
    if points.len() < 3 {
        return None;
    }
    let n = points.len();
    let mut remark =
        format!("n {n} samples of {models} models; line and 95 % interval of the mean");
    if models == 1 {
        remark = remark.replace("models", "model");
    }
    if n > MOST_POINTS {
        remark = format!("{remark}; {MOST_POINTS} points drawn");
    }
    Some(Scatter {
        name: format!("scatter_samples_{}_{}", score.slug(), metric.slug()),
        title: format!(
            "{} and {} within models",
            score.title(),
            metric.full_title()
        ),
        remark,
        labels: [(score, any), (metric, Marks::NONE)].map(|(quantity, marks)| {
            let label = marked(axis_label(quantity), marks);
            format!("{label}, minus the model's mean")
        }),
        points,
        groups: models,
        marks: any,
        names: Vec::new(),
    })
}

impl Scatter {
    fn plot(self) -> Plot {
        Plot {
            description: format!("{}. {}", self.title, self.remark),
            group: PlotGroup::Agreement,
            drawing: self.draw().drawing(),
            name: self.name,
        }
    }

    fn draw(&self) -> Canvas {
        let footnote = Footnote::new(self.marks, WIDTH);
        let mut canvas = Canvas::new(WIDTH, HEIGHT + footnote.height());
        footnote.draw(&mut canvas, HEIGHT + 4);
        canvas.heading(&self.title, &self.remark);
        let of = |axis: usize| self.points.iter().map(move |point| point[axis]);
        let x = Axis::over(of(0), LEFT, WIDTH - RIGHT);
        let y = Axis::over(of(1), HEIGHT - BOTTOM, TOP);
        self.draw_axes(&mut canvas, x, y);
        self.draw_line(&mut canvas, x, y);
        let step = self.points.len().div_ceil(MOST_POINTS).max(1);
        let (radius, opacity) = if self.names.is_empty() {
            (3, 0.5)
        } else {
            (5, 0.9)
        };
        for point in self.points.iter().step_by(step) {
            canvas.circle(
                [x.pixel(point[0]), y.pixel(point[1])],
                radius,
                ACCENT,
                opacity,
            );
        }
        self.draw_names(&mut canvas, x, y);
        canvas
    }

    fn draw_axes(&self, canvas: &mut Canvas, x: Axis, y: Axis) {
        for (value, text) in x.ticks() {
            let at = x.pixel(value);
            canvas.path(vec![[at, TOP], [at, HEIGHT - BOTTOM]], RULE, 1);
            canvas.text(
                [at, HEIGHT - BOTTOM + 14],
                text,
                11.0,
                MUTED,
                Anchor::Middle,
            );
        }
        for (value, text) in y.ticks() {
            let at = y.pixel(value);
            canvas.path(vec![[LEFT, at], [WIDTH - RIGHT, at]], RULE, 1);
            canvas.text([LEFT - 8, at], text, 11.0, MUTED, Anchor::Right);
        }
        let [along, up] = &self.labels;
        let middle = (LEFT + WIDTH - RIGHT) / 2;
        canvas.text([middle, HEIGHT - 16], along, 12.0, INK, Anchor::Middle);
        canvas.text(
            [18, (TOP + HEIGHT - BOTTOM) / 2],
            up,
            12.0,
            INK,
            Anchor::UpMiddle,
        );
    }

    fn draw_line(&self, canvas: &mut Canvas, x: Axis, y: Axis) {
        const STEPS: u32 = 40;
        let Some(line) = Line::through(&self.points, self.groups) else {
            return;
        };
        let [low, high] = x.ends();
        let along = (0..=STEPS).map(|step| low + (high - low) * f64::from(step) / f64::from(STEPS));
        let edge = |side: f64| {
            let along = along.clone();
            along.map(move |at| (at, side))
        };
        let band = edge(1.0).chain(edge(-1.0).collect::<Vec<_>>().into_iter().rev());
        let pixel = |(at, side): (f64, f64)| {
            let height = line.at(at) + side * line.half_width(at);
            [x.pixel(at), y.pixel(height)]
        };
        canvas.area(band.map(pixel), ACCENT, 0.12);
        canvas.path([(low, 0.0), (high, 0.0)].map(pixel), ACCENT, 2);
    }

    /// Names go to the right of their point, or to the left where the plot ends; one that would cover another is moved down.
    fn draw_names(&self, canvas: &mut Canvas, x: Axis, y: Axis) {
        const LINE: i32 = 13;
        let mut taken: Vec<[i32; 3]> = Vec::new();
        for (point, name) in self.points.iter().zip(&self.names) {
            let (at, width) = (
                [x.pixel(point[0]), y.pixel(point[1])],
                text_width(name, 11.0),
            );
            let fits = at[0] + 9 + width <= WIDTH;
            let left = if fits { at[0] + 9 } else { at[0] - 9 - width };
            let mut middle = at[1];
            let covers = |middle: i32| {
                let meets = |[l, m, r]: &[i32; 3]| {
                    left < *r && *l < left + width && (middle - *m).abs() < LINE
                };
                taken.iter().any(meets)
            };
            while covers(middle) && middle < HEIGHT - BOTTOM - LINE {
                middle += LINE;
            }
            taken.push([left, middle, left + width]);
            let (anchor, start) = if fits {
                (Anchor::Left, left)
            } else {
                (Anchor::Right, at[0] - 9)
            };
            canvas.text([start, middle], name, 11.0, INK, anchor);
        }
    }
}
