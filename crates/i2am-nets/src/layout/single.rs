//! One file that holds one network, e.g. Inception or a backbone of LPIPS.

use std::collections::BTreeMap;
use std::path::Path;

use i2am_weights::WeightFile;

use super::view::View;
use super::{Checkpoint, Entry, Layout};
use crate::NetError;

/// Opens one file of one network, whose names `rename` brings into the network's own spelling; what has none is no part of it.
pub(super) fn open(
    path: &Path,
    network: &str,
    rename: impl Fn(&str) -> Option<String>,
) -> Result<Checkpoint, NetError> {
    let file = WeightFile::open(path)?;
    let entry = |name: &str| {
        let entry = Entry {
            file: 0,
            name: name.to_owned(),
            view: View::Whole,
        };
        Some((format!("{network}.{}", rename(name)?), entry))
    };
    let entries = file.names().filter_map(entry).collect();
    Ok(Checkpoint {
        path: path.to_owned(),
        layout: Layout::Single,
        files: vec![file],
        entries,
        strangers: Vec::new(),
        configs: BTreeMap::new(),
    })
}
