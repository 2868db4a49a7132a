//! Run folders as a program meets them. One program, because every one of them links polars.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod common;
mod correlations;
mod life;
mod sets;
mod settings;
