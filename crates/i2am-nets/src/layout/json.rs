//! The `config.json` of a network and other JSON of checkpoints, and errors that name the file and the key.

use std::path::{Path, PathBuf};

use i2am_weights::{WeightError, WeightFile, describe};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::NetError;

/// Bytes of the largest JSON file; the index of a model in a thousand shards has some hundred thousand.
const MAX_BYTES: u64 = 64 << 20;

/// One `config.json` of a diffusers folder, or what stands for it in the metadata of a single file.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    value: Value,
}

/// What a key of a `config.json` must be. Ranges are checked afterwards, since sizes that come from tensors have the same.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// An integer that is not negative.
    Count,
    /// The same, or nothing.
    OptionalCount,
    /// A list of integers that are not negative.
    Counts,
    /// One integer for all levels, or a list with one for each.
    CountOrCounts,
    /// A finite number, or nothing.
    OptionalNumber,
    /// A finite number.
    Number,
    /// A list of texts.
    Texts,
}

impl Rule {
    fn accepts(self, value: &Value) -> bool {
        let is_count = |value: &Value| value.as_u64().is_some_and(|n| i64::try_from(n).is_ok());
        let is_number = |value: &Value| value.as_f64().is_some_and(f64::is_finite);
        let is_list =
            |of: &dyn Fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(of));
        match self {
            Self::Count => is_count(value),
            Self::OptionalCount => value.is_null() || is_count(value),
            Self::Counts => is_list(&is_count),
            Self::CountOrCounts => is_count(value) || is_list(&is_count),
            Self::OptionalNumber => value.is_null() || is_number(value),
            Self::Number => is_number(value),
            Self::Texts => is_list(&Value::is_string),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Count => "an integer that is not negative",
            Self::OptionalCount => "an integer that is not negative, or nothing",
            Self::Counts => "a list of integers that are not negative",
            Self::CountOrCounts => "an integer that is not negative, or a list of such",
            Self::OptionalNumber => "a finite number, or nothing",
            Self::Number => "a finite number",
            Self::Texts => "a list of texts",
        }
    }
}

impl ConfigFile {
    /// # Errors
    /// [`NetError::Read`] or, if it is not JSON, [`NetError::Config`].
    pub fn open(path: &Path) -> Result<Self, NetError> {
        Ok(Self {
            path: path.to_owned(),
            value: read(path)?,
        })
    }

    /// The content `text`, which was found in `path`.
    ///
    /// # Errors
    /// [`NetError::Config`] if it is not JSON.
    pub fn of_text(path: &Path, text: &str) -> Result<Self, NetError> {
        Ok(Self {
            path: path.to_owned(),
            value: parse(path, text)?,
        })
    }

    /// The keys that `T` names, which are as `rules` say; others are ignored, since these files carry many that do not matter here.
    ///
    /// # Errors
    /// [`NetError::Config`] naming the key.
    pub fn parse<T: DeserializeOwned>(&self, rules: &[(&str, Rule)]) -> Result<T, NetError> {
        let Value::Object(mut keys) = self.value.clone() else {
            let found = shown(&self.value);
            return Err(self.refuse(format!("expected an object of keys, found {found}")));
        };
        for &(key, rule) in rules {
            let value = self.value.get(key).unwrap_or(&Value::Null);
            if !rule.accepts(value) {
                let (expected, found) = (rule.expected(), shown(value));
                return Err(self.refuse(format!("`{key}`: expected {expected}, found {found}")));
            }
        }
        // Null is how Python's programs write that a key is not set.
        keys.retain(|_, value| !value.is_null());
        T::deserialize(Value::Object(keys)).map_err(|error| {
            self.refuse(format!("expected the sizes of a network, found: {error}"))
        })
    }

    /// # Errors
    /// [`NetError::Config`] if `key` is present, not null and not one of `built`.
    pub fn reject_other(&self, key: &str, built: &[Value]) -> Result<(), NetError> {
        match self.value.get(key) {
            None | Some(Value::Null) => Ok(()),
            Some(found) if built.contains(found) => Ok(()),
            Some(found) => {
                let built: Vec<String> = built
                    .iter()
                    .map(Value::to_string)
                    .chain(["null".to_owned()])
                    .collect();
                Err(self.refuse(format!(
                    "`{key}`: expected {}, found {}",
                    built.join(" or "),
                    shown(found)
                )))
            }
        }
    }

    /// An error about this file.
    pub fn refuse(&self, reason: String) -> NetError {
        refuse(&self.path, reason)
    }
}

fn refuse(path: &Path, reason: String) -> NetError {
    NetError::Config {
        path: path.to_owned(),
        reason,
    }
}

/// A value as it stands in the file, cut for a message; nothing if it is null.
pub(super) fn shown(value: &Value) -> String {
    const CHARS: usize = 60;
    if value.is_null() {
        return "nothing".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(CHARS) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The JSON file `path`.
pub(super) fn read(path: &Path) -> Result<Value, NetError> {
    let failed = |source| NetError::Read {
        path: path.to_owned(),
        source,
    };
    // Opening it for its name alone tells a dangling link from a file that was never there.
    let metadata = std::fs::metadata(path).map_err(|source| match WeightFile::open(path) {
        Err(dangling @ WeightError::Dangling { .. }) => dangling.into(),
        _ => failed(source),
    })?;
    if metadata.len() > MAX_BYTES {
        let found = metadata.len();
        return Err(refuse(
            path,
            format!("expected JSON of at most {MAX_BYTES} bytes, found {found}"),
        ));
    }
    let text = i2am_files::read_text(path).map_err(|error| failed(error.cause))?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<Value, NetError> {
    serde_json::from_str(text).map_err(|error| {
        let found = if text.trim_start().starts_with('{') {
            error.to_string()
        } else {
            describe(text.as_bytes())
        };
        refuse(path, format!("expected JSON, found {found}"))
    })
}
