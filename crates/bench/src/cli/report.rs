//! Flags of `bench report`.

use std::path::PathBuf;

use clap::Args;
use i2am_report::PageConfig;

#[derive(Debug, Args)]
#[command(
    after_help = "The command writes tables/, plots/ and report.html, which is a single file that needs no network. The report of one run is \
written into its own folder and replaces an earlier report. Images of the data set are shown if they are still in the same place.

Examples:
  bench report --results results/demo
  bench report --results results/demo --intervals --samples 12 --max-megabytes 30
  bench report --results results/demo --paper               also LaTeX tables and figures, into results/demo/paper
  bench report --results results/a results/b --out results/a-and-b"
)]
pub(crate) struct ReportArgs {
    /// Folders of runs; the runs need not be finished.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    pub(crate) results: Vec<PathBuf>,
    /// Where to write the report; required for several runs.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Also write tables and figures for a paper into the folder `paper`: LaTeX, with all plots as TikZ and SVG.
    #[arg(long)]
    pub(crate) paper: bool,
    /// Show means with their 95 % intervals.
    #[arg(long)]
    pub(crate) intervals: bool,
    /// Number of samples of each model that the page shows with maps.
    #[arg(long, value_name = "N", default_value_t = PageConfig::default().samples)]
    pub(crate) samples: usize,
    /// Largest size of the page; maps that do not fit are left out.
    #[arg(long, value_name = "MB", default_value_t = PageConfig::default().max_megabytes)]
    pub(crate) max_megabytes: f64,
}
