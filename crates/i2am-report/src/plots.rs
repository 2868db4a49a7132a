//! The plots of a report.

mod distributions;
mod footnote;
mod levels;
mod matrix;
mod scatter;

use crate::run::Run;

/// A plot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// Name of its file, without ending.
    pub name: String,
    /// What it shows, for those who cannot see it.
    pub description: String,
    /// Under which heading it stands on the page.
    pub group: PlotGroup,
    /// The drawing.
    pub svg: String,
}

/// What a plot is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlotGroup {
    /// How scores correlate with metrics.
    Agreement,
    /// Where in a model attention looks outside the mask.
    Levels,
    /// How the values of samples are spread.
    Distributions,
}

/// The plots that `runs` have something for, in the order of a reader.
pub(crate) fn all(runs: &[Run]) -> Vec<Plot> {
    let mut plots = matrix::plots(runs);
    plots.extend(scatter::plots(runs));
    plots.extend(levels::plots(runs));
    plots.extend(distributions::plots(runs));
    plots
}

/// Name of a model among those of all runs.
fn model_label(runs: &[Run], run: &Run, model: &str) -> String {
    if runs.len() > 1 {
        format!("{}: {model}", run.label)
    } else {
        model.to_owned()
    }
}
