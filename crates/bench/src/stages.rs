//! The stages of a run, in order.

#[cfg(feature = "torch")]
pub(crate) mod generate;
pub(crate) mod score;

pub(crate) mod debug;
pub(crate) mod measure;

pub(crate) mod correlate;
pub(crate) mod report;

mod pictures;
