//! `inputs.json`: which images and other files each sample was computed from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::ResultsError;
use crate::json;

/// One file of a sample: its image, its reference image, its mask and so on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartInput {
    /// Where it lies, relative to the root of the data set.
    pub path: String,
    /// The first digits of the sha256 of its content.
    pub sha256: String,
}

/// What one sample is computed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SampleInputs {
    /// Stands for the content of all parts: it differs as soon as one of them does. Rows carry it.
    pub fingerprint: String,
    /// The parts by name, such as `image`.
    pub parts: BTreeMap<String, PartInput>,
}

/// A sample whose inputs changed after it was computed. Written out, it is a line for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedSample {
    /// Id of the sample.
    pub id: String,
    /// Name and path of the parts that changed; empty where it is not known which they are.
    pub parts: Vec<(String, String)>,
}

impl ChangedSample {
    /// The files that changed, as far as they are known.
    pub(crate) fn files(&self) -> String {
        let paths: Vec<&str> = self.parts.iter().map(|(_, path)| path.as_str()).collect();
        match paths[..] {
            [] => "its inputs".to_owned(),
            _ => paths.join(", "),
        }
    }
}

impl fmt::Display for ChangedSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, files) = (&self.id, self.files());
        write!(
            f,
            "sample {id}: {files} changed since it was computed; this sample is computed again"
        )
    }
}

/// How the rows of a sample relate to the inputs that it has today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// They were computed from them, or nothing is known that speaks against it.
    Current,
    /// They were computed from others.
    Changed,
    /// The data set has no such sample any more.
    Gone,
}

/// The inputs of all samples: those of today, and where these are not known, those of an earlier session.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    earlier: BTreeMap<String, SampleInputs>,
    now: BTreeMap<String, SampleInputs>,
    /// Every sample of the data set, where that is known.
    listed: Option<BTreeSet<String>>,
}

impl Inputs {
    /// Reads the file `path`, if there is one, and takes `today`, which is [`ManifestStart::samples`](crate::ManifestStart::samples).
    pub(crate) fn open(
        path: &Path,
        today: Option<BTreeMap<String, Option<SampleInputs>>>,
    ) -> Result<Self, ResultsError> {
        let earlier = read_inputs(path)?;
        let mut now = earlier.clone();
        let listed = today.map(|today| {
            now.retain(|id, _| today.contains_key(id));
            let known = |(id, inputs): (&String, &Option<SampleInputs>)| {
                Some((id.clone(), inputs.clone()?))
            };
            now.extend(today.iter().filter_map(known));
            today.into_keys().collect()
        });
        Ok(Self {
            earlier,
            now,
            listed,
        })
    }

    /// The fingerprint of the inputs of the sample `id`; empty where they are not known.
    pub(crate) fn fingerprint(&self, id: &str) -> &str {
        self.now
            .get(id)
            .map_or("", |inputs| inputs.fingerprint.as_str())
    }

    /// How rows of the sample `id` stand that have the fingerprint `of_rows`.
    pub(crate) fn standing(&self, id: &str, of_rows: &str) -> Standing {
        let today = self.fingerprint(id);
        if self.listed.as_ref().is_some_and(|ids| !ids.contains(id)) {
            Standing::Gone
        } else if today.is_empty() || of_rows.is_empty() || today == of_rows {
            Standing::Current
        } else {
            Standing::Changed
        }
    }

    /// The sample `id`, with the parts that differ from those of an earlier session.
    pub(crate) fn changed(&self, id: &str) -> ChangedSample {
        let parts = match (self.earlier.get(id), self.now.get(id)) {
            (Some(was), Some(now)) => changed_parts(was, now),
            _ => Vec::new(),
        };
        ChangedSample {
            id: id.to_owned(),
            parts,
        }
    }

    /// The samples whose inputs differ from those of an earlier session.
    pub(crate) fn all_changed(&self) -> Vec<ChangedSample> {
        let is_changed = |id: &&String| {
            let was = self.earlier.get(*id).map(|inputs| &inputs.fingerprint);
            was != self.now.get(*id).map(|inputs| &inputs.fingerprint)
        };
        let known = self.earlier.keys().filter(|id| self.now.contains_key(*id));
        known
            .filter(is_changed)
            .map(|id| self.changed(id))
            .collect()
    }

    /// Adds what other sessions knew of their samples.
    pub(crate) fn extend(&mut self, samples: BTreeMap<String, SampleInputs>) {
        self.now.extend(samples);
    }

    /// Writes the file `path`, unless it says so already.
    pub(crate) fn write(&mut self, path: &Path) -> Result<(), ResultsError> {
        if self.now != self.earlier {
            let samples = self.now.iter();
            let lines = samples.map(|(id, inputs)| json::member(id, &json::compact(inputs)));
            i2am_files::write_atomic(path, json::block(['{', '}'], lines) + "\n")?;
            self.earlier.clone_from(&self.now);
        }
        Ok(())
    }
}

/// The inputs in the file `path`; none where there is no file.
pub(crate) fn read_inputs(path: &Path) -> Result<BTreeMap<String, SampleInputs>, ResultsError> {
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    json::read(path)
}

/// Name and path of the parts of a sample that differ, with the path of today where there is one.
pub(crate) fn changed_parts(was: &SampleInputs, now: &SampleInputs) -> Vec<(String, String)> {
    let names: BTreeSet<&String> = was.parts.keys().chain(now.parts.keys()).collect();
    let differs = |name: &String| {
        let [was, now] = [was, now].map(|inputs| inputs.parts.get(name));
        let part = now.or(was).filter(|_| was != now)?;
        Some((name.clone(), part.path.clone()))
    };
    names.into_iter().filter_map(differs).collect()
}
