//! IMACS, the Inpainting Mask Attention Consistency Score: how well an attribution map agrees with a mask.
//!
//! [`imacs()`] scores any map against any mask; [`score()`] goes there from an attention record. [`Ranking`] sums up over samples
//! which head of which layer scores worst and when, and [`outside_share`] how much of its attention lies outside the mask.
//! [`detection`] reads a box off a map and compares it with the true one. [`scores`] is the registry of everything that a run says
//! about its maps.

pub mod detection;
mod imacs;
mod masks;
mod ranking;
mod score;
pub mod scores;
mod share;

pub use imacs::{Imacs, ImacsConfig, ImacsError, imacs};
pub use masks::{Masks, NoMask, fitted_mask};
pub use ranking::{CellScore, RankedCell, Ranking, score_cells};
pub use score::{NoScore, Score, score};
pub use share::{OutsideShare, outside_share};
