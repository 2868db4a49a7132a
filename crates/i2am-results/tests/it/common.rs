//! A run of one model, and what its stages find out.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_results::{
    ConfigHash, ConfigHashes, DatasetName, Direction, Level, ManifestStart, Measurement, Notes,
    Outcome, ResultsError, RunFolder, SampleResult, Stage,
};
use serde_json::json;

pub(crate) fn start(steps: u32) -> ManifestStart {
    start_with(steps, 3, "alex")
}

/// With a setting for each stage.
pub(crate) fn start_with(steps: u32, penalty: u32, net: &str) -> ManifestStart {
    let config = json!({
        "seed": 42,
        "model": {"steps": steps},
        "imacs": {"penalty": penalty},
        "metric": {"lpips": {"net": net}},
    });
    ManifestStart {
        name: "demo".to_owned(),
        dataset: DatasetName {
            name: "synth".to_owned(),
            split: "test".to_owned(),
            pairing: "paired".to_owned(),
        },
        git: None,
        config_hashes: ConfigHashes {
            generate: ConfigHash::of(&config, &["seed", "model"]),
            score: ConfigHash::of(&config, &["imacs"]),
            measure: ConfigHash::of(&config, &["metric"]),
            faithfulness: ConfigHash::of_nothing(),
        },
        config,
        inputs: BTreeMap::new(),
        samples: None,
        versions: BTreeMap::new(),
        device: "cpu".to_owned(),
        threads: 2,
        seed: 42,
    }
}

pub(crate) fn open(dir: &Path) -> Result<RunFolder, ResultsError> {
    RunFolder::open(dir, start(20), false)
}

pub(crate) fn scored(sample_id: &str, outcome: Outcome) -> SampleResult {
    SampleResult {
        stage: Stage::Score,
        model: "pbe".to_owned(),
        sample_id: sample_id.to_owned(),
        measurements: vec![Measurement {
            direction: Some(Direction::ReferenceToGenerated),
            level: Some(Level::Unified),
            metric: "imacs".to_owned(),
            version: 1,
            outcome,
            convention: "spatial".to_owned(),
            note: Notes::NONE,
        }],
        failure: None,
    }
}

pub(crate) fn ok(sample_id: &str) -> SampleResult {
    scored(sample_id, Outcome::ok(0.5).expect("a finite value"))
}

pub(crate) fn failed(sample_id: &str) -> SampleResult {
    SampleResult {
        measurements: Vec::new(),
        failure: Some("disk\nfull".to_owned()),
        ..ok(sample_id)
    }
}

/// What a stage that has no value to tell leaves of a sample.
pub(crate) fn done(stage: Stage, sample_id: &str) -> SampleResult {
    SampleResult {
        stage,
        measurements: Vec::new(),
        ..ok(sample_id)
    }
}
