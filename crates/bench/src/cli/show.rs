//! Flags of `bench show`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command are independent"
)]
#[command(
    after_help = "Without flags the command shows what a run ends with: models by their headline scores, best first. Tables are at most 80 columns \
wide where that is possible. The run need not be finished, and nothing is computed or written.

Examples:
  bench show results/demo
  bench show results/demo --levels --model stable-viton-prints
  bench show results/demo --heads --failures
  bench show results/demo --correlations"
)]
pub(crate) struct ShowArgs {
    /// The folder of the run.
    #[arg(value_name = "RESULTS")]
    pub(crate) results: PathBuf,
    /// Models by their headline scores; shown if nothing else is asked for.
    #[arg(long)]
    pub(crate) scores: bool,
    /// The headline scores of maps at every level: time, heads, layers, resolutions, positions.
    #[arg(long)]
    pub(crate) levels: bool,
    /// The heads whose maps agree least with the mask.
    #[arg(long)]
    pub(crate) heads: bool,
    /// Number of heads of each model and direction that --heads shows.
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) top: usize,
    /// How scores correlate with metrics.
    #[arg(long)]
    pub(crate) correlations: bool,
    /// Boxes derived from maps, compared with true boxes.
    #[arg(long)]
    pub(crate) detection: bool,
    /// Whether maps point at what the image depends on.
    #[arg(long)]
    pub(crate) faithfulness: bool,
    /// Whether attention falls near the matching place.
    #[arg(long)]
    pub(crate) locality: bool,
    /// Whether maps of single positions point at the place that each position comes from.
    #[arg(long)]
    pub(crate) correspondence: bool,
    /// How scores follow damage.
    #[arg(long)]
    pub(crate) ladder: bool,
    /// Every sample that failed, with its reason.
    #[arg(long)]
    pub(crate) failures: bool,
    /// Everything that the run warned of.
    #[arg(long)]
    pub(crate) warnings: bool,
    /// What each stage took.
    #[arg(long)]
    pub(crate) time: bool,
    /// Everything that the run has.
    #[arg(long)]
    pub(crate) all: bool,
    /// Show only this model; can be repeated.
    #[arg(long = "model", value_name = "NAME")]
    pub(crate) models: Vec<String>,
    /// Show means with their 95 % intervals.
    #[arg(long)]
    pub(crate) intervals: bool,
}
