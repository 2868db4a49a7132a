//! Run folders as a program meets them. One program, because every one of them links polars.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod any_bytes;
mod baseline;
mod common;
mod correlations;
mod inputs;
mod life;
mod merge;
mod sets;
mod settings;
