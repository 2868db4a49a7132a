use std::collections::BTreeMap;
use std::path::Path;

use i2am_weights::WeightFile;

use super::view::View;
use super::{Checkpoint, Entry, Layout};
use crate::NetError;

mod export;
mod names;

pub use export::to_ldm;
use names::{Levels, is_ballast, rename};

/// A name without the folder that training puts all weights in.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix("state_dict.").unwrap_or(name)
}

/// Opens one file with LDM names; tensors may stand below `state_dict.`.
pub(super) fn open(path: &Path) -> Result<Checkpoint, NetError> {
    let file = WeightFile::open(path)?;
    let levels = Levels::of(file.names().map(|name| bare(name).to_owned()));
    let mut entries = BTreeMap::new();
    let mut strangers = Vec::new();
    for name in file.names() {
        let short = bare(name);
        let renamed = rename(short, &levels);
        if renamed.is_empty() && !is_ballast(short) {
            strangers.push(name.to_owned());
        }
        for (full, view) in renamed {
            entries.insert(
                full,
                Entry {
                    file: 0,
                    name: name.to_owned(),
                    view,
                },
            );
        }
    }
    let configs = BTreeMap::new();
    Ok(Checkpoint {
        path: path.to_owned(),
        layout: Layout::Ldm,
        files: vec![file],
        entries,
        strangers,
        configs,
    })
}
