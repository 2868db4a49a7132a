//! The command line: commands, flags, and their help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use i2am_attribution::ConventionName;
use i2am_metrics::DEFAULT_BATCH;
use i2am_report::PageConfig;
use i2am_stats::Method;

use crate::suggest;

const EXAMPLES: &str = "Examples:
  bench --config configs/demo.toml                          run all stages of a configuration
  bench --config configs/demo.toml --limit 2 --fresh        run the first two samples only, from the beginning
  bench --config configs/demo.toml --set model.0.sampler.steps=10
  bench --config configs/demo.toml --stages score           score the existing attention records again
  bench check --config configs/demo.toml                    report everything that a run would refuse; compute nothing
  bench inspect datasets/zoo/paint-by-example               show what is in a checkpoint
  bench measure --generated A --real B --metric fid         compute metrics of two folders of images
  bench compare --results results/ci --baseline results/baselines/ci.json
  bench --config configs/demo.toml --shard 1/2              run half of the samples, into results/demo.shard-1-of-2
  bench merge results/demo.shard-1-of-2 results/demo.shard-2-of-2 --into results/demo
  bench correlate --table scores.csv --x imacs --y fid      correlate columns of a table
  bench report --results results/demo                       write tables, plots and a page for the browser

Exit codes:
  0  done
  1  failed
  2  the command line or the configuration is wrong
  3  worse than the baseline
  4  some samples failed; the others are done";

const CHECK_EXAMPLES: &str = "Nothing is computed and nothing is written. A fault is reported with the same message and exit code as by a run.

Examples:
  bench check --config configs/demo.toml
  bench check --config configs/pasd.toml --device cuda:0 --json
  bench check --config configs/demo.toml --stages score     check only what scoring needs: no checkpoint";

const LIST_EXAMPLES: &str = "Example:
  bench list                 all names that a configuration can use";

/// Evaluation benchmark for image-to-image latent diffusion models. It generates an image for each sample of a data set, records the
/// attention between the reference image and the generated image, and scores how well it agrees with the masked region.
#[derive(Debug, Parser)]
#[command(name = "bench", version = env!("I2AM_VERSION"), after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: Option<RunArgs>,
    /// Print only warnings and errors on standard error.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Report everything that a run would refuse: paths, tensors, settings. Computes nothing.
    #[command(after_help = CHECK_EXAMPLES)]
    Check(RunArgs),
    /// Compare a run with a committed baseline. Exits with code 3 if the run is worse.
    Compare(CompareArgs),
    /// Correlate the columns of a table by Pearson, Spearman and Kendall, with p-values and intervals.
    Correlate(CorrelateArgs),
    /// Show what is in a checkpoint: family, layout, number format, and missing, unused or wrong tensors.
    Inspect(InspectArgs),
    /// Score one attribution map from any source against a mask.
    Imacs(ImacsArgs),
    /// List families, data sets, scores, metrics, statistics and conventions.
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// Compute metrics of two folders of images: FID, KID, LPIPS, SSIM, PSNR.
    Measure(MeasureArgs),
    /// Join the shards of one run.
    Merge(MergeArgs),
    /// Write tables (Markdown, LaTeX, CSV), plots (SVG) and a page for the browser, for one run or several.
    Report(ReportArgs),
    /// Write the synthetic try-on set in VITON-HD's layout.
    Synth(SynthArgs),
}

impl Cli {
    /// Whether networks may run.
    #[cfg(feature = "torch")]
    pub(crate) fn computes(&self) -> bool {
        self.run.is_some() || matches!(self.command, Some(Command::Measure(_)))
    }
}

/// What to run, and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// The configuration (TOML); docs/configuration.md describes every key.
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// Stages to run, separated by commas [default: all]. They always run in the order listed here.
    #[arg(long, value_delimiter = ',', value_enum)]
    pub(crate) stages: Vec<StageName>,
    /// Use only the first N samples.
    #[arg(long)]
    pub(crate) limit: Option<usize>,
    /// Where to compute: `cpu` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Number of threads [default: all cores].
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Run every N-th sample, starting with the I-th, into `<output>.shard-I-of-N`; `bench merge` joins the shards.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Delete what an earlier run wrote into the output folder, and start from the beginning.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Replace a value of the configuration, e.g. `seed=7` or `model.0.guidance=1.0`; can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The stages of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum StageName {
    /// Generate the images and the attention records.
    Generate,
    /// Compute the scores, overlays and sheets from the records.
    Score,
    /// Compute the metrics of the tables `[metric.NAME]`: FID, KID, LPIPS, SSIM, PSNR.
    Measure,
    /// Correlate scores with metrics, over models and over samples.
    Correlate,
    /// Write tables, plots and the page.
    Report,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The table is a CSV with a header. An empty cell is a missing value; a pair of columns uses the rows that have both values. \
Every column of --x is correlated with every column of --y. p is computed from all permutations up to 9 rows, and from random ones above; \
Holm's correction is over the pairs of one method; low and high are a BCa bootstrap interval. With --covariate the correlations are \
computed a second time with those columns held constant. `oriented` has the opposite sign for columns where lower is better (known for \
FID, KID and LPIPS; otherwise see --lower), so a positive value means that a higher x comes with a better y. With fewer than 5 rows no \
claim is possible, and there is no interval.

Examples:
  bench correlate --table scores.csv --x imacs_g imacs_r --y fid kid ssim
  bench correlate --table scores.csv --x imacs_g --y lpips --method spearman --covariate mask_area --json
  bench correlate --table runs.csv --x imacs --y seconds --lower seconds
  bench correlate --config configs/paper-table.toml"
)]
pub(crate) struct CorrelateArgs {
    /// The table: a CSV with a header.
    #[arg(long, value_name = "FILE.csv", required_unless_present = "config")]
    pub(crate) table: Option<PathBuf>,
    /// Columns to correlate with those of --y, e.g. scores.
    #[arg(long, value_name = "COLUMN", num_args = 1.., required_unless_present = "config")]
    pub(crate) x: Vec<String>,
    /// Columns to correlate with those of --x, e.g. metrics.
    #[arg(long, value_name = "COLUMN", num_args = 1.., required_unless_present = "config")]
    pub(crate) y: Vec<String>,
    /// `pearson`, `spearman` or `kendall`; can be repeated [default: all].
    #[arg(long = "method", value_name = "NAME", value_parser = parse_method)]
    pub(crate) methods: Vec<Method>,
    /// A column to hold constant; can be repeated.
    #[arg(long = "covariate", value_name = "COLUMN")]
    pub(crate) covariates: Vec<String>,
    /// Columns of --y where lower is better.
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    pub(crate) lower: Vec<String>,
    /// Columns of --y where higher is better.
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    pub(crate) higher: Vec<String>,
    /// Number of bootstrap resamples for an interval.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) resamples: usize,
    /// Number of random permutations for a p-value.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) permutations: usize,
    /// Confidence level of the intervals.
    #[arg(long, value_name = "0..1", default_value_t = 0.95)]
    pub(crate) level: f64,
    /// Seed of resamples and permutations.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A configuration with the table `[table]`, instead of the flags above.
    #[arg(long, conflicts_with_all = ["table", "x", "y", "methods", "covariates", "lower", "higher"])]
    pub(crate) config: Option<PathBuf>,
    /// Replace a value of that configuration, e.g. `statistics.seed=7`; can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "config")]
    pub(crate) sets: Vec<String>,
    /// Number of threads [default: all cores]. The results do not depend on it.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The command compares the scores of each model, and the values of single samples: maps at the level `unified`, and metrics \
that compare image by image. The baseline states under `tolerances` how far each value may change and which direction is better; --update \
keeps the tolerances. Another checkpoint, device or program version is reported and compared; another configuration or data set is refused.

Exit codes:
  0  nothing is worse
  1  the results cannot be read
  2  the run and the baseline cannot be compared, or there is no baseline
  3  a value is worse by more than its tolerance, or a value of the baseline is missing

Examples:
  bench compare --results results/ci --baseline results/baselines/ci.json
  bench compare --results results/ci --baseline results/baselines/ci.json --json
  bench compare --results results/ci --baseline results/baselines/ci.json --update    make the run the baseline"
)]
pub(crate) struct CompareArgs {
    /// The folder of the run.
    #[arg(long, value_name = "DIR")]
    pub(crate) results: PathBuf,
    /// The baseline (JSON).
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: PathBuf,
    /// Make this run the baseline, and keep the tolerances of the file.
    #[arg(long)]
    pub(crate) update: bool,
    /// Also show values that are within their tolerance.
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The folders must come from the same configuration, data set and checkpoints. A sample that two of them contain must be equal \
in both. Scores of whole sets (FID, KID) are not merged: measure them afterwards, as in the example.

Example:
  bench --config configs/demo.toml --shard 1/2
  bench --config configs/demo.toml --shard 2/2
  bench merge results/demo.shard-* --into results/demo
  bench --config configs/demo.toml --stages measure"
)]
pub(crate) struct MergeArgs {
    /// The folders of the shards.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) parts: Vec<PathBuf>,
    /// The folder of the whole run; samples that are already there are kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Weights are not loaded, and no code of the file is run.

Examples:
  bench inspect datasets/zoo/paint-by-example
  bench inspect VITONHD.ckpt --json")]
pub(crate) struct InspectArgs {
    /// A diffusers folder, an LDM `.ckpt`, or any safetensors or PyTorch file.
    pub(crate) checkpoint: PathBuf,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The map is a gray PNG, or a safetensors file with one tensor of two axes. The convention normalizes it: min-max, resize to the \
size of the mask, min-max, polarity, floor.

Examples:
  bench imacs --map map.png --mask mask.png
  bench imacs --map map.safetensors --mask mask.png --convention released-code --json"
)]
pub(crate) struct ImacsArgs {
    /// The raw attribution map.
    #[arg(long)]
    pub(crate) map: PathBuf,
    /// The mask, an image; white marks the region that the map should agree with.
    #[arg(long)]
    pub(crate) mask: PathBuf,
    /// The convention that normalizes the map.
    #[arg(long, default_value = "spatial")]
    pub(crate) convention: ConventionName,
    /// The map is over the reference image (`g2r`), not over the generated image.
    #[arg(long)]
    pub(crate) reference: bool,
    /// Weight of the attribution outside the mask.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) penalty: f64,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command are independent"
)]
#[command(
    after_help = "Each side is a folder of PNG and JPEG images, or a .txt file that lists one image per line. LPIPS, SSIM and PSNR compare \
files with the same name in two folders, or on the same line of two lists. For FID a side can also be statistics (.npz with mu and \
sigma), as written by pytorch-fid, clean-fid and --write-statistics.

Examples:
  bench measure --generated out/ --real test/image/ --metric fid --metric kid
  bench measure --generated out/ --real test/image/ --metric lpips:alex --metric ssim --metric psnr --per-sample --json
  bench measure --generated out/ --real test/image/ --metric fid:clean --metric fid:torch-fidelity
  bench measure --real test/image/ --metric fid --write-statistics test.npz
  bench measure --generated out/ --real test.npz --metric fid"
)]
pub(crate) struct MeasureArgs {
    /// The images of a model: a folder, a list, or statistics.
    #[arg(long, required_unless_present = "write_statistics")]
    pub(crate) generated: Option<PathBuf>,
    /// The images to compare with: a folder, a list, or statistics.
    #[arg(long)]
    pub(crate) real: PathBuf,
    /// A metric and its variant (`bench list` names them); can be repeated.
    #[arg(long = "metric", value_name = "NAME[:VARIANT]", required = true)]
    pub(crate) metrics: Vec<String>,
    /// Also use images in subfolders.
    #[arg(long, short)]
    pub(crate) recursive: bool,
    /// Number of channels of the features for FID: 64, 192, 768 or 2048.
    #[arg(long, value_name = "CHANNELS")]
    pub(crate) tap: Option<u32>,
    /// Number of images of each side in a subset for KID.
    #[arg(long, value_name = "N")]
    pub(crate) subset_size: Option<u32>,
    /// Number of subsets for KID.
    #[arg(long, value_name = "N")]
    pub(crate) subsets: Option<u32>,
    /// Width in pixels of the border that PSNR and SSIM leave out, as is usual in super-resolution.
    #[arg(long, value_name = "PIXELS")]
    pub(crate) crop_border: Option<u32>,
    /// A setting of a metric, e.g. `kid.seed=7`; may be repeated.
    #[arg(long = "set", value_name = "METRIC.KEY=VALUE")]
    pub(crate) sets: Vec<String>,
    /// A file of weights for `inception`, `lpips-alex`, `lpips-vgg` or `lpips-squeeze`; can be repeated.
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) weights: Vec<String>,
    /// Write the FID statistics of the real images into this file.
    #[arg(long, value_name = "FILE.npz")]
    pub(crate) write_statistics: Option<PathBuf>,
    /// Also print the values of single pairs, in the order of the file names.
    #[arg(long)]
    pub(crate) per_sample: bool,
    /// Write an image for each pair that shows where the pair differs (LPIPS), dark for 0 and bright for 1.
    #[arg(long, value_name = "DIR")]
    pub(crate) maps: Option<PathBuf>,
    /// Number of images in a batch of a network. Values depend on it only by rounding.
    #[arg(long, default_value_t = DEFAULT_BATCH, value_parser = parse_count)]
    pub(crate) batch_size: usize,
    /// Folder of cached features [default: the user's cache folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Do not use cached features, and do not cache any.
    #[arg(long, conflicts_with = "cache")]
    pub(crate) no_cache: bool,
    /// Where to compute: `cpu` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Number of threads [default: all cores].
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The command writes tables/, plots/ and report.html, which is a single file that needs no network. The report of one run is \
written into its own folder and replaces an earlier report. Images of the data set are shown if they are still in the same place.

Examples:
  bench report --results results/demo
  bench report --results results/demo --intervals --samples 12 --max-megabytes 30
  bench report --results results/a results/b --out results/a-and-b"
)]
pub(crate) struct ReportArgs {
    /// Folders of runs; the runs need not be finished.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    pub(crate) results: Vec<PathBuf>,
    /// Where to write the report; required for several runs.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
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

#[derive(Debug, Args)]
#[command(after_help = "The same seed gives the same images.

Example:
  bench synth --out datasets/generated/try-on --seed 7 --count 16 --size 512x384")]
pub(crate) struct SynthArgs {
    /// The folder to write into.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Seed of the images.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Number of samples.
    #[arg(long, default_value_t = 16)]
    pub(crate) count: usize,
    /// Height and width of the images in pixels.
    #[arg(long, default_value = "128x96", value_parser = parse_size)]
    pub(crate) size: (usize, usize),
}

/// A part of the samples: `index` of `count`, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    pub(crate) index: usize,
    pub(crate) count: usize,
}

impl std::str::FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err("expected I/N with I from 1 to N, e.g. 1/4".to_owned()),
        }
    }
}

fn parse_count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|&count| count > 0);
    count.ok_or_else(|| "expected at least 1".to_owned())
}

fn parse_method(text: &str) -> Result<Method, String> {
    Method::find(text).ok_or_else(|| suggest::help(text, Method::ALL.map(Method::as_str)))
}

fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let parts = text
        .split_once('x')
        .and_then(|(h, w)| Some((h.parse().ok()?, w.parse().ok()?)));
    parts.ok_or_else(|| "expected HEIGHTxWIDTH, e.g. 128x96".to_owned())
}
