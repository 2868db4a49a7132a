//! The command line: commands, flags, and their help.

mod export;
mod maps;
mod models;
mod report;
mod show;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use i2am_files::Separator;
use i2am_imaging::MAX_MEGAPIXELS;
use i2am_metrics::DEFAULT_BATCH;
use i2am_stats::Method;
use serde::de::DeserializeOwned;

pub(crate) use export::{CompletionsArgs, ExportArgs, ExportFormat, ManArgs};
pub(crate) use maps::{ImacsArgs, ScoreArgs};
pub(crate) use models::ModelsArgs;
pub(crate) use report::ReportArgs;
pub(crate) use show::ShowArgs;

use crate::metrics::{Filter, ResizedSide};
use crate::shard::Shard;
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
  bench show results/demo                                   show the table of a finished run again; with flags, its other parts
  bench report --results results/demo                       write tables, plots and a page for the browser

Exit codes:
  0  done
  1  failed
  2  the command line or the configuration is wrong
  3  worse than the baseline
  4  some samples failed; the others are done";

const CHECK_EXAMPLES: &str = "Nothing is computed and nothing is written, but checkpoints that are named `hf:` are downloaded into the cache, as by a run. A fault is \
reported with the same message and exit code as by a run.

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
    /// Print the completions of a shell: bash, zsh, fish, elvish, powershell.
    Completions(CompletionsArgs),
    /// Correlate the columns of a table by Pearson, Spearman and Kendall, with p-values and intervals.
    Correlate(CorrelateArgs),
    /// Write a run for TensorBoard, MLflow or a model card.
    Export(ExportArgs),
    /// Show what is in a checkpoint: family, layout, number format, and missing, unused or wrong tensors.
    Inspect(InspectArgs),
    /// Score one attribution map from any source against a mask.
    Imacs(ImacsArgs),
    /// List families, data sets, scores, metrics, protocols, statistics and conventions.
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// Print the page of the manual, or write the pages of all commands.
    Man(ManArgs),
    /// Compute metrics of two folders of images, such as FID, LPIPS and SSIM.
    Measure(MeasureArgs),
    /// Join the shards of one run.
    Merge(MergeArgs),
    /// List published checkpoints of every family: name, size, license, and what else a run needs.
    Models(ModelsArgs),
    /// Write tables (Markdown, LaTeX, CSV), plots (SVG) and a page for the browser, for one run or several.
    Report(ReportArgs),
    /// Score attention that other programs exported, as a run.
    Score(ScoreArgs),
    /// Show any part of a run that is there: scores, levels, heads, correlations, failures.
    Show(ShowArgs),
    /// Write the synthetic try-on set in VITON-HD's layout.
    Synth(SynthArgs),
    /// Generate the samples that standard input names; a run starts its workers so.
    #[command(hide = true)]
    Work(RunArgs),
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
    /// Where to compute: `cpu`, `cuda:N`, or `cuda:all` for one worker on each GPU.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Number of threads [default: all cores].
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Number of processes that generate side by side and share the threads [default: 1; on the CPU, one for each thread if all models
    /// are small].
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) workers: Option<usize>,
    /// Run every N-th sample, starting with the I-th, into `<output>.shard-I-of-N`; `bench merge` joins the shards. `slurm` takes I and N
    /// from the variables of the array job in which the program runs.
    #[arg(long, value_name = "I/N|slurm")]
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
    /// Print every part of the results, as `bench show --all` does.
    #[arg(long, short, conflicts_with = "json")]
    pub(crate) verbose: bool,
}

/// The stages of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum StageName {
    /// Generate the images and the attention records.
    Generate,
    /// Compute the scores, overlays and sheets from the records.
    Score,
    /// Compute the metrics of the tables `[metric.NAME]`, such as FID, LPIPS and SSIM.
    Measure,
    /// With a table `[faithfulness]`: take parts of the reference away and compare what changes with the maps.
    Faithfulness,
    /// Correlate scores with metrics, over models and over samples.
    Correlate,
    /// Write tables, plots and the page.
    Report,
}

impl StageName {
    /// As on the command line, and in a manifest.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "generate",
            Self::Score => "score",
            Self::Measure => "measure",
            Self::Faithfulness => "faithfulness",
            Self::Correlate => "correlate",
            Self::Report => "report",
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "The table is a CSV with a header. An empty cell is a missing value, and with --gaps also `NaN`, `NA` and the like; a pair of \
columns uses the rows that have both values. \
Every column of --x is correlated with every column of --y. p is computed from all permutations up to 9 rows, and from random ones above; \
Holm's correction is over the pairs of one method; low and high are a BCa bootstrap interval. With --covariate the correlations are \
computed a second time with those columns held constant. `oriented` has the opposite sign for columns where lower is better (known for \
FID, KID and LPIPS; otherwise see --lower), so a positive value means that a higher x comes with a better y. With fewer than 5 rows no \
claim is possible, and there is no interval.

Examples:
  bench correlate --table scores.csv --x imacs_g imacs_r --y fid kid ssim
  bench correlate --table scores.csv --x imacs_g --y lpips --method spearman --covariate mask_area --json
  bench correlate --table runs.csv --x imacs --y seconds --lower seconds
  bench correlate --table excel.csv --separator semicolon --decimal-comma --gaps --x imacs --y fid
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
    /// What separates the columns of the table: `comma`, `semicolon` or `tab`.
    #[arg(long, value_name = "NAME", default_value = "comma")]
    pub(crate) separator: Separator,
    /// The decimal mark of the table is a comma.
    #[arg(long)]
    pub(crate) decimal_comma: bool,
    /// Take cells such as `NaN`, `NA`, `null` and `-` as missing values, like empty ones.
    #[arg(long)]
    pub(crate) gaps: bool,
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
    #[arg(long, conflicts_with_all = ["table", "x", "y", "methods", "covariates", "lower", "higher", "separator", "decimal_comma", "gaps"])]
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
  bench compare --results results/ci --baseline results/baselines/ci.json --update    make the run the baseline
  bench compare --results results/ci --baseline results/baselines/ci.json --junit compare.xml --summary \"$GITHUB_STEP_SUMMARY\""
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
    /// Also write the comparison as JUnit XML: a suite for each model, a test for each value.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Also add the comparison as Markdown to the end of this file, such as `$GITHUB_STEP_SUMMARY`.
    #[arg(long, value_name = "FILE")]
    pub(crate) summary: Option<PathBuf>,
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
  bench inspect Paint-by-Example --variant fp16
  bench inspect VITONHD.ckpt --json
  bench inspect hf:Fantasy-Studio/Paint-by-Example          downloaded first, if it is not in the cache")]
pub(crate) struct InspectArgs {
    /// A diffusers folder, an LDM `.ckpt`, any safetensors or PyTorch file, the index of shards, or one of these on the hub
    /// (`hf:OWNER/NAME[@REVISION][/PATH]`).
    pub(crate) checkpoint: PathBuf,
    /// Which variant of the weights to take where a folder has several, such as fp16.
    #[arg(long)]
    pub(crate) variant: Option<String>,
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
    after_help = "Each side is a folder of PNG and JPEG images, or a .txt file that lists one image per line. Metrics of pairs, such as \
LPIPS and SSIM, compare files with the same name in two folders, whatever the ending, or on the same line of two lists; with --resize the \
two may differ in size. For FID a side can also be statistics (.npz with mu and sigma), as written by pytorch-fid, clean-fid and --write-statistics.

Examples:
  bench measure --generated out/ --real test/image/ --metric fid --metric kid
  bench measure --generated out/ --real test/image/ --metric lpips:alex --metric ssim --metric psnr --per-sample --json
  bench measure --generated out.txt --real real.txt --metric ssim --resize pillow-bicubic
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
    /// Bring the two images of a pair to one size by this filter; a run uses `pillow-bicubic`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) resize: Option<Filter>,
    /// The image of a pair that --resize brings to the size of the other; a run resizes the real one.
    #[arg(long, value_name = "SIDE", default_value = "real", requires = "resize")]
    pub(crate) resize_side: ResizedSide,
    /// A setting of a metric, e.g. `kid.seed=7`; may be repeated.
    #[arg(long = "set", value_name = "METRIC.KEY=VALUE")]
    pub(crate) sets: Vec<String>,
    /// A file of the weights NAME, such as `inception` or `lpips-alex`; can be repeated.
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
    /// Size of the largest image that is read, in megapixels.
    #[arg(long, value_name = "N", default_value_t = MAX_MEGAPIXELS)]
    pub(crate) max_megapixels: u32,
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

/// A setting by its word in a configuration.
fn parse_word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
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
