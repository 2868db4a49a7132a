//! The plots of a report.

mod curves;
mod distributions;
mod footnote;
mod knock_out;
mod ladder;
mod levels;
mod matrix;
mod randomized;
mod scatter;
mod truth;

use i2am_plot::Drawing;

use crate::ReportError;
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
    /// The drawing, for screens and for LaTeX.
    pub drawing: Drawing,
}

/// What a plot is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlotGroup {
    /// How scores correlate with metrics.
    Agreement,
    /// Whether maps point at what images depend on.
    Truth,
    /// How scores and metrics follow damage.
    Ladder,
    /// Where in a model attention looks outside the mask.
    Levels,
    /// How the values of samples are spread.
    Distributions,
}

/// The plots that `runs` have something for, in the order of a reader.
///
/// # Errors
/// A file of a run that is there and cannot be read.
pub(crate) fn all(runs: &[Run]) -> Result<Vec<Plot>, ReportError> {
    let mut plots = matrix::plots(runs);
    plots.extend(scatter::plots(runs));
    plots.extend(truth::plots(runs)?);
    plots.extend(curves::plots(runs)?);
    plots.extend(knock_out::plots(runs));
    plots.extend(randomized::plots(runs));
    plots.extend(ladder::plots(runs));
    plots.extend(levels::plots(runs));
    plots.extend(distributions::plots(runs));
    Ok(plots)
}

/// Name of a model among those of all runs.
fn model_label(runs: &[Run], run: &Run, model: &str) -> String {
    if runs.len() > 1 {
        format!("{}: {model}", run.label)
    } else {
        model.to_owned()
    }
}
