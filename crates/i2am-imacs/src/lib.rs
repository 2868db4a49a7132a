//! IMACS, the Inpainting Mask Attention Consistency Score: how well an attribution map agrees with a mask.
//!
//! [`imacs()`] scores any map against any mask; [`score()`] goes there from an attention record. [`Ranking`] sums up over samples
//! which head of which layer scores worst and when, and [`outside_share`] how much of its attention lies outside the mask.
//! [`detection`] reads a box off a map and compares it with the true one. [`scores`] is the registry of everything that a run says
//! about its maps.
//!
//! # Example
//! From a record to a score: one layer of one head over a 2x2 image, which looks at the left column.
//!
//! ```
//! use i2am_attribution::{AttentionRecord, Convention, Direction, Grid, LayerRecord, Level, Source};
//! use i2am_imacs::{ImacsConfig, score};
//! use i2am_imaging::Plane;
//!
//! let grid = Grid { height: 2, width: 2 };
//! let layer = LayerRecord {
//!     // Inside and outside of the reference mask; a pooled token counts as inside.
//!     r2g: vec![0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0],
//!     ..LayerRecord::new("up_blocks.1.attn2", Source::Tokens { count: 1 }, 1, grid)
//! };
//! let record = AttentionRecord { layers: vec![layer], steps: vec![1], latent_height: 2, latent_width: 2 };
//! let masked = Plane::from_fn(8, 8, |_, column| f32::from(column < 4));
//!
//! let direction = Direction::ReferenceToGenerated;
//! let found = score(&record, &Convention::default(), direction, &Level::Unified, &masked, &ImacsConfig::default())?;
//! assert!(found.imacs.inside > 0.8 && found.imacs.outside < 0.1);
//! assert!(found.notes.is_one_token());
//! # Ok::<(), i2am_imacs::NoScore>(())
//! ```

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
