//! IMACS, the Inpainting Mask Attention Consistency Score: how well an attribution map agrees with a mask.
//!
//! [`imacs`] scores any map against any mask; [`score`] goes there from an attention record. [`detection`] reads a box off a map and
//! compares it with the true one.

pub mod detection;
mod imacs;
mod score;

pub use imacs::{Imacs, ImacsConfig, ImacsError, imacs};
pub use score::{NoScore, Score, score};
