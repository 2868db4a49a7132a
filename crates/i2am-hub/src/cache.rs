//! The folder of a repository in the cache, in the layout of the Python library.
//!
//! `blobs/HASH` are the files, `snapshots/COMMIT/PATH` are links to them, `refs/BRANCH` has the commit of a branch. Below `.i2am/` is what
//! the Python library does not keep: the names of all files of a commit.

use std::fs::File;
use std::path::{Path, PathBuf};

use i2am_files::{Action, FileError, create_dir, write_atomic};
use serde_json::Value;

use crate::HubName;

/// One repository in the cache.
pub(crate) struct Cache {
    root: PathBuf,
    locks: PathBuf,
}

impl Cache {
    /// Where the repository of `name` lies in `cache`.
    pub(crate) fn of(cache: &Path, name: &HubName) -> Self {
        let folder = format!("models--{}", name.repository().replace('/', "--"));
        Self {
            locks: cache.join(".locks").join(&folder),
            root: cache.join(folder),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The commit that `revision` had when it was last asked for; a commit is its own.
    pub(crate) fn commit(&self, revision: &str) -> Option<String> {
        if is_hash(revision, 40) {
            return Some(revision.to_owned());
        }
        let known = std::fs::read_to_string(self.root.join("refs").join(revision)).ok()?;
        let known = known.trim();
        is_hash(known, 40).then(|| known.to_owned())
    }

    /// Remembers the commit of `revision`.
    pub(crate) fn set_commit(&self, revision: &str, commit: &str) -> Result<(), FileError> {
        if revision == commit {
            return Ok(());
        }
        write_atomic(self.root.join("refs").join(revision), commit)
    }

    /// The names of all files of `commit`, if they were asked for.
    pub(crate) fn names(&self, commit: &str) -> Option<Vec<String>> {
        let text = std::fs::read_to_string(self.names_path(commit)).ok()?;
        let names: Vec<Value> = serde_json::from_str(&text).ok()?;
        let names = names
            .into_iter()
            .map(|name| Some(name.as_str()?.to_owned()));
        names.collect()
    }

    /// Remembers the names of all files of `commit`.
    pub(crate) fn set_names(&self, commit: &str, names: &[String]) -> Result<(), FileError> {
        write_atomic(self.names_path(commit), Value::from(names).to_string())
    }

    fn names_path(&self, commit: &str) -> PathBuf {
        self.root.join(".i2am").join(format!("{commit}.json"))
    }

    /// The folder with the files of `commit`.
    pub(crate) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The names of the files of `commit` that are there, sorted.
    pub(crate) fn present(&self, commit: &str) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.snapshot(commit), "", &mut found);
        found.sort_unstable();
        found
    }

    /// Where the file with this hash lies.
    pub(crate) fn blob(&self, hash: &str) -> PathBuf {
        self.root.join("blobs").join(hash)
    }

    /// Lets the snapshot of `commit` have the file `name`, whose hash is `hash`.
    pub(crate) fn link(&self, commit: &str, name: &str, hash: &str) -> Result<(), FileError> {
        let path = self.snapshot(commit).join(name);
        create_dir(path.parent().unwrap_or(Path::new("")))?;
        // The link counts its way up from the folder that it lies in, so that the cache can be moved.
        let up = "../".repeat(name.matches('/').count() + 2);
        let write = |cause| FileError::new(Action::Write, &path, cause);
        match std::fs::remove_file(&path) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(write(cause)),
            _ => {}
        }
        #[cfg(unix)]
        let linked = std::os::unix::fs::symlink(format!("{up}blobs/{hash}"), &path);
        #[cfg(not(unix))]
        let linked = std::fs::copy(self.blob(hash), &path).map(|_| drop(up));
        linked.map_err(write)
    }

    /// Waits until no other process downloads the file with this hash, the Python library included, and keeps others out as long as the
    /// file that is returned is open.
    pub(crate) fn lock(&self, hash: &str) -> Result<File, FileError> {
        create_dir(&self.locks)?;
        let path = self.locks.join(format!("{hash}.lock"));
        let write = |cause| FileError::new(Action::Write, &path, cause);
        let file = File::create(&path).map_err(write)?;
        file.lock().map_err(write)?;
        Ok(file)
    }
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if path.is_dir() {
            walk(&path, &format!("{prefix}{name}/"), found);
        } else if path.is_file() {
            found.push(format!("{prefix}{name}"));
        }
    }
}

/// Whether `text` is so many hexadecimal digits.
pub(crate) fn is_hash(text: &str, digits: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == digits && text.bytes().all(is_digit)
}
