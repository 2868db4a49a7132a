//! Dataset layouts read as samples, and the synthetic try-on set.

pub mod synth;
