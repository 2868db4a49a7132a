//! One weight file of a checkpoint, with what training wraps around names taken away.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use i2am_weights::WeightFile;

use crate::NetError;

/// What stands before every name of a network that was saved from inside of something: `DistributedDataParallel`, `torch.compile`, a
/// training program's own dictionary or module.
const WRAPPERS: [&str; 4] = ["module.", "_orig_mod.", "state_dict.", "model."];

/// Names that begin with `model.` by themselves: of LDM's UNet, of the vision tower in diffusers' Paint-by-Example, and of language models,
/// all of whose names do where the embedding serves as the head.
const OWN_MODEL: [&str; 3] = [
    "model.diffusion_model.",
    "model.vision_model.",
    "model.embed_tokens.",
];

/// What `torch.compile` puts into the names of what it compiles, at any depth. No network has it.
const COMPILED: &str = "_orig_mod.";

/// What a program that downloads puts next to a file, of its full size, until it is done.
const UNFINISHED: &str = ".aria2";

/// One weight file.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) file: WeightFile,
    /// Names as they stand in the file, by what they are without wrapping.
    names: BTreeMap<String, String>,
}

impl Part {
    /// Opens one file that holds all of its networks.
    pub(super) fn open(path: &Path) -> Result<Self, NetError> {
        let file = open_file(path)?;
        let wrapper = wrapper(&file.names().collect::<Vec<_>>());
        Self::of(file, &wrapper)
    }

    /// Opens files that hold a network together.
    pub(super) fn open_all(paths: &[PathBuf]) -> Result<Vec<Self>, NetError> {
        let files: Vec<WeightFile> = paths
            .iter()
            .map(|path| open_file(path))
            .collect::<Result<_, _>>()?;
        let wrapper = wrapper(&files.iter().flat_map(WeightFile::names).collect::<Vec<_>>());
        let parts = files.into_iter().map(|file| Self::of(file, &wrapper));
        parts.collect()
    }

    fn of(file: WeightFile, wrapper: &str) -> Result<Self, NetError> {
        let mut names = BTreeMap::new();
        for stored in file.names() {
            let bare = stored.strip_prefix(wrapper).unwrap_or(stored);
            match names.entry(bare.replace(COMPILED, "")) {
                Entry::Vacant(free) => drop(free.insert(stored.to_owned())),
                Entry::Occupied(taken) => {
                    let reason = format!(
                        "expected one tensor `{}`, found `{}` and `{stored}`",
                        taken.key(),
                        taken.get()
                    );
                    return Err(NetError::Layout {
                        path: file.path().to_owned(),
                        reason,
                    });
                }
            }
        }
        Ok(Self { file, names })
    }

    /// Leaves out the names, as they stand in the file, that `is_own` does not want.
    pub(super) fn retain(&mut self, is_own: impl Fn(&str) -> bool) {
        self.names.retain(|_, stored| is_own(stored));
    }

    /// Whether there is a tensor that is called `name` without wrapping.
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// Every name without wrapping, and as it stands in the file.
    pub(super) fn names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.names
            .iter()
            .map(|(bare, stored)| (bare.as_str(), stored.as_str()))
    }
}

fn open_file(path: &Path) -> Result<WeightFile, NetError> {
    let mut marker = path.as_os_str().to_owned();
    marker.push(UNFINISHED);
    if Path::new(&marker).exists() {
        let reason = format!(
            "expected a whole file, found a download that is not finished: {} is next to it",
            Path::new(&marker).display()
        );
        return Err(NetError::Layout {
            path: path.to_owned(),
            reason,
        });
    }
    Ok(WeightFile::open(path)?)
}

/// What all `names` begin with and no network has.
fn wrapper(names: &[&str]) -> String {
    let mut found = String::new();
    // Every turn takes some of the shortest name away.
    while let Some(next) = WRAPPERS.iter().find(|next| is_around(next, names, &found)) {
        found.push_str(next);
    }
    found
}

/// Whether `wrapper` comes next in all `names` after `taken`.
fn is_around(wrapper: &str, names: &[&str], taken: &str) -> bool {
    let mut bare = names.iter().map(|name| &name[taken.len()..]);
    let wraps = |name: &str| {
        name.starts_with(wrapper) && !OWN_MODEL.iter().any(|own| name.starts_with(own))
    };
    !names.is_empty() && bare.all(wraps)
}

#[cfg(test)]
mod tests {
    use super::wrapper;

    #[test]
    fn wrapping_is_what_all_names_have() {
        for (names, expected) in [
            (&["module.conv_in.weight", "module.out.bias"][..], "module."),
            (
                &["module._orig_mod.a", "module._orig_mod.b"],
                "module._orig_mod.",
            ),
            (&["_orig_mod.module.a"], "_orig_mod.module."),
            (&["model.conv_in.weight", "model.conv_in.bias"], "model."),
            (
                &["state_dict.module.a", "state_dict.module.b"],
                "state_dict.module.",
            ),
            (&["module.a", "b"], ""),
            // Names of networks.
            (&["model.diffusion_model.out.0.bias"], ""),
            (&["model.vision_model.a", "model.vision_model.b"], ""),
            (&["model.vision_model.a", "mapper.b"], ""),
            (&["model.embed_tokens.weight", "model.layers.0.a"], ""),
            (
                &[
                    "module.model.diffusion_model.a",
                    "module.first_stage_model.b",
                ],
                "module.",
            ),
            (
                &["model.model.diffusion_model.a", "model.first_stage_model.b"],
                "model.",
            ),
            (&["model.model.diffusion_model.a"], "model."),
            (&["modules.a", "module"], ""),
            (&[], ""),
        ] {
            assert_eq!(wrapper(names), expected, "{names:?}");
        }
    }
}
