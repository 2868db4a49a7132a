//! Scores and boxes against those of the published code, and what must hold for every map.

mod correspondence;
mod detection;
mod parity;
mod properties;
