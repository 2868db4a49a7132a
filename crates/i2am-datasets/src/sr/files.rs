//! Folders of pictures, by stem.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use i2am_files::sorted_entries;
use i2am_imaging::PictureEnding;

use crate::{DatasetError, ids};

/// The PNG and JPEG files of `folder` by stem, sorted. Hidden files, folders and files that are no pictures are passed over.
///
/// # Errors
/// [`DatasetError::File`] if it cannot be listed; [`DatasetError::Folder`] if there is no picture, one of another format, two
/// of one stem, or a stem that cannot name a sample.
pub(super) fn pictures(folder: &Path) -> Result<Vec<(String, PathBuf)>, DatasetError> {
    let refuse = |expected: &str, found: String| DatasetError::Folder {
        path: folder.to_path_buf(),
        expected: expected.to_owned(),
        found,
    };
    let mut found: BTreeMap<String, PathBuf> = BTreeMap::new();
    for file in sorted_entries(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') || file.is_dir() {
            continue;
        }
        match PictureEnding::of(&file) {
            PictureEnding::Read => {}
            PictureEnding::Other => continue,
            PictureEnding::Unreadable => {
                let found = format!("`{name}`: convert it to PNG");
                return Err(refuse("PNG or JPEG pictures", found));
            }
        }
        let stem = ids::stem(&name).to_owned();
        if let Some(reason) = ids::objection(&stem) {
            let found = format!("`{name}`: {reason}");
            return Err(refuse("names that can be those of samples", found));
        }
        if let Some(earlier) = found.get(&stem) {
            let earlier = earlier.file_name().unwrap_or_default().to_string_lossy();
            let found = format!("`{earlier}` and `{name}`");
            return Err(refuse("one picture of each name", found));
        }
        found.insert(stem, file);
    }
    if found.is_empty() {
        return Err(refuse("PNG or JPEG pictures", "none".to_owned()));
    }
    Ok(found.into_iter().collect())
}

/// The picture in the folder `high` for each of `listed`, those of the folder `low`, in their order.
///
/// # Errors
/// Those of [`pictures`], and [`DatasetError::Folder`] if a picture of either folder has no counterpart.
pub(super) fn counterparts(
    low: &Path,
    listed: &[(String, PathBuf)],
    high: &Path,
) -> Result<Vec<PathBuf>, DatasetError> {
    let lacking = |folder: &Path, stem: &str, file: &Path| DatasetError::Folder {
        path: folder.to_path_buf(),
        expected: format!(
            "`{stem}.png` or `.jpg`, the counterpart of {}",
            file.display()
        ),
        found: "no such picture".to_owned(),
    };
    let mut candidates: BTreeMap<String, PathBuf> = pictures(high)?.into_iter().collect();
    let mut found = Vec::new();
    for (stem, file) in listed {
        let counterpart = candidates.remove(stem);
        found.push(counterpart.ok_or_else(|| lacking(high, stem, file))?);
    }
    match candidates.first_key_value() {
        Some((stem, file)) => Err(lacking(low, stem, file)),
        None => Ok(found),
    }
}
