//! How long work says where it is.

/// Receives how far work has come.
pub trait Progress: Sync {
    /// Work of `total` units begins.
    fn start(&self, what: &str, total: u64);
    /// So many more units are done.
    fn advance(&self, units: u64);
    /// The work that began last is done.
    fn finish(&self);
    /// Something that costs time and no score went wrong.
    fn warn(&self, what: &str);
}

/// Ignores it.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _what: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn finish(&self) {}
    fn warn(&self, _what: &str) {}
}
