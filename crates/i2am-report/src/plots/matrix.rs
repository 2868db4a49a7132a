//! Numbers in a grid of colors.

use i2am_quantity::{Marks, number};
use i2am_results::{CorrelationRow, Unit};

use super::footnote::{Footnote, marked};
use super::{Plot, PlotGroup};
use crate::level::is_whole;
use crate::run::Run;
use crate::series::slug;
use i2am_plot::{Anchor, Canvas, INK, MUTED, PAPER, diverging, text_width, title_width};

/// Columns under one heading.
pub(super) struct Group {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
}

/// A grid of values, empty ones left blank.
pub(super) struct Matrix {
    pub(super) title: String,
    pub(super) remark: String,
    pub(super) rows: Vec<String>,
    pub(super) groups: Vec<Group>,
    /// By row, then over the columns of all groups.
    pub(super) cells: Vec<Vec<Option<f64>>>,
    /// Whether a row or a column has the mark of one-token maps.
    pub(super) marks: Marks,
    /// The value that has the full color.
    pub(super) full: f64,
}

/// Height of a cell.
const ROW: i32 = 26;
/// Least width of a cell that can hold a number.
const WITH_NUMBER: i32 = 42;
/// Gap between groups.
const GAP: i32 = 8;
/// Where the grid starts, below title and remark.
const TOP: i32 = 58;
const SIZE: f64 = 12.0;
const SMALL: f64 = 11.0;

impl Matrix {
    pub(super) fn draw(&self) -> Canvas {
        let columns: usize = self.groups.iter().map(|group| group.columns.len()).sum();
        let labels = self.groups.iter().flat_map(|group| &group.columns);
        let widest = labels
            .map(|label| text_width(label, SMALL))
            .max()
            .unwrap_or(0);
        let cell = match columns {
            0..=10 => (widest + 12).clamp(52, 110),
            11..=16 => 52,
            17..=24 => WITH_NUMBER,
            25..=48 => 26,
            _ => 16,
        };
        let left = 24
            + self
                .rows
                .iter()
                .map(|row| text_width(row, SIZE))
                .max()
                .unwrap_or(0);
        let upright = widest > cell - 4;
        let label_height = if upright { widest + 10 } else { 20 };
        let has_titles = self.groups.iter().any(|group| !group.title.is_empty());
        let title_height = if has_titles { 20 } else { 0 };
        let top = TOP + title_height + label_height;
        let gaps = (self.groups.len() as i32 - 1).max(0) * GAP;
        let grid = columns as i32 * cell + gaps;
        let bottom = top + self.rows.len() as i32 * ROW;
        let head = 28 + text_width(&self.remark, SIZE).max(title_width(&self.title));
        let width = (left + grid + 20).max(head);
        let footnote = Footnote::new(self.marks, width);
        let mut canvas = Canvas::new(width, bottom + 44 + footnote.height());
        footnote.draw(&mut canvas, bottom + 48);
        canvas.heading(&self.title, &self.remark);

        let mut x = left;
        let mut first = 0;
        for group in &self.groups {
            if !group.title.is_empty() {
                canvas.text([x, TOP + 8], &group.title, SMALL, MUTED, Anchor::Left);
            }
            for (index, label) in group.columns.iter().enumerate() {
                let middle = x + cell / 2;
                let (at, anchor) = if upright {
                    ([middle, top - 6], Anchor::Up)
                } else {
                    ([middle, top - 10], Anchor::Middle)
                };
                canvas.text(at, label, SMALL, INK, anchor);
                for (row, cells) in self.cells.iter().enumerate() {
                    let y = top + row as i32 * ROW;
                    self.draw_cell(&mut canvas, cells[first + index], [x, y], cell);
                }
                x += cell;
            }
            first += group.columns.len();
            x += GAP;
        }
        for (row, label) in self.rows.iter().enumerate() {
            let y = top + row as i32 * ROW + ROW / 2;
            canvas.text([left - 8, y], label, SIZE, INK, Anchor::Right);
        }
        self.draw_legend(&mut canvas, left, bottom + 18);
        canvas
    }

    fn draw_cell(&self, canvas: &mut Canvas, value: Option<f64>, [x, y]: [i32; 2], cell: i32) {
        let Some(value) = value else {
            canvas.text(
                [x + cell / 2, y + ROW / 2],
                "·",
                SIZE,
                MUTED,
                Anchor::Middle,
            );
            return;
        };
        let (color, light) = diverging(value / self.full);
        canvas.rectangle([x + 1, y + 1], [x + cell - 1, y + ROW - 1], color);
        if cell >= WITH_NUMBER {
            // Not the color of ink, which a dark page exchanges while the cell stays light.
            let ink = if light {
                [0xFD, 0xFD, 0xFD]
            } else {
                [0x20, 0x20, 0x20]
            };
            canvas.text(
                [x + cell / 2, y + ROW / 2],
                number(value, 2),
                SMALL,
                ink,
                Anchor::Middle,
            );
        }
    }

    fn draw_legend(&self, canvas: &mut Canvas, left: i32, y: i32) {
        const STEPS: i32 = 40;
        const STEP: i32 = 3;
        let low = number(-self.full, 1);
        canvas.text([left, y + 5], &low, SMALL, MUTED, Anchor::Left);
        let start = left + text_width(&low, SMALL) + 8;
        for step in 0..STEPS {
            let share = 2.0 * (f64::from(step) + 0.5) / f64::from(STEPS) - 1.0;
            let x = start + step * STEP;
            canvas.rectangle([x, y], [x + STEP, y + 10], diverging(share).0);
        }
        let end = [start + STEPS * STEP + 8, y + 5];
        canvas.text(end, number(self.full, 1), SMALL, MUTED, Anchor::Left);
        // A hair of paper where the sign changes.
        let zero = start + STEPS * STEP / 2;
        canvas.path(vec![[zero, y], [zero, y + 10]], PAPER, 1);
    }
}

/// How scores correlate with metrics, one matrix for each unit: over models, and pooled over samples.
pub(super) fn plots(runs: &[Run]) -> Vec<Plot> {
    let mut plots = Vec::new();
    for run in runs {
        for unit in [Unit::Model, Unit::Pooled] {
            if let Some(matrix) = of_unit(run, unit) {
                let mut name = format!("correlations_{unit}");
                if runs.len() > 1 {
                    name = format!("{name}_{}", slug(&run.label));
                }
                plots.push(Plot {
                    description: format!("{}. {}", matrix.title, matrix.remark),
                    group: PlotGroup::Agreement,
                    drawing: matrix.draw().drawing(),
                    name,
                });
            }
        }
    }
    plots
}

fn of_unit(run: &Run, unit: Unit) -> Option<Matrix> {
    let wanted = |row: &&CorrelationRow| {
        row.unit == unit
            && row.rival.is_empty()
            && row.oriented.is_some()
            && is_whole(row.level.as_ref())
    };
    let rows: Vec<&CorrelationRow> = run.correlations.iter().filter(wanted).collect();
    // Ranks hold for any scale; what else there is serves as well.
    let methods = ["spearman", "kendall", "pearson"];
    let method = methods
        .into_iter()
        .find(|method| rows.iter().any(|row| row.method == *method))?;
    let rows: Vec<&CorrelationRow> = rows
        .into_iter()
        .filter(|row| row.method == method)
        .collect();
    let given = |row: &CorrelationRow| {
        let score = marked(run.title(&row.score, ""), row.note.marks());
        if row.covariate.is_empty() {
            score
        } else {
            format!(
                "{score} given {}",
                row.covariate.replace('_', " ").replace('+', ", ")
            )
        }
    };
    let (mut scores, mut metrics) = (Vec::new(), Vec::new());
    for row in &rows {
        let (score, metric) = (given(row), run.title(&row.metric, &row.variant));
        if !scores.contains(&score) {
            scores.push(score);
        }
        if !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    let mut cells = vec![vec![None; metrics.len()]; scores.len()];
    for row in &rows {
        let score = scores.iter().position(|score| *score == given(row));
        let metric = run.title(&row.metric, &row.variant);
        let metric = metrics.iter().position(|known| *known == metric);
        if let (Some(score), Some(metric)) = (score, metric) {
            cells[score][metric] = row.oriented;
        }
    }
    let n = rows.iter().map(|row| row.n).max().unwrap_or_default();
    let over = match unit {
        Unit::Model => format!("{n} models"),
        _ => format!("{n} samples within models, pooled"),
    };
    let mut name = method.to_owned();
    name[..1].make_ascii_uppercase();
    Some(Matrix {
        title: format!("{name} correlation over {over}"),
        remark: "Positive: the metric is better where the score is higher".to_owned(),
        rows: scores,
        groups: vec![Group {
            title: String::new(),
            columns: metrics,
        }],
        marks: rows.iter().map(|row| row.note.marks()).collect(),
        cells,
        full: 1.0,
    })
}
