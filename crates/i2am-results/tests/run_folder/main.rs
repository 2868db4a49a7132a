//! Run folders as a program meets them. One program, because every one of them links polars.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod baseline;
mod common;
mod correlations;
mod life;
mod merge;
mod sets;
mod settings;
