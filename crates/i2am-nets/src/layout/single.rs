//! One file that holds one network, e.g. Inception or a backbone of LPIPS.

use std::path::Path;

use super::part::Part;
use super::view::View;
use super::{Checkpoint, Entry, Layout};
use crate::NetError;

/// Opens one file of one network, whose names `rename` brings into the network's own spelling; what has none is no part of it.
pub(super) fn open(
    path: &Path,
    network: &str,
    rename: impl Fn(&str) -> Option<String>,
) -> Result<Checkpoint, NetError> {
    let part = Part::open(path)?;
    let entry = |(name, stored): (&str, &str)| {
        let entry = Entry {
            file: 0,
            name: stored.to_owned(),
            view: View::Whole,
        };
        Some((format!("{network}.{}", rename(name)?), entry))
    };
    let entries = part.names().filter_map(entry).collect();
    Ok(Checkpoint {
        parts: vec![part],
        entries,
        ..Checkpoint::empty(path, Layout::Single)
    })
}
