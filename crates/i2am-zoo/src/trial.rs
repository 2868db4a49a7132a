//! What the tests of trainings share.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, ensure};

use crate::config::ZooConfig;
use crate::train::Limits;

/// A training to its end.
pub(crate) const LIMITS: Limits = Limits {
    minutes: None,
    export_only: false,
};

/// Held by every test that draws: libtorch's generator of random numbers belongs to the whole process, tests run side by side, and each would
/// take numbers out of another's sequence.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    // A test that failed has left nothing behind that the next one relies on.
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The checkpoint whose networks the trainings of tests take over.
pub(crate) fn frozen() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/zoo/paint-by-example")
}

/// The configuration `text`, as a file of `folder`.
pub(crate) fn config(folder: &Path, text: &str) -> Result<ZooConfig> {
    let path = folder.join("tiny.toml");
    i2am_files::write_atomic(&path, text.as_bytes())?;
    ZooConfig::read(&path)
}

/// Whether the last loss that `stage` logged in the folder `work` is less than `share` of the first.
pub(crate) fn learned(work: &Path, stage: &str, share: f64) -> Result<()> {
    let text = i2am_files::read_text(work.join(format!("{stage}.csv")))?;
    let cells = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').nth(1));
    let losses: Vec<f64> = cells.map(str::parse).collect::<Result<_, _>>()?;
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    ensure!(last < share * first, "the loss went from {first} to {last}");
    Ok(())
}
