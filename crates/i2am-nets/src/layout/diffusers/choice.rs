//! Which weight files of a network folder are taken: diffusers and transformers save one file or shards with an index, as safetensors or
//! pickles, plain or as a variant such as `fp16`.

use std::collections::BTreeSet;
use std::path::Path;

use super::absent::{self, names};
use super::shards;
use crate::NetError;
use crate::layout::part::Part;

/// How weights are stored, the preferred way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Storage {
    Safetensors,
    SafetensorsIndex,
    Pickle,
    PickleIndex,
}

/// A file that holds a network, or says which files do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    /// The plain one comes first.
    variant: Option<String>,
    storage: Storage,
    name: String,
}

/// The weights of one network folder.
pub(super) struct Weights {
    pub(super) parts: Vec<Part>,
    /// Whether they are of the variant that was asked for.
    pub(super) is_variant: bool,
}

/// Opens the weights of a network in `folder` whose files begin with `stem`: of the `variant` if it is there, else the plain ones, else
/// the only variant.
pub(super) fn open(folder: &Path, stem: &str, variant: Option<&str>) -> Result<Weights, NetError> {
    let names = names(folder)?;
    let stems = Stems::of(stem);
    let files = names.iter().filter(|name| folder.join(name).is_file());
    let chosen = stems
        .choose(files.map(String::as_str), variant)
        .map_err(|reason| refuse(folder, reason))?;
    let Some(chosen) = chosen else {
        return Err(refuse(folder, absent::describe(folder, &names, &stems)));
    };
    let path = folder.join(&chosen.name);
    Ok(Weights {
        parts: match chosen.storage {
            Storage::Safetensors | Storage::Pickle => vec![Part::open(&path)?],
            Storage::SafetensorsIndex | Storage::PickleIndex => shards::open(&path)?,
        },
        is_variant: variant.is_some() && chosen.variant.as_deref() == variant,
    })
}

fn refuse(folder: &Path, reason: String) -> NetError {
    NetError::Layout {
        path: folder.to_owned(),
        reason,
    }
}

/// What the names of weight files begin and end with.
pub(super) struct Stems {
    pub(super) safetensors: String,
    pub(super) pickle: String,
}

impl Stems {
    pub(super) fn of(stem: &str) -> Self {
        let pickle = if stem == "model" {
            "pytorch_model"
        } else {
            stem
        };
        Self {
            safetensors: stem.to_owned(),
            pickle: pickle.to_owned(),
        }
    }

    /// What holds the network out of the files `names`: of the `variant` if it is there, else the plain weights, else the only variant.
    ///
    /// # Errors
    /// Why several can be meant.
    fn choose<'a>(
        &self,
        names: impl Iterator<Item = &'a str>,
        variant: Option<&str>,
    ) -> Result<Option<Candidate>, String> {
        let mut candidates: Vec<Candidate> =
            names.filter_map(|name| self.candidate(name)).collect();
        candidates.sort();
        let mut wanted = candidates.iter();
        let wanted =
            wanted.find(|candidate| variant.is_some() && candidate.variant.as_deref() == variant);
        let Some(chosen) = wanted.or(candidates.first()) else {
            return Ok(None);
        };
        let variants: BTreeSet<&str> = candidates
            .iter()
            .filter_map(|candidate| candidate.variant.as_deref())
            .collect();
        if chosen.variant.is_some() && chosen.variant.as_deref() != variant && variants.len() > 1 {
            let variants: Vec<&str> = variants.into_iter().collect();
            let expected = match variant {
                Some(variant) => format!("the variant `{variant}`"),
                None => "one variant".to_owned(),
            };
            return Err(format!(
                "expected plain weights or those of {expected}, found the variants {}; `variant` says which to take",
                variants.join(", ")
            ));
        }
        Ok(Some(chosen.clone()))
    }

    /// The files out of `names` that hold the network, as [`Stems::choose`] says: one, or an index and its shards, which are told by their
    /// names.
    ///
    /// # Errors
    /// As [`Stems::choose`].
    pub(super) fn files<'a>(
        &self,
        names: &[&'a str],
        variant: Option<&str>,
    ) -> Result<Vec<&'a str>, String> {
        let chosen = self.choose(names.iter().copied(), variant)?;
        Ok(chosen.map_or_else(Vec::new, |chosen| self.with_shards(&chosen, names)))
    }

    /// The shards of the index `index` out of `names`; nothing if it is none.
    pub(super) fn shards<'a>(&self, index: &str, names: &[&'a str]) -> Vec<&'a str> {
        let chosen = self.candidate(index);
        let mut files = chosen.map_or_else(Vec::new, |chosen| self.with_shards(&chosen, names));
        files.retain(|name| *name != index);
        files
    }

    fn with_shards<'a>(&self, chosen: &Candidate, names: &[&'a str]) -> Vec<&'a str> {
        let whole = match chosen.storage {
            Storage::SafetensorsIndex => Some(Storage::Safetensors),
            Storage::PickleIndex => Some(Storage::Pickle),
            Storage::Safetensors | Storage::Pickle => None,
        };
        let is_shard_of_it = |name: &str| {
            let unnumbered = whole.and_then(|_| self.candidate(&without_number(name)?));
            unnumbered.is_some_and(|shard| {
                Some(shard.storage) == whole && shard.variant == chosen.variant
            })
        };
        let all = names.iter().copied();
        all.filter(|name| *name == chosen.name || is_shard_of_it(name))
            .collect()
    }

    fn candidate(&self, name: &str) -> Option<Candidate> {
        let of = |stem: &str, end: &str, single: Storage, index: Storage| {
            let rest = name.strip_prefix(stem)?;
            let (storage, before, after) = if let Some(before) = rest.strip_suffix(end) {
                (single, before, "")
            } else {
                let (before, after) = rest.split_once(&format!("{end}.index"))?;
                (index, before, after.strip_suffix(".json")?)
            };
            let variant = match (before, after) {
                ("", "") => None,
                (variant, "") | ("", variant) => Some(variant.strip_prefix('.')?.to_owned()),
                _ => return None,
            };
            let is_one = variant
                .as_deref()
                .is_none_or(|name| !name.is_empty() && !is_shard(name));
            is_one.then(|| Candidate {
                variant,
                storage,
                name: name.to_owned(),
            })
        };
        of(
            &self.safetensors,
            ".safetensors",
            Storage::Safetensors,
            Storage::SafetensorsIndex,
        )
        .or_else(|| of(&self.pickle, ".bin", Storage::Pickle, Storage::PickleIndex))
    }

    /// Whether a name begins as those of weight files do.
    pub(super) fn begins(&self, name: &str) -> bool {
        name.starts_with(&self.safetensors) || name.starts_with(&self.pickle)
    }
}

/// Whether a name has a number of a number, as `-00001-of-00002`.
pub(super) fn is_shard(name: &str) -> bool {
    name.match_indices("-of-").any(|(at, of)| {
        let is_digit = |c: char| c.is_ascii_digit();
        name[..at].ends_with(is_digit) && name[at + of.len()..].starts_with(is_digit)
    })
}

/// The name of a shard without its number, `-00001-of-00002`.
fn without_number(name: &str) -> Option<String> {
    let is_digit = |c: char| c.is_ascii_digit();
    name.match_indices("-of-").find_map(|(at, of)| {
        let before = name[..at].trim_end_matches(is_digit);
        let after = name[at + of.len()..].trim_start_matches(is_digit);
        let is_number = is_shard(name) && before.len() < at;
        is_number.then(|| Some(format!("{}{after}", before.strip_suffix('-')?)))?
    })
}

#[cfg(test)]
mod tests {
    use super::{Stems, Storage};

    #[test]
    fn names_tell_variant_and_storage() {
        for (stem, name, expected) in [
            ("a", "a.safetensors", Some((None, Storage::Safetensors))),
            ("a", "a.bin", Some((None, Storage::Pickle))),
            (
                "a",
                "a.fp16.safetensors",
                Some((Some("fp16"), Storage::Safetensors)),
            ),
            (
                "a",
                "a.non_ema.bin",
                Some((Some("non_ema"), Storage::Pickle)),
            ),
            (
                "a",
                "a.safetensors.index.json",
                Some((None, Storage::SafetensorsIndex)),
            ),
            ("a", "a.bin.index.json", Some((None, Storage::PickleIndex))),
            (
                "a",
                "a.safetensors.index.fp16.json",
                Some((Some("fp16"), Storage::SafetensorsIndex)),
            ),
            (
                "a",
                "a.fp16.safetensors.index.json",
                Some((Some("fp16"), Storage::SafetensorsIndex)),
            ),
            (
                "a",
                "a.fp16.bin.index.json",
                Some((Some("fp16"), Storage::PickleIndex)),
            ),
            (
                "model",
                "model.safetensors",
                Some((None, Storage::Safetensors)),
            ),
            ("model", "pytorch_model.bin", Some((None, Storage::Pickle))),
            (
                "model",
                "pytorch_model.fp16.bin",
                Some((Some("fp16"), Storage::Pickle)),
            ),
            (
                "model",
                "pytorch_model.bin.index.fp16.json",
                Some((Some("fp16"), Storage::PickleIndex)),
            ),
            ("model", "model.bin", None),
            ("a", "a-00001-of-00002.safetensors", None),
            ("a", "a.fp16-00001-of-00002.safetensors", None),
            ("a", "a-00001-of-00002.fp16.bin", None),
            ("a", "a.fp16.safetensors.index.bf16.json", None),
            ("a", "a..safetensors", None),
            ("a", "a.safetensors.incomplete", None),
            ("a", "ab.safetensors", None),
            ("a", "config.json", None),
        ] {
            let found = Stems::of(stem).candidate(name);
            let found = found.as_ref().map(|c| (c.variant.as_deref(), c.storage));
            assert_eq!(found, expected, "{name}");
        }
    }
}
