//! Which settings a result comes from.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::row::Stage;

/// Hexadecimal digits of the hash: 64 bits tell the configs of one folder apart, and every row carries them.
const DIGITS: usize = 16;

/// The settings that can change the numbers of one stage, and their hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigHash {
    hash: String,
    keys: Vec<String>,
}

impl ConfigHash {
    /// The settings that `config`, a resolved config, has at `keys`, such as `seed` or `attribution.imacs`. A key that it
    /// lacks counts as null.
    ///
    /// The caller leaves out what cannot change a number: output folder, sample limit, list of stages.
    pub fn of(config: &Value, keys: &[&str]) -> Self {
        let settings = keys
            .iter()
            .map(|&key| (key.to_owned(), at(config, key).clone()));
        Self {
            hash: hash_of(&Value::Object(settings.collect())),
            keys: keys.iter().map(|&key| key.to_owned()).collect(),
        }
    }

    /// Of no settings.
    pub fn of_nothing() -> Self {
        Self::of(&Value::Null, &[])
    }

    /// Whether no setting decides.
    fn is_of_nothing(&self) -> bool {
        self.keys.is_empty()
    }

    /// The hash: 16 hexadecimal digits.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The settings of these that differ between two configs, as `model.0.sampler.steps: 50, now 20`.
    pub(crate) fn differences(&self, was: &Value, now: &Value) -> Vec<String> {
        let mut found = Vec::new();
        for key in &self.keys {
            collect_differences(key, at(was, key), at(now, key), &mut found);
        }
        found
    }
}

/// What decides the numbers of each stage, so that other settings of a later stage leave the earlier ones' results
/// valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigHashes {
    /// Of [`Stage::Generate`]; every other stage reads what it made, so a run folder holds only one.
    pub generate: ConfigHash,
    /// Of [`Stage::Score`], without what `generate` covers.
    pub score: ConfigHash,
    /// Of [`Stage::Measure`] and the scores of whole sets, without what `generate` covers.
    pub measure: ConfigHash,
    /// Of [`Stage::Faithfulness`], without what `generate` covers; of nothing in manifests from before there was this stage.
    #[serde(
        default = "ConfigHash::of_nothing",
        skip_serializing_if = "ConfigHash::is_of_nothing"
    )]
    pub faithfulness: ConfigHash,
}

impl ConfigHashes {
    /// For tests that are not about settings.
    #[cfg(test)]
    pub(crate) fn of_nothing() -> Self {
        let [generate, score, measure, faithfulness] = [(); 4].map(|()| ConfigHash::of_nothing());
        Self {
            generate,
            score,
            measure,
            faithfulness,
        }
    }

    /// The settings of `now`, whose hashes these are, that differ from those of `was`; none exactly when all hashes are equal.
    pub(crate) fn differences_from(&self, earlier: &Self, [was, now]: [&Value; 2]) -> Vec<String> {
        let mut found = Vec::new();
        for stage in Stage::ALL {
            let [old, new] = [earlier, self].map(|hashes| hashes.of_stage(stage));
            if old.hash == new.hash {
                continue;
            }
            let settings = new.differences(was, now);
            if settings.is_empty() {
                // The program has since come to count other settings.
                let (old, new) = (&old.hash, &new.hash);
                found.push(format!("settings of stage `{stage}`: {old}, now {new}"));
            }
            found.extend(settings);
        }
        found
    }

    /// That of `stage`.
    pub fn of_stage(&self, stage: Stage) -> &ConfigHash {
        match stage {
            Stage::Generate => &self.generate,
            Stage::Score => &self.score,
            Stage::Measure => &self.measure,
            Stage::Faithfulness => &self.faithfulness,
        }
    }
}

/// The value at a key such as `attribution.imacs`; null where there is none.
fn at<'a>(config: &'a Value, key: &str) -> &'a Value {
    key.split('.').fold(config, |value, name| &value[name])
}

/// The first digits of the sha256 of the canonical JSON: keys sorted, no white space.
fn hash_of(settings: &Value) -> String {
    let mut json = String::new();
    write_canonical(settings, &mut json);
    short_hash(&json)
}

/// The first digits of the sha256 of `text`.
pub(crate) fn short_hash(text: &str) -> String {
    let mut hash = i2am_files::sha256_hex(text.as_bytes());
    hash.truncate(DIGITS);
    hash
}

fn write_canonical(value: &Value, json: &mut String) {
    match value {
        Value::Object(map) => {
            // The map sorts its keys only as long as no crate of the build asks serde_json to preserve their order.
            let keys: BTreeSet<&String> = map.keys().collect();
            json.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_canonical(&Value::String(key.clone()), json);
                json.push(':');
                write_canonical(&map[key], json);
            }
            json.push('}');
        }
        Value::Array(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write_canonical(item, json);
            }
            json.push(']');
        }
        scalar => json.push_str(&scalar.to_string()),
    }
}

fn collect_differences(path: &str, was: &Value, now: &Value, found: &mut Vec<String>) {
    match (was, now) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let [was, now] = [old, new].map(|map| map.get(key).unwrap_or(&Value::Null));
                collect_differences(&format!("{path}.{key}"), was, now, found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let [was, now] = [old, new].map(|list| list.get(index).unwrap_or(&Value::Null));
                collect_differences(&format!("{path}.{index}"), was, now, found);
            }
        }
        _ if was != now => found.push(format!("{path}: {was}, now {now}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_canonical_text_is_sorted_and_compact() {
        let mut text = String::new();
        let config = json!({"b": [1, 2.5, {"z": null, "a": "x\"y"}], "a": true});
        write_canonical(&config, &mut text);
        assert_eq!(text, r#"{"a":true,"b":[1,2.5,{"a":"x\"y","z":null}]}"#);
    }

    #[test]
    fn the_hash_is_the_start_of_a_sha256() {
        // sha256 of the two bytes `{}`.
        assert_eq!(ConfigHash::of(&json!({}), &[]).hash(), "44136fa355b3678a");
    }

    #[test]
    fn only_the_settings_at_the_keys_change_the_hash() {
        let of = |config: Value| ConfigHash::of(&config, &["seed", "attribution.imacs"]);
        let hash = of(json!({"seed": 1, "attribution": {"imacs": {"penalty": 3}}}));
        let same = json!({"seed": 1, "attribution": {"imacs": {"penalty": 3}, "floor": 1}, "b": 2});
        assert_eq!(of(same), hash);
        for other in [
            json!({"seed": 1, "attribution": {"imacs": {"penalty": 2}}}),
            json!({"seed": 2, "attribution": {"imacs": {"penalty": 3}}}),
            json!({"seed": 1}),
        ] {
            assert_ne!(of(other).hash(), hash.hash());
        }
    }

    #[test]
    fn differences_name_the_key() {
        let was = json!({"seed": 1, "a": {"b": 1, "c": 2}, "model": [{"steps": 50, "name": "a"}]});
        let now = json!({"seed": 2, "model": [{"steps": 20, "name": "a"}, {"name": "b"}]});
        assert_eq!(
            ConfigHash::of(&now, &["a.b", "model"]).differences(&was, &now),
            [
                "a.b: 1, now null",
                "model.0.steps: 50, now 20",
                r#"model.1: null, now {"name":"b"}"#
            ]
        );
    }
}
