//! Flags.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use i2am_attribution::ConventionName;
use i2am_metrics::DEFAULT_BATCH;
use i2am_report::PageConfig;
use i2am_stats::Method;

use crate::suggest;

const EXAMPLES: &str = "Examples:
  bench --config configs/demo.toml                          run everything a configuration says
  bench --config configs/demo.toml --limit 2 --fresh        try it on two samples
  bench --config configs/demo.toml --set model.0.sampler.steps=10
  bench --config configs/demo.toml --stages score           score existing attention records again
  bench check --config configs/demo.toml                    check paths, tensors and settings, compute nothing
  bench inspect datasets/zoo/paint-by-example               what a checkpoint is
  bench measure --generated A --real B --metric fid         compare two folders of pictures
  bench compare --results results/ci --baseline results/baselines/ci.json
  bench --config configs/demo.toml --shard 1/2              half of the samples, into results/demo.shard-1-of-2
  bench merge results/demo.shard-1-of-2 results/demo.shard-2-of-2 --into results/demo
  bench correlate --table scores.csv --x imacs --y fid      how columns of a table go together
  bench report --results results/demo                       tables, plots and a page to look at

Exit codes: 0 done, 1 failed, 2 command line or configuration, 3 worse than the baseline, 4 some samples failed.";

/// Evaluation benchmark for image-to-image latent diffusion models: generates over a dataset, captures the attention
/// between reference and generated picture, and scores how well it respects the inpainting mask.
#[derive(Debug, Parser)]
#[command(name = "bench", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) run: Option<RunArgs>,
    /// Only warnings and errors on standard error.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check everything a run needs and compute nothing: paths, tensors, settings, what would run.
    Check(RunArgs),
    /// Compare a run with a committed baseline: exit code 3 when it is worse.
    Compare(CompareArgs),
    /// Correlate columns of any table: Pearson, Spearman, Kendall, with p by permutation and bootstrap intervals.
    Correlate(CorrelateArgs),
    /// Tell what a checkpoint is: family, layout, number format, missing, unused and wrong tensors.
    Inspect(InspectArgs),
    /// Score one attribution map from anywhere against a mask.
    Imacs(ImacsArgs),
    /// List families, datasets, metrics and conventions.
    List,
    /// Compare two folders of pictures: FID, KID, LPIPS, SSIM, PSNR.
    Measure(MeasureArgs),
    /// Put the shards of one run together.
    Merge(MergeArgs),
    /// Write tables (Markdown, LaTeX, CSV), plots (SVG) and a page to look at, of one run or of several side by side.
    Report(ReportArgs),
    /// Write the synthetic try-on set in VITON-HD's layout.
    Synth(SynthArgs),
}

/// What to run and how.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// The configuration (TOML).
    #[arg(long)]
    pub(crate) config: PathBuf,
    /// Stages to run, in their order whatever the order here.
    #[arg(long, value_delimiter = ',', value_enum)]
    pub(crate) stages: Vec<StageName>,
    /// Take only the first N samples.
    #[arg(long)]
    pub(crate) limit: Option<usize>,
    /// `cpu` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Threads for everything; all cores by default.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Take every N-th sample from the I-th on, into `<output>.shard-I-of-N`; `bench merge` puts the shards together.
    #[arg(long, value_name = "I/N")]
    pub(crate) shard: Option<Shard>,
    /// Remove what an earlier run wrote into the output folder and start anew.
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Replace a value of the configuration, e.g. `seed=7` or `model.0.guidance=1.0`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(crate) sets: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The stages of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum StageName {
    /// Pictures and attention records.
    Generate,
    /// IMACS, overlays and picture sheets from the records.
    Score,
    /// What `[metric.NAME]` tables ask for: FID, KID, LPIPS, SSIM, PSNR.
    Measure,
    /// How scores go with metrics, over models and over samples.
    Correlate,
    /// Tables, plots and the page.
    Report,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The table is a CSV with a header; an empty cell is a gap, and a pair of columns takes the rows that have both. Every \
column of --x is correlated with every one of --y. p is by all permutations up to 9 rows and by random ones above; Holm's correction is \
over the pairs of one method; low and high are a BCa bootstrap interval. With --covariate the same correlations are given once more with \
those columns held constant. `oriented` turns the sign where lower is better, which is known of FID, KID and LPIPS, so that positive \
means that a higher x goes with better. With fewer than 5 rows no claim is possible, and no interval is given.

Examples:
  bench correlate --table scores.csv --x imacs_g imacs_r --y fid kid ssim
  bench correlate --table scores.csv --x imacs_g --y lpips --method spearman --covariate mask_area --json
  bench correlate --table runs.csv --x imacs --y seconds --lower seconds
  bench correlate --config configs/paper-table.toml"
)]
pub(crate) struct CorrelateArgs {
    /// A CSV with a header.
    #[arg(long, value_name = "FILE.csv", required_unless_present = "config")]
    pub(crate) table: Option<PathBuf>,
    /// Columns of one side.
    #[arg(long, value_name = "COLUMN", num_args = 1.., required_unless_present = "config")]
    pub(crate) x: Vec<String>,
    /// Columns of the other side.
    #[arg(long, value_name = "COLUMN", num_args = 1.., required_unless_present = "config")]
    pub(crate) y: Vec<String>,
    /// `pearson`, `spearman`, `kendall`; may be repeated [default: all].
    #[arg(long = "method", value_name = "NAME", value_parser = parse_method)]
    pub(crate) methods: Vec<Method>,
    /// A column to hold constant; may be repeated.
    #[arg(long = "covariate", value_name = "COLUMN")]
    pub(crate) covariates: Vec<String>,
    /// Columns of --y where lower is better.
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    pub(crate) lower: Vec<String>,
    /// Columns of --y where higher is better.
    #[arg(long, value_name = "COLUMN", num_args = 1..)]
    pub(crate) higher: Vec<String>,
    /// Resamples of an interval.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) resamples: usize,
    /// Random permutations of a test.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) permutations: usize,
    /// Chance that an interval covers the true value.
    #[arg(long, value_name = "0..1", default_value_t = 0.95)]
    pub(crate) level: f64,
    /// Seed of resamples and permutations.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// A configuration with `[table]` instead of the flags above.
    #[arg(long, conflicts_with_all = ["table", "x", "y", "methods", "covariates", "lower", "higher"])]
    pub(crate) config: Option<PathBuf>,
    /// Replace a value of that configuration, e.g. `statistics.seed=7`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "config")]
    pub(crate) sets: Vec<String>,
    /// Threads; all cores by default. Results do not depend on it.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Compared are the scores of each model, and the values of single samples at the level `unified` and of metrics of pairs. \
How far each may move, and which way is better, is in the baseline under `tolerances`; --update keeps what is there. Another \
checkpoint, device or version of a program is noted and compared; another configuration or data set is refused.

Exit codes: 0 nothing is worse, 1 the results cannot be read, 2 not comparable, or no baseline, 3 worse than the tolerance, or \
something of the baseline is missing.

Examples:
  bench compare --results results/ci --baseline results/baselines/ci.json
  bench compare --results results/ci --baseline results/baselines/ci.json --json
  bench compare --results results/ci --baseline results/baselines/ci.json --update    make the run the baseline"
)]
pub(crate) struct CompareArgs {
    /// The folder of a run.
    #[arg(long, value_name = "DIR")]
    pub(crate) results: PathBuf,
    /// The baseline (JSON).
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: PathBuf,
    /// Make the run the baseline, keeping the tolerances of the file.
    #[arg(long)]
    pub(crate) update: bool,
    /// Show what is within its tolerance too.
    #[arg(long)]
    pub(crate) all: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The folders must come from one configuration, data set and checkpoint. A sample that two of them have must be the same \
in both. Scores of whole sets (FID, KID) are not taken over: measure them on the result.

Example:
  bench --config configs/demo.toml --shard 1/2
  bench --config configs/demo.toml --shard 2/2
  bench merge results/demo.shard-* --into results/demo
  bench --config configs/demo.toml --stages measure"
)]
pub(crate) struct MergeArgs {
    /// Folders of shards.
    #[arg(required = true, value_name = "DIR")]
    pub(crate) parts: Vec<PathBuf>,
    /// The folder of the whole run; what it has is kept.
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A diffusers folder, an LDM `.ckpt`, or any safetensors or PyTorch file.
    pub(crate) checkpoint: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The map is a gray PNG or a safetensors file with one tensor of two axes. It is normalised as the
convention says: min-max, resized to the mask, min-max, polarity, floor.

Example:
  bench imacs --map map.png --mask mask.png --convention spatial --json"
)]
pub(crate) struct ImacsArgs {
    /// The raw attribution map.
    #[arg(long)]
    pub(crate) map: PathBuf,
    /// The mask as a picture; white is where attention belongs.
    #[arg(long)]
    pub(crate) mask: PathBuf,
    /// How the map is normalised.
    #[arg(long, default_value = "spatial")]
    pub(crate) convention: ConventionName,
    /// Whether the map lies over the reference (`g2r`) instead of the generated picture.
    #[arg(long)]
    pub(crate) reference: bool,
    /// Weight of attention outside the mask.
    #[arg(long, default_value_t = 3.0)]
    pub(crate) penalty: f64,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command are independent"
)]
#[command(
    after_help = "A side is a folder of PNG and JPEG pictures, or a .txt file that lists one per line. Metrics of pairs (LPIPS, SSIM, PSNR) \
compare files of the same name in two folders, and of the same line in two lists. For FID a side may also be statistics (.npz with mu \
and sigma), as pytorch-fid, clean-fid and --write-statistics make them.

Examples:
  bench measure --generated out/ --real test/image/ --metric fid --metric kid
  bench measure --generated out/ --real test/image/ --metric lpips:alex --metric ssim --metric psnr --per-sample --json
  bench measure --generated out/ --real test/image/ --metric fid:clean --metric fid:torch-fidelity
  bench measure --real test/image/ --metric fid --write-statistics test.npz
  bench measure --generated out/ --real test.npz --metric fid"
)]
pub(crate) struct MeasureArgs {
    /// What a model made: a folder, a list, or statistics.
    #[arg(long, required_unless_present = "write_statistics")]
    pub(crate) generated: Option<PathBuf>,
    /// What it is compared with: a folder, a list, or statistics.
    #[arg(long)]
    pub(crate) real: PathBuf,
    /// A metric and how it is defined (`bench list` names them); may be repeated.
    #[arg(long = "metric", value_name = "NAME[:VARIANT]", required = true)]
    pub(crate) metrics: Vec<String>,
    /// Take pictures from sub-folders too.
    #[arg(long, short)]
    pub(crate) recursive: bool,
    /// Channels of the features that FID compares: 64, 192, 768 or 2048.
    #[arg(long, value_name = "CHANNELS")]
    pub(crate) tap: Option<u32>,
    /// Pictures of each side in a subset for KID.
    #[arg(long, value_name = "N")]
    pub(crate) subset_size: Option<u32>,
    /// Number of subsets for KID.
    #[arg(long, value_name = "N")]
    pub(crate) subsets: Option<u32>,
    /// Pixels on every side that PSNR and SSIM leave out, as tables of super-resolution do.
    #[arg(long, value_name = "PIXELS")]
    pub(crate) crop_border: Option<u32>,
    /// Where weights are: `inception`, `lpips-alex`, `lpips-vgg`, `lpips-squeeze`; may be repeated.
    #[arg(long, value_name = "NAME=FILE")]
    pub(crate) weights: Vec<String>,
    /// Write the statistics of the real side that FID compares.
    #[arg(long, value_name = "FILE.npz")]
    pub(crate) write_statistics: Option<PathBuf>,
    /// The values of single pairs too, in the order of the file names.
    #[arg(long)]
    pub(crate) per_sample: bool,
    /// Write pictures of where each pair differs (LPIPS), dark for 0 and bright for 1.
    #[arg(long, value_name = "DIR")]
    pub(crate) maps: Option<PathBuf>,
    /// Pictures that go through a network at a time; scores do not depend on it.
    #[arg(long, default_value_t = DEFAULT_BATCH, value_parser = parse_count)]
    pub(crate) batch_size: usize,
    /// Folder of features computed before [default: the user's cache folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,
    /// Neither read nor write features computed before.
    #[arg(long, conflicts_with = "cache")]
    pub(crate) no_cache: bool,
    /// `cpu` or `cuda:N`.
    #[arg(long, default_value = "cpu")]
    pub(crate) device: String,
    /// Threads for everything; all cores by default.
    #[arg(long)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Writes tables/, plots/ and report.html, which is one file that needs no network. Of one run they go into its own folder;
what an earlier report wrote there is replaced. Pictures of the data set are shown as far as it still lies where it did.

Examples:
  bench report --results results/demo
  bench report --results results/demo --intervals --samples 12 --max-megabytes 30
  bench report --results results/a results/b --out results/a-and-b"
)]
pub(crate) struct ReportArgs {
    /// Folders of runs, finished or not.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    pub(crate) results: Vec<PathBuf>,
    /// Where to write; needed for several runs.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Give means with their 95 % interval.
    #[arg(long)]
    pub(crate) intervals: bool,
    /// Samples of each model whose maps the page shows.
    #[arg(long, value_name = "N", default_value_t = PageConfig::default().samples)]
    pub(crate) samples: usize,
    /// How large the page may become; maps are left out beyond it.
    #[arg(long, value_name = "MB", default_value_t = PageConfig::default().max_megabytes)]
    pub(crate) max_megabytes: f64,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  bench synth --out datasets/generated/try-on --seed 7 --count 16 --size 512x384"
)]
pub(crate) struct SynthArgs {
    /// Folder to write into.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Seed of the pictures.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Number of samples.
    #[arg(long, default_value_t = 16)]
    pub(crate) count: usize,
    /// Height and width in pixels.
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
