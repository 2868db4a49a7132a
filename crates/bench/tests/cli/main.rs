//! The command as a user meets it. One program, because every one of them links libtorch.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[cfg(feature = "torch")]
mod bad_input;
mod commands;
mod common;
mod measure;
#[cfg(feature = "torch")]
mod resume;
#[cfg(feature = "torch")]
mod stable_viton;
