//! Sample ids are file names of results, and each names one sample.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_files::shown;

use crate::DatasetError;

/// The longest id in bytes: room is left for the ending of a file name, which most systems limit to 255.
const LONGEST: usize = 200;

/// What keeps `id` from being a file name on any of the usual systems.
pub(crate) fn objection(id: &str) -> Option<&'static str> {
    let forbidden = |c: char| c.is_control() || r#"/\:*?"<>|"#.contains(c);
    if id.is_empty() {
        Some("it is empty")
    } else if id.len() > LONGEST {
        Some("it is longer than 200 bytes")
    } else if id.chars().any(forbidden) {
        Some(r#"it contains a control character or one of / \ : * ? " < > |"#)
    } else if id.starts_with('.') || id.ends_with('.') {
        Some("it starts or ends with a full stop")
    } else if id.trim() != id {
        Some("it starts or ends with white space")
    } else {
        None
    }
}

/// A sample as listed in a file: its line, its id, and whatever the layout keeps.
pub(crate) struct Listed<T> {
    pub(crate) line: u64,
    pub(crate) id: String,
    pub(crate) entry: T,
}

/// Checks that every id of the file at `path` can be a file name and is there once; then as [`sorted`].
///
/// # Errors
/// [`DatasetError::Entry`], [`DatasetError::Empty`].
pub(crate) fn checked<T>(
    path: &Path,
    listed: Vec<Listed<T>>,
    limit: Option<usize>,
) -> Result<(Vec<String>, Vec<T>), DatasetError> {
    let mut seen = BTreeMap::new();
    for &Listed { line, ref id, .. } in &listed {
        if let Some(reason) = objection(id) {
            let expected = "an id that can be a file name";
            let found = format!("{}: {reason}", shown(id));
            return Err(DatasetError::line(path, line, expected, found));
        }
        if let Some(first) = seen.insert(id, line) {
            let found = format!("{} also on line {first}", shown(id));
            return Err(DatasetError::line(path, line, "every id once", found));
        }
    }
    let named = listed.into_iter().map(|l| (l.id, l.entry)).collect();
    sorted(path, named, limit, "")
}

/// The samples in the order of [`crate::Dataset::ids`], of which the first `limit` are kept; there is at least one. `why_none` says
/// why `path` may list none.
///
/// # Errors
/// [`DatasetError::Empty`].
pub(crate) fn sorted<T>(
    path: &Path,
    mut named: Vec<(String, T)>,
    limit: Option<usize>,
    why_none: &'static str,
) -> Result<(Vec<String>, Vec<T>), DatasetError> {
    let hint = match named.len() {
        0 => why_none,
        _ => ": its limit is 0",
    };
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named.truncate(limit.unwrap_or(usize::MAX));
    if named.is_empty() {
        return Err(DatasetError::Empty {
            path: path.to_path_buf(),
            hint,
        });
    }
    Ok(named.into_iter().unzip())
}

/// A file name without its last ending.
pub(crate) fn stem(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, _)) if !stem.is_empty() => stem,
        _ => name,
    }
}

/// The first folder name in `parent` that exists; the published one, which comes first, if none does, so that messages name that.
pub(crate) fn present(parent: &Path, names: [&'static str; 2]) -> &'static str {
    let found = names.into_iter().find(|name| parent.join(name).is_dir());
    found.unwrap_or(names[0])
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write as _;

    use crate::manifest::{Manifest, ManifestConfig};
    use crate::viton_hd::{VitonHd, VitonHdConfig};
    use crate::{Dataset, DatasetError, Pairing};

    use super::*;

    fn assert_usable(opened: Result<&dyn Dataset, &DatasetError>) {
        match opened {
            Ok(dataset) => {
                assert!(!dataset.ids().is_empty());
                assert!(dataset.ids().is_sorted_by(|a, b| a < b));
                for id in dataset.ids() {
                    assert_eq!(objection(id), None);
                }
            }
            Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
        }
    }

    #[test]
    fn any_bytes_list_samples_or_are_refused_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let (pairs, manifest) = (
            dir.path().join("test_pairs.txt"),
            dir.path().join("list.csv"),
        );
        let corpus: [&[u8]; 8] = [
            b"\xef\xbb\xbf00002_00.jpg 00000_00.jpg\r\n\r\n00000_00.jpg 00001_00.jpg\r\n",
            b"a.jpg b.jpg\na.jpg c.jpg\n../d.jpg e.jpg\n",
            b"id,image,mask,reference\na,in/a.png,mask.png,ref.png\nb,in\\b.png,mask.png,ref.png\n",
            b"image,mask,reference,ground_truth\n\"a\nb.png\",m.png,r.png,\n",
            b"image;mask;reference\na;b;c\n",
            b"\xff\xfea\0",
            b"x/y,CON,a.b.,\xe9\n",
            b"",
        ];
        let file = manifest.clone();
        i2am_testkit::fuzz("lists", &corpus, |bytes| {
            for path in [&pairs, &manifest] {
                File::create(path).unwrap().write_all(bytes).unwrap();
            }
            let opened = Manifest::open(&ManifestConfig::new(file.clone()));
            assert_usable(opened.as_ref().map(|one| one as &dyn Dataset));
            for pairing in [Pairing::Paired, Pairing::Unpaired] {
                let opened = VitonHd::open(&VitonHdConfig {
                    pairing,
                    ..VitonHdConfig::new(dir.path())
                });
                assert_usable(opened.as_ref().map(|one| one as &dyn Dataset));
            }
        });
    }
}
