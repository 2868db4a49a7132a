//! Sets of picture files: a folder, or a list.

use std::path::{Path, PathBuf};

use i2am_files::{listed, shown};
use i2am_imaging::{PictureEnding, RgbImage, read_rgb};

use crate::error::MetricError;
use crate::set::Pictures;

/// Endings of lists.
const LISTS: [&str; 2] = ["txt", "lst"];

/// What pairs pictures that names do not.
const LINE_BY_LINE: &str = "pictures are paired by name, endings apart; two lists (.txt) with a path on each line pair them line by line";

/// Files in the order of their names.
#[derive(Debug, Clone)]
pub struct PictureFiles {
    place: PathBuf,
    files: Vec<PathBuf>,
    names: Vec<String>,
    is_list: bool,
}

impl PictureFiles {
    /// The PNG and JPEG files of the folder `path`, sorted by name, with `recursive` those of its sub-folders too; or, if `path` is a
    /// `.txt` or `.lst` file, the pictures it lists, one path per line relative to it, in its order.
    ///
    /// # Errors
    /// [`MetricError::Set`] if there is no picture, a listed one does not exist, or there are pictures of a kind that is not read.
    pub fn open(path: &Path, recursive: bool) -> Result<Self, MetricError> {
        if path.is_file() {
            Self::list(path)
        } else {
            Self::folder(path, recursive)
        }
    }

    /// These files, in this order; `place` is what they are called together.
    pub fn of(place: &Path, files: Vec<PathBuf>) -> Self {
        Self {
            place: place.to_owned(),
            names: files.iter().map(|file| below(file, place)).collect(),
            files,
            is_list: true,
        }
    }

    fn folder(place: &Path, recursive: bool) -> Result<Self, MetricError> {
        let mut found = Found::default();
        found.walk(place, recursive)?;
        let refuse = |reason| {
            Err(MetricError::Set {
                path: place.to_owned(),
                reason,
            })
        };
        if let Some(stranger) = found.unreadable.first() {
            return refuse(format!(
                "expected PNG or JPEG pictures, found `{}` ({} such): convert them to PNG",
                below(stranger, place),
                found.unreadable.len()
            ));
        }
        if found.pictures.is_empty() {
            return refuse(match (found.folders, found.others) {
                (0, 0) => "expected PNG or JPEG pictures, found an empty folder".to_owned(),
                (0, others) => format!("expected PNG or JPEG pictures, found {others} other files"),
                (folders, _) => {
                    format!(
                        "expected PNG or JPEG pictures, found {folders} folders: take their pictures with --recursive"
                    )
                }
            });
        }
        // The walk sorts each folder by itself; a score must not depend on how pictures are spread over folders.
        let mut named: Vec<(String, PathBuf)> = found
            .pictures
            .into_iter()
            .map(|file| (below(&file, place), file))
            .collect();
        named.sort();
        let (names, files) = named.into_iter().unzip();
        Ok(Self {
            place: place.to_owned(),
            files,
            names,
            is_list: false,
        })
    }

    fn list(place: &Path) -> Result<Self, MetricError> {
        let refuse = |reason| MetricError::Set {
            path: place.to_owned(),
            reason,
        };
        let ending = place.extension().unwrap_or_default();
        if !LISTS.iter().any(|list| ending.eq_ignore_ascii_case(list)) {
            return Err(refuse(
                "expected a folder of pictures, a list of them (.txt), or statistics (.npz)"
                    .to_owned(),
            ));
        }
        let text = i2am_files::read_text(place)?;
        let base = place.parent().unwrap_or(Path::new(""));
        let mut names = Vec::new();
        let mut files = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // Paths that are copied on Windows stand between quotation marks.
            let unquoted = line
                .strip_prefix('"')
                .and_then(|line| line.strip_suffix('"'));
            let line = unquoted.unwrap_or(line);
            let file = listed(base, line);
            if !file.is_file() {
                let found = shown(&file.display().to_string());
                return Err(refuse(format!(
                    "line {number}: expected the path of a picture, found no file {found}"
                )));
            }
            names.push(line.to_owned());
            files.push(file);
        }
        if files.is_empty() {
            return Err(refuse("expected one path per line, found none".to_owned()));
        }
        Ok(Self {
            place: place.to_owned(),
            files,
            names,
            is_list: true,
        })
    }

    /// Paths below the folder or as listed, one per picture.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The files, one per picture.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// For each generated picture of `self` the file of its real one in `real`: of the same name, whatever the ending, in folders; of
    /// the same line in lists.
    ///
    /// # Errors
    /// [`MetricError::Set`] if a picture of either side has no counterpart, or two.
    pub fn paired_with(&self, real: &Self) -> Result<Vec<PathBuf>, MetricError> {
        if self.is_list && real.is_list {
            return if self.files.len() == real.files.len() {
                Ok(real.files.clone())
            } else {
                Err(self.unpaired(format!(
                    "expected as many pictures as {} lists, {}, found {}",
                    real.place.display(),
                    real.files.len(),
                    self.files.len()
                )))
            };
        }
        let by_stem = real.by_stem()?;
        let own = self.by_stem()?;
        if let Some(stem) = by_stem.keys().find(|stem| !own.contains_key(*stem)) {
            let lonely = by_stem
                .keys()
                .filter(|stem| !own.contains_key(*stem))
                .count();
            return Err(real.unpaired(format!(
                "`{stem}` has no counterpart in {} ({lonely} such); {LINE_BY_LINE}",
                self.place.display()
            )));
        }
        let counterpart = |name: &String| {
            let stem = stem(name);
            by_stem
                .get(stem)
                .map(|&index| real.files[index].clone())
                .ok_or_else(|| {
                    self.unpaired(format!(
                        "`{stem}` has no counterpart in {}; {LINE_BY_LINE}",
                        real.place.display()
                    ))
                })
        };
        self.names.iter().map(counterpart).collect()
    }

    fn by_stem(&self) -> Result<std::collections::BTreeMap<&str, usize>, MetricError> {
        let mut stems = std::collections::BTreeMap::new();
        for (index, name) in self.names.iter().enumerate() {
            if let Some(before) = stems.insert(stem(name), index) {
                return Err(self.unpaired(format!(
                    "`{}` and `{name}` would both be the counterpart of `{}`; {LINE_BY_LINE}",
                    self.names[before],
                    stem(name)
                )));
            }
        }
        Ok(stems)
    }

    fn unpaired(&self, reason: String) -> MetricError {
        MetricError::Set {
            path: self.place.clone(),
            reason,
        }
    }
}

impl Pictures for PictureFiles {
    fn place(&self) -> String {
        self.place.display().to_string()
    }

    fn len(&self) -> usize {
        self.files.len()
    }

    fn load(&self, index: usize) -> Result<RgbImage, MetricError> {
        Ok(read_rgb(&self.files[index])?)
    }

    fn fingerprint(&self, index: usize) -> Result<String, MetricError> {
        Ok(i2am_files::sha256_file(&self.files[index])?)
    }
}

#[derive(Default)]
struct Found {
    pictures: Vec<PathBuf>,
    unreadable: Vec<PathBuf>,
    folders: usize,
    others: usize,
}

impl Found {
    fn walk(&mut self, folder: &Path, recursive: bool) -> Result<(), MetricError> {
        for entry in i2am_files::sorted_entries(folder)? {
            let hidden = entry
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            match PictureEnding::of(&entry) {
                _ if hidden => {}
                _ if entry.is_dir() && recursive => self.walk(&entry, recursive)?,
                _ if entry.is_dir() => self.folders += 1,
                PictureEnding::Read => self.pictures.push(entry),
                // Leaving them out silently would change a score.
                PictureEnding::Unreadable => self.unreadable.push(entry),
                PictureEnding::Other => self.others += 1,
            }
        }
        Ok(())
    }
}

/// `file` below `place`, with `/` on every system.
fn below(file: &Path, place: &Path) -> String {
    let file = file.strip_prefix(place).unwrap_or(file);
    let parts: Vec<_> = file
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

/// A name without its ending.
fn stem(name: &str) -> &str {
    let file_starts = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[file_starts..].rfind('.') {
        Some(dot) if dot > 0 => &name[..file_starts + dot],
        _ => name,
    }
}
