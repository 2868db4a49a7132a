//! Fixtures and comparisons for tests; a dev-dependency only.
//!
//! Everything here panics instead of returning errors: a fixture that cannot be read is a failed test, and the panic names the
//! file, what was looked for and what is there.
//!
//! Reference values are found by family. A test calls [`fixtures`] and loops over what it returns: the folder committed beside the
//! test and, where the environment variable `I2AM_FIXTURES` names a folder of the same layout, the family's folder in there. So the
//! same assertions can be run on reference values of other sizes and seeds, and nothing can be tuned to one file.
//!
//! A test that cannot check something where it runs calls [`skipped`], so that a green run shows what it left out. A test that a reader
//! survives any file calls [`fuzz`]. A test of what speaks HTTP starts a [`Server`].

mod close;
mod fixture;
mod fuzz;
mod server;
mod skipped;
mod workspace;

pub use close::{Deviation, assert_close, deviation};
pub use fixture::{FixtureDir, FixtureTensor, Tensors, fixtures};
pub use fuzz::fuzz;
pub use server::{Reply, Request, Server};
pub use skipped::skipped;
pub use workspace::workspace_root;
