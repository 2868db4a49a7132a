//! Which config a result comes from.

use std::collections::BTreeSet;

use serde_json::Value;

/// Hexadecimal digits of the hash: 64 bits tell the configs of one folder apart, and every row carries them.
const DIGITS: usize = 16;

/// Hash of the parts of a resolved config that can change a number: the first 16 hexadecimal digits of the sha256 of
/// its canonical JSON (keys sorted, no white space), so the order of keys does not matter.
///
/// The caller leaves out what cannot change a number: output folder, sample limit, list of stages.
pub fn config_hash(config: &Value) -> String {
    let mut json = String::new();
    write_canonical(config, &mut json);
    let mut hash = i2am_files::sha256_hex(json.as_bytes());
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

/// The keys that differ, as `model.0.sampler.steps: 50, now 20`, sorted.
pub(crate) fn differences(was: &Value, now: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect_differences("", was, now, &mut found);
    found
}

fn collect_differences(path: &str, was: &Value, now: &Value, found: &mut Vec<String>) {
    match (was, now) {
        (Value::Object(old), Value::Object(new)) => {
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys {
                let [was, now] = [old, new].map(|map| map.get(key).unwrap_or(&Value::Null));
                collect_differences(&join(path, key), was, now, found);
            }
        }
        (Value::Array(old), Value::Array(new)) => {
            for index in 0..old.len().max(new.len()) {
                let [was, now] = [old, new].map(|list| list.get(index).unwrap_or(&Value::Null));
                collect_differences(&join(path, &index.to_string()), was, now, found);
            }
        }
        _ if was != now => found.push(format!("{path}: {was}, now {now}")),
        _ => {}
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
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
        assert_eq!(config_hash(&json!({})), "44136fa355b3678a");
        assert_ne!(config_hash(&json!({"a": 1})), config_hash(&json!({"a": 2})));
    }

    #[test]
    fn differences_name_the_key() {
        let was = json!({"seed": 1, "model": [{"steps": 50, "name": "a"}]});
        let now = json!({"seed": 1, "model": [{"steps": 20, "name": "a"}, {"name": "b"}]});
        assert_eq!(
            differences(&was, &now),
            [
                "model.0.steps: 50, now 20",
                r#"model.1: null, now {"name":"b"}"#
            ]
        );
    }
}
