//! The command as a user meets it. One program, because every one of them links libtorch.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[cfg(feature = "torch")]
mod bad_input;
#[cfg(feature = "torch")]
mod changed;
mod commands;
mod common;
#[cfg(feature = "torch")]
mod compare;
mod correlate;
#[cfg(feature = "torch")]
mod detection;
#[cfg(feature = "torch")]
mod faults;
#[cfg(feature = "torch")]
mod levels;
mod measure;
mod report;
#[cfg(feature = "torch")]
mod resume;
#[cfg(feature = "torch")]
mod shards;
#[cfg(feature = "torch")]
mod sr;
#[cfg(feature = "torch")]
mod stable_viton;
mod words;
