//! A configuration resolved: data set opened, models configured, everything that decides a number in one value.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use i2am_datasets::{Dataset, DatasetError, OtherReference, Part, Sample};
use i2am_files::FileHashes;
use i2am_imacs::scores::{Enabled, SCORES};
use i2am_imaging::limit_megapixels;
use i2am_quantity::{Measurement, Note};
use i2am_results::{
    ConfigHash, ConfigHashes, DatasetName, GitState, ManifestStart, PartInput, SampleInputs,
};
use serde_json::{Value, json};

use crate::cli::{RunArgs, StageName};
use crate::config::{Document, GroundTruth, RunConfig};
use crate::device::use_threads;
use crate::models::{self, Intervene, ModelEntry};
use crate::progress;
use crate::shard::Shard;

/// Where synthetic sets without a folder of their own are drawn.
pub(crate) const GENERATED: &str = "datasets/generated";

/// Everything a run needs to know.
pub(crate) struct Plan {
    pub(crate) config: RunConfig,
    pub(crate) dataset: Box<dyn Dataset>,
    pub(crate) models: Vec<ModelEntry>,
    pub(crate) intervene: Intervene,
    pub(crate) stages: Vec<StageName>,
    pub(crate) device: String,
    pub(crate) threads: usize,
    #[cfg_attr(
        not(feature = "torch"),
        expect(dead_code, reason = "only networks are run by workers")
    )]
    pub(crate) workers: Option<usize>,
    pub(crate) fresh: bool,
    /// The file of the configuration, and what the command line replaces in it.
    #[cfg(feature = "torch")]
    pub(crate) source: (PathBuf, Vec<String>),
    /// Number of samples to take, of which a shard has only some.
    pub(crate) samples: usize,
    pub(crate) shard: Option<Shard>,
}

impl Plan {
    /// Reads the configuration and opens the data set; a synthetic one is drawn if it is not there yet, for a `preview` into that folder
    /// and nowhere else.
    ///
    /// # Errors
    /// A configuration or command line that cannot be used, a data set that cannot be opened.
    pub(crate) fn of(
        args: &RunArgs,
        document: &mut Document<'_>,
        preview: Option<&Path>,
    ) -> Result<Self> {
        let config = RunConfig::read(document)?;
        let models = models::read_models(document, &config)?;
        let intervene = Intervene::read(document, &config, &models)?;
        let threads = use_threads(args.threads)?;
        limit_megapixels(config.max_megapixels);
        let dataset = {
            let bar = progress::bar("drawing the data set", 0);
            let drawn = |done: usize| bar.set_position(done as u64);
            let generated = Path::new(GENERATED);
            let dataset = match preview {
                Some(scratch) => config.dataset.preview(generated, scratch),
                None => config.dataset.open(generated, &drawn),
            };
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
                StageName::Faithfulness,
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
            workers: args.workers,
            fresh,
            #[cfg(feature = "torch")]
            source: (args.config.clone(), args.sets.clone()),
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

    /// What is read of sample `index` to generate it, for a model that needs `needs`.
    pub(crate) fn parts(&self, index: usize, needs: &[Part]) -> Vec<Part> {
        let mut parts = needs.to_vec();
        // Attention to the garment is summed apart from the rest of the reference wherever the mask is known.
        let mask = self.dataset.path(index, Part::ReferenceMask);
        parts.extend(
            mask.filter(|mask| mask.is_file())
                .map(|_| Part::ReferenceMask),
        );
        parts
    }

    /// Sample `index` as `load` reads samples, with the reference that `model` is given.
    ///
    /// # Errors
    /// A sample that `load` cannot read.
    pub(crate) fn sample_of(
        &self,
        model: &str,
        index: usize,
        load: impl Fn(usize) -> Result<Sample, DatasetError>,
    ) -> Result<Sample, DatasetError> {
        let mut models = self.models.iter();
        let entry = models.find(|entry| entry.name == model);
        match entry.and_then(|entry| other_reference(&entry.settings)) {
            Some(other) => other.load(self.dataset.as_ref(), index, load),
            None => load(index),
        }
    }

    /// What a reader has to know about every number of `model`, if there is anything.
    pub(crate) fn note_of(&self, model: &str) -> Option<Note> {
        let mut models = self.models.iter();
        let entry = models.find(|entry| entry.name == model)?;
        is_shown_answer(&entry.settings).then_some(Note::ShownAnswer)
    }

    /// `rows` of `model` with [`Plan::note_of`] it.
    pub(crate) fn noted(&self, model: &str, rows: Vec<Measurement>) -> Vec<Measurement> {
        let mut rows = rows;
        for row in &mut rows {
            row.note.extend(self.note_of(model));
        }
        rows
    }

    /// The hash of the settings that decide what is generated.
    #[cfg(feature = "torch")]
    pub(crate) fn generate_hash(&self) -> String {
        let hashes = config_hashes(&self.resolved(), self.config.dataset.places());
        hashes.generate.hash().to_owned()
    }

    /// What the manifest starts with.
    ///
    /// # Errors
    /// A checkpoint or an image that cannot be read.
    pub(crate) fn manifest(&self, hashes: &FileHashes) -> Result<ManifestStart> {
        let config = self.resolved();
        let mut inputs = BTreeMap::from([("dataset".to_owned(), self.dataset.index_sha256())]);
        // What an earlier run generated can be scored without its checkpoints.
        if self.stages.contains(&StageName::Generate) {
            for (name, hash) in models::checkpoint_hashes(&self.models, hashes)? {
                inputs.insert(name, hash);
            }
        }
        let mut versions = BTreeMap::from([(
            "i2am-bench".to_owned(),
            env!("CARGO_PKG_VERSION").to_owned(),
        )]);
        versions.extend(models::versions(&self.device));
        versions.extend(models::commits(&self.models));
        Ok(ManifestStart {
            name: self.config.name.clone(),
            dataset: self.dataset_name(),
            git: git_state(),
            config_hashes: config_hashes(&config, self.config.dataset.places()),
            config,
            inputs,
            samples: Some(self.sample_inputs(hashes)?),
            versions,
            device: self.device.clone(),
            threads: self.threads,
            seed: self.config.seed,
        })
    }

    /// The content of every sample that this run takes; the others are listed without.
    fn sample_inputs(&self, hashes: &FileHashes) -> Result<BTreeMap<String, Option<SampleInputs>>> {
        let dataset = self.dataset.as_ref();
        let ids = dataset.ids();
        let of = |index: usize| -> Result<(String, SampleInputs)> {
            let fingerprint = dataset.fingerprint(index, hashes)?;
            let files: BTreeMap<Part, PathBuf> = dataset.files(index).into_iter().collect();
            let part = |(part, sha256): (&Part, &String)| {
                let path = files.get(part).map_or(Path::new(""), PathBuf::as_path);
                let path = path.strip_prefix(dataset.root()).unwrap_or(path);
                let input = PartInput {
                    path: path.display().to_string(),
                    sha256: sha256.clone(),
                };
                (part.to_string(), input)
            };
            let inputs = SampleInputs {
                fingerprint: fingerprint.to_string(),
                parts: fingerprint.parts().iter().map(part).collect(),
            };
            Ok((ids[index].clone(), inputs))
        };
        let mut samples: BTreeMap<_, _> = ids.iter().map(|id| (id.clone(), None)).collect();
        // One after the other: threads would leave memory in another order each time, and products of matrices depend on where their
        // operands lie, so that two starts of one run would differ in the last bits.
        let bar = progress::bar("hash the data set", self.indices().count() as u64);
        for index in self.indices() {
            let (id, inputs) = of(index)?;
            samples.insert(id, Some(inputs));
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(samples)
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
            scores,
            capture,
            recorded,
            metrics,
            ground_truth,
            protocol,
            variants,
            statistics,
            ..
        } = &self.config;
        let mut resolved = json!({
            "seed": seed,
            "dataset": { "kind": dataset.kind(), "settings": dataset.settings() },
            "model": self.models.iter().map(|model| model.settings.clone()).collect::<Vec<_>>(),
            "attribution": {
                "convention": convention,
                "imacs": imacs,
                "capture": {
                    "time_groups": self.config.recorded_groups(),
                    "specific": recorded.specific,
                    // Sums over chunks round differently from sums over the whole.
                    "chunk_mib": capture.chunk_mib,
                },
            },
            "metric": metrics.chosen(),
            "metric_settings": metrics.settings(),
            "statistics": statistics,
        });
        if let Some(faithfulness) = &self.config.faithfulness {
            resolved["faithfulness"] = json!(faithfulness);
        }
        if capture.carried {
            resolved["attribution"]["capture"]["carried"] = true.into();
        }
        for score in SCORES.iter().map(|score| score.info()) {
            let made = scores.iter().find(|made| made.info().name == score.name);
            let settings = made.map(|made| made.settings());
            // What a run does without leaves no trace, so that its rows keep their hash.
            match (score.enabled, settings) {
                (Enabled::Always, _) | (Enabled::ByTable, None) => {}
                (Enabled::ByTable, Some(settings)) => {
                    resolved["attribution"][score.name] = settings;
                }
                (Enabled::ByTask, settings) => resolved[score.name] = json!(settings),
            }
        }
        if *ground_truth != GroundTruth::default() {
            resolved["ground_truth"] = json!(ground_truth);
        }
        if let Some(followed) = protocol {
            resolved["protocol"] = followed.settings();
        }
        if !variants.is_empty() {
            resolved["variants"] = json!(variants);
        }
        if let Some(rules) = self.intervene.settings() {
            resolved["intervene"] = rules;
        }
        resolved
    }

    /// The folder of results.
    pub(crate) fn output(&self) -> PathBuf {
        output(&self.config, self.shard)
    }
}

/// The folder of results of a run; a shard has its own next to that of the whole run.
pub(crate) fn output(config: &RunConfig, shard: Option<Shard>) -> PathBuf {
    let mut output = config.output.clone().into_os_string();
    if let Some(Shard { index, count }) = shard {
        output.push(format!(".shard-{index}-of-{count}"));
    }
    output.into()
}

/// Whose references a model is given, by its settings; its own samples' if there is nothing.
pub(crate) fn other_reference(settings: &Value) -> Option<OtherReference> {
    let damage = settings["damage"].as_array()?;
    let mut tables = damage.iter().filter_map(Value::as_object).cloned();
    let mut found = tables.find(|damage| damage.get("kind") == Some(&json!("other-reference")))?;
    found.remove("kind");
    serde_json::from_value(Value::Object(found)).ok()
}

/// Whether a model is shown what is in the masked region, by its settings.
fn is_shown_answer(settings: &Value) -> bool {
    let mut images = settings["images"].as_array().into_iter().flatten();
    settings["source"] == "whole" && images.any(|image| image == "source")
}

/// Which of the resolved settings decide the numbers of each stage; `places` are those of the data set that are only paths.
fn config_hashes(config: &Value, places: &[&str]) -> ConfigHashes {
    let of = |keys: &[String]| {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        ConfigHash::of(config, &keys)
    };
    // Where the data set lies cannot change a number; what is in it is hashed sample by sample.
    let settings = config["dataset"]["settings"].as_object();
    let names = settings.into_iter().flat_map(|settings| settings.keys());
    let decisive = names.filter(|name| !places.contains(&name.as_str()));
    let mut decisive: Vec<String> = decisive
        .map(|name| format!("dataset.settings.{name}"))
        .collect();
    decisive.sort_unstable();
    let mut generate = ["seed", "dataset.kind", "model", "attribution.capture"]
        .map(str::to_owned)
        .to_vec();
    generate.extend(decisive);
    if config.get("intervene").is_some() {
        generate.push("intervene".to_owned());
    }
    let mut score = ["attribution.convention", "attribution.imacs"]
        .map(str::to_owned)
        .to_vec();
    for info in SCORES.iter().map(|score| score.info()) {
        let key = match info.enabled {
            Enabled::Always => continue,
            Enabled::ByTable if config["attribution"].get(info.name).is_none() => continue,
            Enabled::ByTable => format!("attribution.{}", info.name),
            Enabled::ByTask => info.name.to_owned(),
        };
        if info.recorded {
            generate.push(key);
        } else {
            score.push(key);
        }
    }
    let mut measure = vec!["metric".to_owned()];
    if config.get("ground_truth").is_some() {
        measure.push("ground_truth".to_owned());
    }
    let faithfulness: &[String] = match config.get("faithfulness") {
        Some(_) => &["faithfulness".to_owned()],
        None => &[],
    };
    ConfigHashes {
        generate: of(&generate),
        score: of(&score),
        measure: of(&measure),
        faithfulness: of(faithfulness),
    }
}

/// The commit that the program was built from, if it was built in a repository.
pub(crate) fn git_state() -> Option<GitState> {
    Some(GitState {
        commit: option_env!("I2AM_COMMIT")?.to_owned(),
        dirty: option_env!("I2AM_DIRTY") == Some("true"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn dataset_of(file: &str) -> (Value, &'static [&'static str]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../configs")
            .join(file);
        let source = Source::read(&path, &[]).unwrap();
        let mut document = Document::parse_source(&source).unwrap();
        let dataset = RunConfig::read(&mut document).unwrap().dataset;
        let resolved = json!({ "kind": dataset.kind(), "settings": dataset.settings() });
        (resolved, dataset.places())
    }

    /// A run folder is continued only if these are what they were when it was made.
    #[test]
    fn the_hashes_of_committed_configurations_stay_what_they_were() {
        let baseline =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/baselines/ci.json");
        let baseline: Value = serde_json::from_slice(&i2am_files::read(baseline).unwrap()).unwrap();
        let (dataset, places) = dataset_of("ci.toml");
        let mut config = baseline["run"]["config"].clone();
        config["dataset"] = dataset;
        let expected: ConfigHashes =
            serde_json::from_value(baseline["run"]["config_hashes"].clone()).unwrap();
        assert_eq!(config_hashes(&config, places), expected);

        let (dataset, places) = dataset_of("demo.toml");
        assert_eq!(places, ["root"]);
        let keys = [
            "kind",
            "settings.count",
            "settings.height",
            "settings.pairing",
            "settings.seed",
            "settings.width",
        ];
        let keys = keys.map(|key| format!("dataset.{key}"));
        let hash = ConfigHash::of(
            &json!({ "dataset": dataset }),
            &keys.each_ref().map(String::as_str),
        );
        assert_eq!(hash.hash(), "b5207cf6140e7c1c");
    }

    /// A place that is forgotten becomes part of a hash, and a run whose data set has moved cannot be continued.
    #[test]
    fn data_sets_name_their_places() {
        for (name, places) in [
            ("coco-detection", &["annotations", "images"] as &[&str]),
            ("dresscode", &["root"]),
            ("manifest", &["file"]),
            ("sr", &["high", "low"]),
            ("synth", &["root"]),
            ("viton-hd", &["root"]),
        ] {
            let kind = i2am_datasets::find(name).unwrap();
            let example: Value = toml::from_str(kind.info().example).unwrap();
            assert_eq!(kind.restore(example).unwrap().places(), places, "{name}");
        }
    }
}
