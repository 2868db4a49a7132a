//! A configuration file: who owns which table, and what the file says as a whole.

mod document;
mod faithfulness;
mod protocol;
mod statistics;
mod variant;

use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_attribution::{Convention, ConventionConfig};
use i2am_datasets::{DATASETS, DatasetConfig};
use i2am_imacs::ImacsConfig;
use i2am_imacs::scores::{self, Enabled, Recorded, SCORES};
use i2am_imaging::{ColorMap, MAX_MEGAPIXELS};
use i2am_metrics::{Configured, METRICS};
use i2am_report::PageConfig;
use i2am_results::name_objection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toml::Spanned;
use toml::de::DeValue;

pub(crate) use document::{Document, Source};
pub(crate) use faithfulness::Faithfulness;
#[cfg(feature = "torch")]
pub(crate) use faithfulness::{Form, Operator};
pub(crate) use protocol::{Followed, PROTOCOLS};
pub(crate) use statistics::Statistics;
pub(crate) use variant::Variant;

use crate::exit::usage;
use crate::metrics::Filter;
use crate::suggest;

/// Version of the configuration's keys.
pub(crate) const SCHEMA_VERSION: u32 = 1;

/// A table that still knows its lines.
pub(crate) type Table<'a> = Spanned<DeValue<'a>>;

/// What the configuration says, but for the models, which only a build with libtorch can read.
pub(crate) struct RunConfig {
    pub(crate) name: String,
    pub(crate) output: PathBuf,
    pub(crate) seed: u64,
    /// The largest picture that is read; decides no number.
    pub(crate) max_megapixels: u32,
    pub(crate) dataset: Box<dyn DatasetConfig>,
    pub(crate) convention: Convention,
    pub(crate) imacs: ImacsConfig,
    /// The scores of maps that the configuration asks for, in the order of the registry.
    pub(crate) scores: Vec<Box<dyn scores::Configured>>,
    pub(crate) capture: Capture,
    /// What is recorded while sampling for the scores, and by request.
    pub(crate) recorded: Recorded,
    pub(crate) debug: Debug,
    pub(crate) pictures: Pictures,
    pub(crate) metrics: Metrics,
    pub(crate) ground_truth: GroundTruth,
    /// Whether and how maps are compared with what the image depends on.
    pub(crate) faithfulness: Option<Faithfulness>,
    /// The protocol it names, which has filled in the rest.
    pub(crate) protocol: Option<Followed>,
    /// The models that are variants of others.
    pub(crate) variants: Vec<Variant>,
    pub(crate) statistics: Statistics,
    /// What the page shows; decides no number.
    pub(crate) page: PageConfig,
    /// Folder of the file, where relative paths start.
    #[cfg_attr(
        not(feature = "torch"),
        expect(dead_code, reason = "only checkpoints lie relative to it")
    )]
    pub(crate) base: PathBuf,
}

/// `[attribution.capture]`: what is recorded while sampling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Capture {
    /// Groups of steps that are summed apart; by default as many as the convention shows.
    pub(crate) time_groups: Option<usize>,
    /// Layers whose position-by-position attention is kept; by default those of `[attribution.specific]`.
    pub(crate) specific: Vec<String>,
    /// Bound on the scores held at a time, in MiB.
    pub(crate) chunk_mib: usize,
    /// Whether sums are recorded a second time, weighted by what tokens carry.
    pub(crate) carried: bool,
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            time_groups: None,
            specific: Vec::new(),
            chunk_mib: 64,
            carried: false,
        }
    }
}

/// `[attribution.debug]`: the ranking of heads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Debug {
    /// Whether `debug/<model>.csv` is written.
    pub(crate) ranking: bool,
    /// How many of the worst are named at the end.
    pub(crate) worst: usize,
}

impl Default for Debug {
    fn default() -> Self {
        Self {
            ranking: true,
            worst: 3,
        }
    }
}

/// `[attribution.pictures]`: what is drawn for each sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Pictures {
    /// The sheet with inputs, result and maps.
    pub(crate) grid: bool,
    /// One overlay per level.
    pub(crate) overlays: bool,
    /// Colors of maps.
    pub(crate) colors: ColorMap,
    /// How far the colors cover the picture, 0 to 1.
    pub(crate) strength: f32,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            grid: true,
            overlays: true,
            colors: ColorMap::default(),
            strength: 0.8,
        }
    }
}

/// `[ground_truth]`: how a ground truth of another size than the generated picture is compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GroundTruth {
    /// What resizes it.
    pub(crate) filter: Filter,
    /// Which real pictures FID and KID read.
    pub(crate) sets: RealSets,
}

impl Default for GroundTruth {
    fn default() -> Self {
        Self {
            filter: Filter::PillowBicubic,
            sets: RealSets::Stored,
        }
    }
}

/// Which real pictures are read by metrics that compare all pictures with all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RealSets {
    /// Those of the data set.
    Stored,
    /// The same at the height of the generated pictures, each in its own ratio.
    Resized,
}

/// The tables `[metric.NAME]`.
#[derive(Default)]
pub(crate) struct Metrics {
    /// In the order of their names.
    pub(crate) configured: Vec<Box<dyn Configured>>,
}

impl Metrics {
    /// Adds a metric whose rows can be told from those of all others.
    ///
    /// # Errors
    /// The variant, if there is such a one already.
    fn add(&mut self, metric: Box<dyn Configured>) -> Result<(), String> {
        let variant = metric.variant();
        let name = metric.info().quantity.name;
        let mut others = self.configured.iter();
        if others.any(|other| other.info().quantity.name == name && other.variant() == variant) {
            return Err(variant);
        }
        self.configured.push(metric);
        Ok(())
    }

    /// All settings, defaults filled in: a list for each metric, of its variants.
    pub(crate) fn settings(&self) -> Value {
        self.by_name(|metric| metric.settings())
    }

    /// Those settings that are not the defaults, which decide the hash of a run: what a run does without leaves no trace. Another
    /// default comes with another version of its quantity, which rows name.
    pub(crate) fn chosen(&self) -> Value {
        let chosen = |metric: &dyn Configured| {
            let defaults = defaults_of(metric);
            let mut settings = metric.settings();
            if let Some(settings) = settings.as_object_mut() {
                settings.retain(|key, value| defaults.get(key) != Some(value));
            }
            settings
        };
        let mut by_name = self.by_name(chosen);
        // One variant is a table, several are a list, as in the file.
        for variants in by_name
            .as_object_mut()
            .into_iter()
            .flat_map(serde_json::Map::values_mut)
        {
            if let Some([only]) = variants.as_array().map(Vec::as_slice) {
                *variants = only.clone();
            }
        }
        by_name
    }

    fn by_name(&self, of: impl Fn(&dyn Configured) -> Value) -> Value {
        let mut by_name = serde_json::Map::new();
        for metric in &self.configured {
            let name = metric.info().quantity.name;
            let variants = by_name.entry(name).or_insert_with(|| json!([]));
            variants
                .as_array_mut()
                .expect("made so above")
                .push(of(metric.as_ref()));
        }
        Value::Object(by_name)
    }
}

/// The settings of the same metric without any choice.
fn defaults_of(metric: &dyn Configured) -> Value {
    let metric = i2am_metrics::find(metric.info().quantity.name);
    let defaults = metric.and_then(|metric| metric.configure(empty_table()).ok());
    defaults.map_or(Value::Null, |metric| metric.settings())
}

/// The scalars at the top of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Top {
    schema_version: u32,
    name: String,
    output: Option<PathBuf>,
    #[serde(default)]
    seed: u64,
    #[serde(default = "max_megapixels")]
    max_megapixels: u32,
    #[serde(default = "inpainting")]
    task: String,
    #[serde(rename = "faithfulness")]
    _faithfulness: Option<serde::de::IgnoredAny>,
    #[serde(rename = "protocol")]
    _protocol: Option<String>,
    #[serde(rename = "ground_truth")]
    _ground_truth: Option<serde::de::IgnoredAny>,
    #[serde(rename = "dataset")]
    _dataset: serde::de::IgnoredAny,
    #[serde(rename = "model")]
    _models: Vec<serde::de::IgnoredAny>,
    #[serde(rename = "attribution")]
    _attribution: Option<serde::de::IgnoredAny>,
    #[serde(rename = "intervene")]
    _intervene: Option<serde::de::IgnoredAny>,
    #[serde(rename = "metric")]
    _metrics: Option<serde::de::IgnoredAny>,
    #[serde(rename = "statistics")]
    _statistics: Option<serde::de::IgnoredAny>,
    #[serde(rename = "page")]
    _page: Option<serde::de::IgnoredAny>,
}

/// The task that asks for no score beyond those of every run: that maps respect the mask.
const INPAINTING: &str = "inpainting";

fn max_megapixels() -> u32 {
    MAX_MEGAPIXELS
}

fn inpainting() -> String {
    INPAINTING.to_owned()
}

impl RunConfig {
    /// Reads `document`, whose models stay in it.
    ///
    /// # Errors
    /// An unknown key or a value of the wrong kind, with the line it stands on.
    pub(crate) fn read(document: &mut Document<'_>) -> Result<Self> {
        // Taken out first: what is left must be known to `Top`.
        let mut of_tasks: Vec<Option<Table<'_>>> = SCORES
            .iter()
            .map(|score| match score.info().enabled {
                Enabled::ByTask => document.take_top(score.info().name),
                Enabled::Always | Enabled::ByTable => None,
            })
            .collect();
        let top: Top = document.parse_whole()?;
        if top.schema_version != SCHEMA_VERSION {
            let found = top.schema_version;
            return Err(usage(format!(
                "{}: schema_version: expected {SCHEMA_VERSION}, found {found}",
                document.path().display()
            )));
        }
        check_name("name", &top.name).map_err(|problem| document.refuse(&problem))?;
        let base = document.path().parent().unwrap_or(Path::new("")).to_owned();
        let dataset = Self::read_dataset(document, &base)?;
        let imacs = document.take_parsed("imacs")?;
        let capture: Capture = document.take_parsed("capture")?;
        let debug = document.take_parsed("debug")?;
        let pictures = document.take_parsed("pictures")?;
        let scores = Self::read_scores(document, &top.task, &mut of_tasks)?;
        let mut recorded = Recorded {
            specific: capture.specific.clone(),
            ..Recorded::default()
        };
        for score in &scores {
            score.record(&mut recorded);
        }
        for score in &scores {
            score
                .check_recorded(&recorded)
                .map_err(|problem| document.refuse(&problem))?;
        }
        let attribution = document.take_top("attribution");
        let attribution: ConventionConfig = attribution
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        let convention = attribution
            .resolve()
            .map_err(|error| document.refuse(&error))?;
        if convention.carried && !capture.carried {
            return Err(document.refuse(
                &"attribution.carried: expected `attribution.capture.carried = true` as well, so that what tokens carry is recorded; found false",
            ));
        }
        let faithfulness = document.take_top("faithfulness");
        let faithfulness: Option<Faithfulness> = faithfulness
            .map(|table| document.parse(table))
            .transpose()?;
        if let Some(Err(problem)) = faithfulness.as_ref().map(Faithfulness::check) {
            return Err(document.refuse(&problem));
        }
        let metrics = Self::read_metrics(document)?;
        let ground_truth = document.take_top("ground_truth");
        let ground_truth: GroundTruth = ground_truth
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        let statistics = document.take_top("statistics");
        let statistics = Statistics::read(document, statistics)?;
        let page = document.take_top("page");
        let page: PageConfig = page
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        page.check().map_err(|error| document.refuse(&error))?;
        Ok(Self {
            output: top.output.map_or_else(
                || Path::new("results").join(&top.name),
                |output| i2am_files::resolve(&base, output),
            ),
            name: top.name,
            seed: top.seed,
            max_megapixels: top.max_megapixels,
            dataset,
            convention,
            imacs,
            scores,
            capture,
            recorded,
            debug,
            pictures,
            metrics,
            ground_truth,
            faithfulness,
            protocol: document.protocol().cloned(),
            variants: document.variants().to_vec(),
            statistics,
            page,
            base,
        })
    }

    fn read_dataset(document: &mut Document<'_>, base: &Path) -> Result<Box<dyn DatasetConfig>> {
        let kind = document
            .take("dataset", "kind")
            .ok_or_else(|| document.refuse(&"[dataset] has no `kind`"))?;
        let kind: String = document.parse(kind)?;
        let table = document
            .take_top("dataset")
            .ok_or_else(|| document.refuse(&"no table [dataset]"))?;
        let Some(found) = i2am_datasets::find(&kind) else {
            let help = suggest::help(&kind, DATASETS.iter().map(|kind| kind.info().name));
            return Err(document.refuse(&format!("dataset.kind: no dataset `{kind}`: {help}")));
        };
        let config = found.configure(table, base);
        config.map_err(|error| document.locate(error))
    }

    fn read_scores<'a>(
        document: &mut Document<'a>,
        task: &str,
        of_tasks: &mut [Option<Table<'a>>],
    ) -> Result<Vec<Box<dyn scores::Configured>>> {
        let by_task = SCORES
            .iter()
            .filter(|score| score.info().enabled == Enabled::ByTask);
        let tasks = by_task.map(|score| score.info().name).chain([INPAINTING]);
        if tasks.clone().all(|known| known != task) {
            let help = suggest::help(task, tasks);
            return Err(document.refuse(&format!("task: no task `{task}`: {help}")));
        }
        let mut configured = Vec::new();
        for (score, of_task) in SCORES.iter().zip(of_tasks) {
            let name = score.info().name;
            let (wanted, table) = match score.info().enabled {
                Enabled::Always => (true, document.take("attribution", name)),
                Enabled::ByTable => {
                    let table = document.take("attribution", name);
                    (table.is_some(), table)
                }
                Enabled::ByTask => (task == name, of_task.take()),
            };
            match (wanted, table) {
                (true, table) => {
                    let table = table.unwrap_or_else(empty_table);
                    let score = score.configure(table);
                    configured.push(score.map_err(|error| document.locate(error))?);
                }
                (false, Some(_)) => {
                    return Err(document.refuse(&format!("[{name}] needs `task = \"{name}\"`")));
                }
                (false, None) => {}
            }
        }
        Ok(configured)
    }

    fn read_metrics(document: &mut Document<'_>) -> Result<Metrics> {
        let Some(table) = document.take_top("metric") else {
            return Ok(Metrics::default());
        };
        let DeValue::Table(tables) = table.into_inner() else {
            return Err(document.refuse(&"metric: expected tables such as [metric.fid]"));
        };
        let mut metrics = Metrics::default();
        for (name, table) in tables {
            let name = name.into_inner();
            if let Some(metric) = i2am_metrics::find(&name) {
                // Without what a protocol asks for.
                if matches!(table.get_ref(), DeValue::Boolean(false)) {
                    continue;
                }
                // One table, or several variants in `[[metric.NAME]]`.
                let span = table.span();
                let tables = match table.into_inner() {
                    DeValue::Array(tables) => tables.into_iter().collect(),
                    one => vec![Spanned::new(span, one)],
                };
                for table in tables {
                    let configured = metric.configure(table);
                    let configured = configured.map_err(|error| document.locate(error))?;
                    metrics.add(configured).map_err(|variant| {
                        document.refuse(&format!("[[metric.{name}]]: `{variant}` is there twice"))
                    })?;
                }
            } else {
                let help = suggest::help(
                    &name,
                    METRICS.iter().map(|metric| metric.info().quantity.name),
                );
                return Err(
                    document.refuse(&format!("[metric.{name}]: no metric `{name}`: {help}"))
                );
            }
        }
        Ok(metrics)
    }

    /// Groups of steps to record apart.
    pub(crate) fn recorded_groups(&self) -> usize {
        self.capture
            .time_groups
            .unwrap_or(self.convention.time_groups)
    }
}

/// Whether `name`, the value of `key`, can be the name of a folder.
///
/// # Errors
/// What was expected, and what is there.
pub(crate) fn check_name(key: &str, name: &str) -> Result<(), String> {
    let leads_away = name.starts_with('.') || name.contains(['/', '\\']);
    let reason = if leads_away {
        Some("leads into another folder or is hidden".to_owned())
    } else {
        name_objection(name)
    };
    reason.map_or(Ok(()), |reason| {
        let found = name.escape_debug();
        Err(format!(
            "{key}: expected a folder name, found `{found}`, which {reason}"
        ))
    })
}

/// What stands for a table that the configuration does not have.
pub(crate) fn empty_table<'a>() -> Table<'a> {
    Spanned::new(0..0, DeValue::Table(toml::de::DeTable::new()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;
    use std::path::Path;

    use super::*;

    #[test]
    fn any_bytes_are_a_configuration_or_refused() {
        let configs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../configs");
        let mut corpus: Vec<Vec<u8>> = i2am_files::sorted_entries(configs)
            .unwrap()
            .iter()
            .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
            .map(|path| i2am_files::read(path).unwrap())
            .collect();
        assert!(corpus.len() > 3);
        corpus.push(b"\xef\xbb\xbfschema_version = 1\r\nname = 'x'\r\n".to_vec());
        corpus.push(b"\xff\xfes\0".to_vec());
        let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        i2am_testkit::fuzz("configuration", &corpus, |bytes| {
            File::create(&path).unwrap().write_all(bytes).unwrap();
            let read = Source::read(&path, &[]).and_then(|source| {
                let mut document = Document::parse_source(&source)?;
                RunConfig::read(&mut document).map(drop)
            });
            if let Err(error) = read {
                assert!(error.to_string().contains("run.toml"), "{error}");
            }
        });
    }
}
