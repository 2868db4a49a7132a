//! A configuration file: who owns which table, and what the file says as a whole.

mod document;
mod statistics;

use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_attribution::{Convention, ConventionConfig, LocalityConfig, SpecificConfig};
use i2am_datasets::{DATASETS, DatasetConfig};
use i2am_imacs::ImacsConfig;
use i2am_imacs::detection::DetectionConfig;
use i2am_imaging::ColorMap;
use i2am_metrics::{Configured, METRICS};
use i2am_report::PageConfig;
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

pub(crate) use document::{Document, Source};
pub(crate) use statistics::Statistics;

use crate::exit::usage;
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
    pub(crate) dataset: DatasetConfig,
    pub(crate) convention: Convention,
    pub(crate) imacs: ImacsConfig,
    /// There if `task = "detection"`.
    pub(crate) detection: Option<DetectionConfig>,
    pub(crate) capture: Capture,
    pub(crate) specific: SpecificConfig,
    /// There if attention near the matching place is recorded and scored.
    pub(crate) locality: Option<LocalityConfig>,
    pub(crate) debug: Debug,
    pub(crate) pictures: Pictures,
    pub(crate) metrics: Metrics,
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
}

impl Default for Capture {
    fn default() -> Self {
        Self {
            time_groups: None,
            specific: Vec::new(),
            chunk_mib: 64,
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
    /// Colours of maps.
    pub(crate) colors: ColorMap,
    /// How far the colours cover the picture, 0 to 1.
    pub(crate) strength: f32,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            grid: true,
            overlays: true,
            colors: ColorMap::default(),
            strength: 0.6,
        }
    }
}

/// The tables `[metric.NAME]`.
#[derive(Default)]
pub(crate) struct Metrics {
    /// In the order of their names.
    pub(crate) configured: Vec<Box<dyn Configured>>,
    /// Those that this build does not have.
    pub(crate) without_torch: Vec<String>,
    /// What the file says, for the manifest.
    pub(crate) settings: serde_json::Value,
}

impl Metrics {
    /// Adds a metric whose rows can be told from those of all others.
    ///
    /// # Errors
    /// The variant, if there is such a one already.
    fn add(&mut self, metric: Box<dyn Configured>) -> Result<(), String> {
        let variant = metric.variant();
        let name = metric.info().name;
        let mut others = self.configured.iter();
        if others.any(|other| other.info().name == name && other.variant() == variant) {
            return Err(variant);
        }
        self.configured.push(metric);
        Ok(())
    }
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
    #[serde(default)]
    task: Task,
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
    #[serde(rename = "detection")]
    _detection: Option<serde::de::IgnoredAny>,
    #[serde(rename = "page")]
    _page: Option<serde::de::IgnoredAny>,
}

/// What is asked of the maps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Task {
    /// That they respect the mask.
    #[default]
    Inpainting,
    /// That they also tell where the object is.
    Detection,
}

impl RunConfig {
    /// Reads `document`, whose models stay in it.
    ///
    /// # Errors
    /// An unknown key or a value of the wrong kind, with the line it stands on.
    pub(crate) fn read(document: &mut Document<'_>) -> Result<Self> {
        let top: Top = document.parse_whole()?;
        if top.schema_version != SCHEMA_VERSION {
            let found = top.schema_version;
            return Err(usage(format!(
                "{}: schema_version: expected {SCHEMA_VERSION}, found {found}",
                document.path().display()
            )));
        }
        if top.name.is_empty() || top.name.contains(['/', '\\']) || top.name.starts_with('.') {
            let found = &top.name;
            return Err(usage(format!(
                "{}: name: expected a folder name, found `{found}`",
                document.path().display()
            )));
        }
        let base = document.path().parent().unwrap_or(Path::new("")).to_owned();
        let mut dataset = Self::read_dataset(document)?;
        dataset.resolve(&base);
        let [imacs, capture, specific, locality, debug, pictures] = [
            "imacs", "capture", "specific", "locality", "debug", "pictures",
        ]
        .map(|key| document.take("attribution", key));
        let imacs = imacs
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        let capture = capture
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        let specific = specific
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        check_specific(&specific, &capture).map_err(|error| document.refuse(&error))?;
        let locality: Option<LocalityConfig> =
            locality.map(|table| document.parse(table)).transpose()?;
        locality
            .as_ref()
            .map_or(Ok(()), LocalityConfig::check)
            .map_err(|error| document.refuse(&error))?;
        let debug = debug
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        let pictures = pictures
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        let attribution = document.take_top("attribution");
        let attribution: ConventionConfig = attribution
            .map(|table| document.parse(table))
            .transpose()?
            .unwrap_or_default();
        let convention = attribution
            .resolve()
            .map_err(|error| document.refuse(&error))?;
        let detection = Self::read_detection(document, top.task)?;
        let metrics = Self::read_metrics(document)?;
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
                |output| base.join(output),
            ),
            name: top.name,
            seed: top.seed,
            dataset,
            convention,
            imacs,
            detection,
            capture,
            specific,
            locality,
            debug,
            pictures,
            metrics,
            statistics,
            page,
            base,
        })
    }

    fn read_dataset(document: &mut Document<'_>) -> Result<DatasetConfig> {
        let kind = document
            .take("dataset", "kind")
            .ok_or_else(|| document.refuse(&"[dataset] has no `kind`"))?;
        let kind: String = document.parse(kind)?;
        let table = document
            .take_top("dataset")
            .ok_or_else(|| document.refuse(&"no table [dataset]"))?;
        let Some(config) = DatasetConfig::deserialize(&kind, ValueDeserializer::from(table)) else {
            let help = suggest::help(&kind, DATASETS.iter().map(|kind| kind.name));
            return Err(document.refuse(&format!("dataset.kind: no dataset `{kind}`: {help}")));
        };
        config.map_err(|error| document.locate(error))
    }

    fn read_detection(document: &mut Document<'_>, task: Task) -> Result<Option<DetectionConfig>> {
        let table = document.take_top("detection");
        if task != Task::Detection {
            return match table {
                None => Ok(None),
                Some(_) => Err(document.refuse(&"[detection] needs `task = \"detection\"`")),
            };
        }
        let parsed = table.map(|table| document.parse(table)).transpose()?;
        let config: DetectionConfig = parsed.unwrap_or_default();
        match config.check() {
            Ok(()) => Ok(Some(config)),
            Err(problem) => Err(document.refuse(&problem)),
        }
    }

    fn read_metrics(document: &mut Document<'_>) -> Result<Metrics> {
        let Some(table) = document.take_top("metric") else {
            return Ok(Metrics::default());
        };
        let settings = document.parse(table.clone())?;
        let DeValue::Table(tables) = table.into_inner() else {
            return Err(document.refuse(&"metric: expected tables such as [metric.fid]"));
        };
        let mut metrics = Metrics {
            settings,
            ..Metrics::default()
        };
        for (name, table) in tables {
            let name = name.into_inner();
            if let Some(metric) = i2am_metrics::find(&name) {
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
            } else if i2am_metrics::NEED_TORCH.contains(&name.as_ref()) {
                metrics.without_torch.push(name.into_owned());
            } else {
                let help = suggest::help(&name, METRICS.iter().map(|metric| metric.info().name));
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

    /// Layers whose position-by-position attention is recorded.
    pub(crate) fn recorded_specific(&self) -> &[String] {
        if self.capture.specific.is_empty() {
            &self.specific.layers
        } else {
            &self.capture.specific
        }
    }
}

fn check_specific(specific: &SpecificConfig, capture: &Capture) -> Result<(), String> {
    specific.check().map_err(|error| error.to_string())?;
    if !specific.is_empty() && specific.layers.is_empty() && capture.specific.is_empty() {
        return Err(
            "attribution.specific: expected `layers`, by name or with `*`, found none".to_owned(),
        );
    }
    Ok(())
}
