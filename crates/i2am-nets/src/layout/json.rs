//! The `config.json` of a network, and errors that name the file and the key.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::NetError;

/// One `config.json` of a diffusers folder, or what stands for it in the metadata of a single file.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    value: Value,
}

impl ConfigFile {
    /// # Errors
    /// [`NetError::Read`] or, if it is not JSON, [`NetError::Config`].
    pub fn open(path: &Path) -> Result<Self, NetError> {
        let read = |source| NetError::Read {
            path: path.to_owned(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(read)?;
        Self::of_text(path, &text)
    }

    /// The content `text`, which was found in `path`.
    ///
    /// # Errors
    /// [`NetError::Config`] if it is not JSON.
    pub fn of_text(path: &Path, text: &str) -> Result<Self, NetError> {
        let value = serde_json::from_str(text).map_err(|error| NetError::Config {
            path: path.to_owned(),
            reason: format!("not JSON: {error}"),
        })?;
        Ok(Self {
            path: path.to_owned(),
            value,
        })
    }

    /// The keys that `T` names; others are ignored, since these files carry many that do not matter here.
    ///
    /// # Errors
    /// [`NetError::Config`] naming the key.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, NetError> {
        T::deserialize(&self.value).map_err(|error| self.refuse(error.to_string()))
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
                    "`{key}`: expected {}, found {found}",
                    built.join(" or ")
                )))
            }
        }
    }

    /// An error about this file.
    pub fn refuse(&self, reason: String) -> NetError {
        NetError::Config {
            path: self.path.clone(),
            reason,
        }
    }
}
