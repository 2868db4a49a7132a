//! Scores against reference values, and what must hold for any map.

mod constructed;
mod golden;
mod properties;
