//! Maps against those of the published code, and what must hold for every record.

mod fuzz;
mod parity;
mod properties;
mod support;
