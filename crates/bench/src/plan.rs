//! A configuration resolved: data set opened, models configured, everything that decides a number in one value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_datasets::Dataset;
use i2am_results::{ConfigHash, ConfigHashes, DatasetName, GitState, ManifestStart};
use serde_json::{Value, json};

use crate::cli::{RunArgs, Shard, StageName};
use crate::config::{Document, RunConfig, Source};
use crate::exit::usage;
use crate::{progress, stages};

/// Where synthetic sets without a folder of their own are drawn.
pub(crate) const GENERATED: &str = "datasets/generated";

/// Everything a run needs to know.
pub(crate) struct Plan {
    pub(crate) config: RunConfig,
    pub(crate) dataset: Box<dyn Dataset>,
    pub(crate) models: Vec<stages::ModelEntry>,
    pub(crate) intervene: stages::Intervene,
    pub(crate) stages: Vec<StageName>,
    pub(crate) device: String,
    pub(crate) threads: usize,
    pub(crate) fresh: bool,
    /// Number of samples to take, of which a shard has only some.
    pub(crate) samples: usize,
    pub(crate) shard: Option<Shard>,
}

impl Plan {
    /// Reads the configuration and opens the data set; a synthetic one is drawn if it is not there yet.
    ///
    /// # Errors
    /// A configuration or command line that cannot be used, a data set that cannot be opened.
    pub(crate) fn of(args: &RunArgs) -> Result<Self> {
        let source = Source::read(&args.config, &args.sets)?;
        let mut document = Document::parse_source(&source)?;
        let config = RunConfig::read(&mut document)?;
        let models = stages::read_models(&mut document, &config)?;
        let intervene = stages::Intervene::read(&mut document, &config, &models)?;
        let threads = stages::use_threads(args.threads)?;
        let dataset = {
            let bar = progress::bar("drawing the data set", 0);
            let told = |done: usize| bar.set_position(done as u64);
            let dataset = config.dataset.open(Path::new(GENERATED), &told);
            bar.finish_and_clear();
            dataset?
        };
        let samples = args.limit.unwrap_or(usize::MAX).min(dataset.ids().len());
        let mut stages = args.stages.clone();
        if stages.is_empty() {
            stages = vec![
                StageName::Generate,
                StageName::Score,
                StageName::Measure,
                StageName::Correlate,
                StageName::Report,
            ];
        }
        stages.sort_unstable();
        stages.dedup();
        let (device, fresh) = (args.device.clone(), args.fresh);
        Ok(Self {
            config,
            dataset,
            models,
            intervene,
            stages,
            device,
            threads,
            fresh,
            samples,
            shard: args.shard,
        })
    }

    /// Indices of the samples that this run or shard takes. Neighbours go to different shards, so that all take about as long.
    pub(crate) fn indices(&self) -> impl Iterator<Item = usize> + use<> {
        let (first, step) = self
            .shard
            .map_or((0, 1), |Shard { index, count }| (index - 1, count));
        (first..self.samples).step_by(step)
    }

    /// Checks that every file and tensor that will be read is there and fits.
    ///
    /// # Errors
    /// The first thing that is missing or wrong.
    pub(crate) fn check(&self) -> Result<()> {
        if self.stages.contains(&StageName::Generate) {
            stages::check_models(self)?;
        }
        if self.config.detection.is_some() && self.dataset.object(0).is_none() {
            return Err(usage(format!(
                "task = \"detection\": the data set `{}` knows no boxes of objects; expected one that does, such as `{}`",
                self.dataset.name(),
                i2am_datasets::coco_detection::NAME
            )));
        }
        self.dataset.check(&[])?;
        if self.stages.contains(&StageName::Measure) {
            stages::check_metrics(self)?;
        }
        Ok(())
    }

    /// What the manifest starts with.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub(crate) fn manifest(&self) -> Result<ManifestStart> {
        let config = self.resolved();
        let mut inputs = BTreeMap::from([("dataset".to_owned(), self.dataset.index_sha256())]);
        for model in &self.models {
            for (file, hash) in model.hashes()? {
                inputs.insert(format!("checkpoint:{}:{file}", model.name), hash);
            }
        }
        let mut versions = BTreeMap::from([(
            "i2am-bench".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        )]);
        versions.extend(stages::versions());
        Ok(ManifestStart {
            name: self.config.name.clone(),
            dataset: self.dataset_name(),
            git: git_state(),
            config_hashes: config_hashes(&config),
            config,
            inputs,
            versions,
            device: self.device.clone(),
            threads: self.threads,
            seed: self.config.seed,
        })
    }

    fn dataset_name(&self) -> DatasetName {
        DatasetName {
            name: self.dataset.name().to_owned(),
            split: self.dataset.split().to_owned(),
            pairing: self
                .dataset
                .pairing()
                .map_or_else(String::new, |pairing| pairing.to_string()),
        }
    }

    /// Every setting that can change a number, defaults filled in.
    fn resolved(&self) -> Value {
        let RunConfig {
            seed,
            dataset,
            convention,
            imacs,
            detection,
            capture,
            specific,
            locality,
            metrics,
            statistics,
            ..
        } = &self.config;
        let mut resolved = json!({
            "seed": seed,
            "dataset": { "kind": dataset.kind(), "settings": dataset },
            "model": self.models.iter().map(|model| model.settings.clone()).collect::<Vec<_>>(),
            "attribution": {
                "convention": convention,
                "imacs": imacs,
                "capture": {
                    "time_groups": self.config.recorded_groups(),
                    "specific": self.config.recorded_specific(),
                    // Sums over chunks round differently from sums over the whole.
                    "chunk_mib": capture.chunk_mib,
                },
            },
            "detection": detection,
            "metric": metrics.settings,
            "statistics": statistics,
        });
        // What a run does without leaves no trace, so that its rows keep their hash.
        if !specific.is_empty() {
            resolved["attribution"]["specific"] = json!(specific);
        }
        if let Some(locality) = locality {
            resolved["attribution"]["locality"] = json!(locality);
        }
        if let Some(rules) = self.intervene.settings() {
            resolved["intervene"] = rules;
        }
        resolved
    }

    /// The folder of results; a shard has its own beside that of the whole run.
    pub(crate) fn output(&self) -> PathBuf {
        let mut output = self.config.output.clone().into_os_string();
        if let Some(Shard { index, count }) = self.shard {
            output.push(format!(".shard-{index}-of-{count}"));
        }
        output.into()
    }
}

/// Settings of data sets that say where they lie.
const PLACES: &[&str] = &["annotations", "file", "high", "images", "low", "root"];

/// Which of the resolved settings decide the numbers of each stage.
fn config_hashes(config: &Value) -> ConfigHashes {
    let of = |keys: &[&str]| ConfigHash::of(config, keys);
    // Where the data set lies cannot change a number; what is in it is hashed apart.
    let settings = config["dataset"]["settings"].as_object();
    let names = settings.into_iter().flat_map(|settings| settings.keys());
    let decisive = names.filter(|name| !PLACES.contains(&name.as_str()));
    let mut decisive: Vec<String> = decisive
        .map(|name| format!("dataset.settings.{name}"))
        .collect();
    decisive.sort_unstable();
    let mut generate = vec!["seed", "dataset.kind", "model", "attribution.capture"];
    generate.extend(decisive.iter().map(String::as_str));
    if config.get("intervene").is_some() {
        generate.push("intervene");
    }
    if config["attribution"].get("locality").is_some() {
        generate.push("attribution.locality");
    }
    let mut score = vec!["attribution.convention", "attribution.imacs", "detection"];
    if config["attribution"].get("specific").is_some() {
        score.push("attribution.specific");
    }
    ConfigHashes {
        generate: of(&generate),
        score: of(&score),
        measure: of(&["metric"]),
    }
}

/// Commit and cleanliness of the working directory's repository, if git is there and knows.
fn git_state() -> Option<GitState> {
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git").args(args).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let dirty = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(GitState {
        commit,
        dirty: !dirty.is_empty(),
    })
}
