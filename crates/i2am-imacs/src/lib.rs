//! IMACS, the Inpainting Mask Attention Consistency Score: how well an attribution map agrees with a mask.
//!
//! [`imacs`] scores any map against any mask; [`score`] goes there from an attention record.

mod imacs;
mod score;

pub use imacs::{Imacs, ImacsConfig, ImacsError, imacs};
pub use score::{NoScore, Score, score};
