//! The stages of a run, and what they need of models.

pub(crate) mod correlate;
pub(crate) mod debug;
mod detection;
#[cfg(feature = "torch")]
pub(crate) mod generate;
mod locality;
mod masks;
pub(crate) mod measure;
#[cfg(feature = "torch")]
pub(crate) mod models;
#[cfg(not(feature = "torch"))]
#[path = "stages/no_models.rs"]
pub(crate) mod models;
mod pictures;
pub(crate) mod report;
pub(crate) mod score;
mod specific;

use anyhow::Result;

pub(crate) use measure::check as check_metrics;
use models::set_threads;
pub(crate) use models::{Intervene, ModelEntry, check_models, read_models, versions};

use crate::exit::usage;

/// Lets everything run on as many threads as asked for, or as there are cores; returns how many.
///
/// # Errors
/// Zero.
pub(crate) fn use_threads(asked: Option<usize>) -> Result<usize> {
    let all = || std::thread::available_parallelism().map_or(1, Into::into);
    let threads = asked.unwrap_or_else(all);
    if threads == 0 {
        return Err(usage("--threads: expected at least 1"));
    }
    set_threads(threads);
    Ok(threads)
}
