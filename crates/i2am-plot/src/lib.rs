//! Draws plots as SVG and, for papers, as TikZ: a [`Canvas`] that shapes and texts are put on, and the [`Axis`] that places values on it.
//!
//! Texts are left to the viewer's own sans-serif font. Colors that stand for paper, ink and accent are the same in every plot, so that
//! a page can exchange them for those of a dark theme.

mod axis;
mod canvas;
mod color;
mod tex;
mod tikz;

pub use axis::Axis;
pub use canvas::{Anchor, Canvas, Drawing, text_width, title_width};
pub use color::{ACCENT, INK, MUTED, PAPER, RULE, Rgb, diverging};
pub use tex::tex;
