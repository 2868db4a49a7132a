//! The four places a tensor can come from.

mod checkpoint;
mod expected;
mod formula;
mod fresh;

pub use checkpoint::CheckpointSource;
pub use expected::ExpectedSource;
pub use formula::{FormulaSource, formula_weights};
pub use fresh::FreshSource;
