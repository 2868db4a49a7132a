//! The command as a user meets it. One program, because every one of them links libtorch.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[cfg(feature = "torch")]
mod bad_input;
#[cfg(feature = "torch")]
mod batch;
mod cases;
#[cfg(feature = "torch")]
mod changed;
mod commands;
mod common;
#[cfg(feature = "torch")]
mod compare;
mod correlate;
#[cfg(feature = "torch")]
mod detection;
mod export;
mod exported;
#[cfg(feature = "torch")]
mod faithfulness;
#[cfg(feature = "torch")]
mod faults;
#[cfg(feature = "torch")]
mod flux2;
#[cfg(feature = "torch")]
mod hub;
#[cfg(feature = "torch")]
mod ip_adapter;
#[cfg(feature = "torch")]
mod kills;
#[cfg(feature = "torch")]
mod ladder;
#[cfg(feature = "torch")]
mod levels;
mod measure;
#[cfg(feature = "torch")]
mod protocol;
#[cfg(feature = "torch")]
mod python;
#[cfg(feature = "torch")]
mod references;
mod report;
#[cfg(feature = "torch")]
mod resume;
#[cfg(feature = "torch")]
mod shards;
mod show;
#[cfg(feature = "torch")]
mod slurm;
#[cfg(feature = "torch")]
mod sr;
#[cfg(feature = "torch")]
mod stable_viton;
#[cfg(feature = "torch")]
mod tryon;
mod words;
#[cfg(feature = "torch")]
mod workers;
