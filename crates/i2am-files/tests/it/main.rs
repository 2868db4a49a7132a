//! The contracts of every function on a real file system.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod files;
mod hashes;
mod resolve;
mod table;
mod text;
