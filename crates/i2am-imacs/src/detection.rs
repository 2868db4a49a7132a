//! Detection by attribution: where an attribution map says that an object is, as one box, and how well that box fits.
//!
//! A model repaints the box of an object after a crop of that object. If its attribution map tells where the object went, a box
//! read off the map overlaps the true one: [`iou`]. [`Procedure`]s read a box off a map; [`BaselineName`]s guess one without a
//! map, so that an overlap can be told from luck.
//!
//! Everything lies in **one frame**, that of the generated picture: the published scripts find boxes in the frame of a figure of
//! 369 x 369 pixels, and compare them with boxes in the frame of the original picture.

mod baselines;
mod config;
mod iou;
mod jet;
mod mask;
mod morphology;
mod outline;
mod procedure;
mod procedures;
mod regions;

pub use baselines::{BaselineName, BoxSeed};
pub use config::{Aggregation, DetectionConfig};
pub use iou::iou;
pub use jet::{decode_jet, jet_indices, jet_luma};
pub use mask::Mask;
pub use procedure::{MapViews, NoBox, Procedure, ProcedureName};
pub use procedures::best_fit::{BestFit, best_fit};
pub use procedures::older::Older;
pub use procedures::rect::Rect;

#[cfg(test)]
mod tests;
