//! The folder of `MLflow`'s file store: an experiment for the run, and a run of it for each model, with its settings, tags and scores.
//!
//! Identifiers follow from the names and the start of the run, so a second export replaces the first. Read back by `MLflow` 3.17.2.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use super::Run;

/// Longest value of a parameter; `MLflow` refuses longer ones.
const LONGEST: usize = 6000;

/// Statuses and kinds of source are numbers of `MLflow`'s protocol: a run that ended, and a local program.
const FINISHED: u32 = 3;
const LOCAL: u32 = 4;

/// Writes the store.
pub(super) fn write(run: &Run, models: &[&str], out: &Path) -> Result<PathBuf> {
    let manifest = &run.manifest;
    let [started, ended] = run.times;
    let (started, ended) = (started.as_millisecond(), ended.as_millisecond());
    let hash = i2am_files::sha256_hex(format!("{} {}", manifest.name, manifest.started));
    // A number, because folders of experiments are numbers.
    let digits = u64::from_str_radix(&hash[..15], 16).unwrap_or_default();
    let experiment = format!("{digits:018}");
    let folder = out.join(&experiment);
    let meta = [
        ("artifact_location", quoted(&format!("./{experiment}"))),
        ("creation_time", started.to_string()),
        ("experiment_id", quoted(&experiment)),
        ("last_update_time", ended.to_string()),
        ("lifecycle_stage", "active".to_owned()),
        ("name", quoted(&manifest.name)),
    ];
    i2am_files::write_atomic(folder.join("meta.yaml"), yaml(&meta))?;
    for model in models {
        let id = i2am_files::sha256_hex(format!("{experiment} {model}"))[..32].to_owned();
        let folder = folder.join(&id);
        let version = manifest.git.as_ref().map_or("", |git| &git.commit);
        let meta = [
            (
                "artifact_uri",
                quoted(&format!("./{experiment}/{id}/artifacts")),
            ),
            ("end_time", ended.to_string()),
            ("entry_point_name", quoted("")),
            ("experiment_id", quoted(&experiment)),
            ("lifecycle_stage", "active".to_owned()),
            ("run_id", quoted(&id)),
            ("run_name", quoted(model)),
            ("run_uuid", quoted(&id)),
            ("source_name", quoted("bench")),
            ("source_type", LOCAL.to_string()),
            ("source_version", quoted(version)),
            ("start_time", started.to_string()),
            ("status", FINISHED.to_string()),
            ("tags", "[]".to_owned()),
            ("user_id", quoted("")),
        ];
        i2am_files::write_atomic(folder.join("meta.yaml"), yaml(&meta))?;
        i2am_files::create_dir(folder.join("artifacts"))?;
        for row in run.scores_of(model) {
            let line = format!("{ended} {} 0\n", row.mean.unwrap_or(f64::NAN));
            i2am_files::write_atomic(folder.join("metrics").join(plain(&run.name(row))), line)?;
        }
        let tags = [
            ("mlflow.runName", *model),
            ("mlflow.source.name", "bench"),
            ("dataset", manifest.dataset.name.as_str()),
            ("device", manifest.device.as_str()),
            ("protocol", run.protocol()),
        ];
        for (name, text) in tags {
            i2am_files::write_atomic(folder.join("tags").join(name), text)?;
        }
        let mut params = vec![("seed".to_owned(), manifest.seed.to_string())];
        if let Some(settings) = run.settings(model) {
            leaves("", settings, &mut params);
        }
        for (name, text) in params {
            let text: String = text.chars().take(LONGEST).collect();
            i2am_files::write_atomic(folder.join("params").join(plain(&name)), text)?;
        }
    }
    Ok(out.to_owned())
}

/// The values in `settings` by their keys, joined with points.
fn leaves(prefix: &str, settings: &Value, found: &mut Vec<(String, String)>) {
    let Value::Object(entries) = settings else {
        let text = settings
            .as_str()
            .map_or_else(|| settings.to_string(), str::to_owned);
        found.push((prefix.to_owned(), text));
        return;
    };
    for (key, value) in entries {
        let key = if prefix.is_empty() {
            key.clone()
        } else {
            format!("{prefix}.{key}")
        };
        leaves(&key, value, found);
    }
}

/// A name of the characters that `MLflow` allows.
fn plain(name: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-./: ".contains(c);
    name.chars()
        .map(|c| if allowed(c) { c } else { '_' })
        .collect()
}

/// Text as YAML and JSON both write it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

fn yaml(entries: &[(&str, String)]) -> String {
    let lines = entries
        .iter()
        .map(|(key, value)| format!("{key}: {value}\n"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{leaves, plain};

    #[test]
    fn settings_are_named_by_their_keys() {
        let mut found = Vec::new();
        leaves(
            "",
            &json!({ "guidance": 2.5, "sampler": { "kind": "ddim", "steps": 50 }, "size": [4, 3] }),
            &mut found,
        );
        let found: Vec<String> = found
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        assert_eq!(
            found,
            [
                "guidance=2.5",
                "sampler.kind=ddim",
                "sampler.steps=50",
                "size=[4,3]"
            ]
        );
        assert_eq!(plain("kid/clean (a=1)"), "kid/clean _a_1_");
    }
}
