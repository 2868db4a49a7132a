//! The stages of a run, and what they need of models.

#[cfg(feature = "torch")]
pub(crate) mod generate;
pub(crate) mod measure;
#[cfg(feature = "torch")]
pub(crate) mod models;
#[cfg(not(feature = "torch"))]
#[path = "stages/no_models.rs"]
pub(crate) mod models;
mod pictures;
pub(crate) mod score;

pub(crate) use measure::check as check_metrics;
pub(crate) use models::{ModelEntry, check_models, read_models, set_threads, versions};
