//! Statistics against reference values, and what must hold for any data.

mod behavior;
mod golden;
