//! What holds for data sets of every kind, on real folders.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;
mod fingerprints;
mod fuzz;
mod lists;
mod masks;
