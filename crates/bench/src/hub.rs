//! Checkpoints that a configuration or a command line names by where they are on the hub.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Result;
use i2am_hub::{Hub, HubName, License, Settings, license_of};
use i2am_nets::layout::{files_of_folder, shards_of_index};
use indicatif::ProgressBar;
use toml::Spanned;
use toml::de::DeValue;

use crate::config::Table;
use crate::exit::usage;
use crate::progress;

/// A place that a `[[model]]` table names, and the license of what lies there.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The key of the table.
    pub(crate) key: String,
    /// The path or name, as in the configuration.
    pub(crate) named: String,
    /// The commit on the hub, for a name of the hub.
    pub(crate) commit: Option<String>,
    /// What the card of the repository says, or a card next to the file or folder.
    pub(crate) license: Option<License>,
}

/// Replaces every name of the hub in a `[[model]]` table by the path of what it names, which is downloaded if it is not in the cache.
///
/// # Errors
/// A name that is none; what is not there, may not be read or cannot be downloaded.
pub(crate) fn replace_names(table: &mut Table<'_>) -> Result<Vec<Place>> {
    let DeValue::Table(model) = table.get_mut() else {
        return Ok(Vec::new());
    };
    let variant = match model.get("variant").map(Spanned::get_ref) {
        Some(DeValue::String(variant)) => Some(variant.to_string()),
        _ => None,
    };
    let mut places = Vec::new();
    for (key, value) in model.iter_mut() {
        let DeValue::String(text) = value.get_mut() else {
            continue;
        };
        if !HubName::is_meant(text) {
            continue;
        }
        let found = fetch(text, variant.as_deref())?;
        places.push(Place {
            key: key.get_ref().to_string(),
            named: text.to_string(),
            commit: Some(found.commit),
            license: found.license,
        });
        *text = found.path.display().to_string().into();
    }
    Ok(places)
}

/// The path that `path` means on the command line: what it names on the hub, which is downloaded if it is not in the cache, or itself.
///
/// # Errors
/// As [`replace_names`].
pub(crate) fn path_of(path: &Path, variant: Option<&str>) -> Result<PathBuf> {
    match path.to_str().filter(|text| HubName::is_meant(text)) {
        Some(text) => Ok(fetch(text, variant)?.path),
        None => Ok(path.to_owned()),
    }
}

/// The license of what lies at `path`: that of a card in the folder, or next to the file; else of one next to that folder, which may be a
/// part of a checkpoint.
pub(crate) fn license_at(path: &Path) -> Option<License> {
    let folders = path.ancestors().skip(usize::from(!path.is_dir()));
    folders.take(2).find_map(license_of)
}

struct Found {
    path: PathBuf,
    commit: String,
    license: Option<License>,
}

fn fetch(text: &str, variant: Option<&str>) -> Result<Found> {
    let name: HubName = text.parse().map_err(|error: String| usage(error))?;
    let bar = Bar::default();
    let hub = Hub::new(Settings::from_environment()?, &bar)?;
    let listing = hub.list(&name)?;
    if let Some(remark) = listing.remark() {
        tracing::warn!("{remark}");
    }
    let path = if listing.is_file() {
        let file = hub.fetch(&listing, &[])?;
        let folder = hub.list(&name.folder())?;
        let names: Vec<&str> = folder.files().collect();
        let index = file
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        let shards = shards_of_index(index, &names);
        if !shards.is_empty() {
            hub.fetch(&folder, &shards)?;
        }
        file
    } else {
        let names: Vec<&str> = listing.files().collect();
        if names.is_empty() {
            return Err(usage(format!(
                "{name}: there is no such file or folder in the repository `{}` at the commit {}",
                name.repository(),
                listing.commit()
            )));
        }
        let files = files_of_folder(&names, variant)
            .map_err(|reason| usage(format!("{name}: {reason}")))?;
        hub.fetch(&listing, &files)?
    };
    let card = name.root();
    let root = hub.list(&card).map(|listing| hub.place(&listing))?;
    Ok(Found {
        path,
        commit: listing.commit().to_owned(),
        license: license_of(&root),
    })
}

/// A bar in MiB, so that a log without bars has numbers that can be read.
#[derive(Default)]
struct Bar(Mutex<Option<(ProgressBar, u64)>>);

/// Bits of a number of bytes that are less than a MiB.
const MIB_BITS: u32 = 20;

impl Bar {
    fn with(&self, act: impl FnOnce(&mut Option<(ProgressBar, u64)>)) {
        act(&mut self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

impl i2am_hub::Progress for Bar {
    fn start(&self, what: &str, bytes: u64) {
        tracing::info!("{what}: downloading {}", size(bytes));
        let bar = progress::bar("download (MiB)", bytes >> MIB_BITS);
        self.with(|current| *current = Some((bar, 0)));
    }

    fn advance(&self, bytes: u64) {
        self.with(|current| {
            if let Some((bar, done)) = current {
                *done += bytes;
                bar.set_position(*done >> MIB_BITS);
            }
        });
    }

    fn finish(&self) {
        self.with(|current| {
            if let Some((bar, _)) = current.take() {
                bar.finish_and_clear();
            }
        });
    }
}

/// A number of bytes for readers, in powers of 1000 as the hub shows them.
fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        bytes if bytes >= 1e9 => format!("{:.2} GB", bytes / 1e9),
        bytes if bytes >= 1e6 => format!("{:.1} MB", bytes / 1e6),
        bytes => format!("{:.1} kB", bytes / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_as_on_the_hub() {
        assert_eq!(size(5_240_000_000), "5.24 GB");
        assert_eq!(size(44_600_000), "44.6 MB");
        assert_eq!(size(346), "0.3 kB");
    }
}
