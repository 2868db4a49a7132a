//! How long work says where it is.

/// Told of work as it goes on.
pub trait Progress: Sync {
    /// Work of `total` units begins.
    fn start(&self, what: &str, total: u64);
    /// So many more units are done.
    fn advance(&self, units: u64);
    /// The work that began last is done.
    fn finish(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _what: &str, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn finish(&self) {}
}
