//! One file per procedure.

pub(super) mod best_fit;
pub(super) mod older;
pub(super) mod rect;
