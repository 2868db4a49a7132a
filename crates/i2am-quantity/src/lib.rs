//! What is measured, in one vocabulary that every crate shares.
//!
//! A [`Quantity`] is the definition of a metric or of a score of attention maps: its name, its title, which direction is better, how
//! tables write it, and how far it may move. It is a static in the file that computes it; the registries of metrics and of scores
//! collect them, and everything that shows, compares or correlates numbers asks a [`Quantities`] instead of knowing names.
//!
//! A [`Measurement`] is one number with all that identifies it: the quantity, the [`Direction`] and the [`Level`] of the map, and the
//! [`Notes`] that belong to the value. Its [`Outcome`] is a finite value, or the reason why there is none.

mod better;
mod level;
mod measurement;
mod note;
mod outcome;
mod quantity;
mod tolerance;

pub use better::Better;
pub use level::{Cell, Direction, Level, UnknownDirection, UnknownLevel};
pub use measurement::Measurement;
pub use note::{Marks, Note, Notes};
pub use outcome::{NotFinite, Outcome, Status};
pub use quantity::{Place, Quantities, Quantity, Role, number};
pub use tolerance::Bound;
