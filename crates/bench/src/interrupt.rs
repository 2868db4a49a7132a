//! Ctrl-C and other signals that ask a program to end: a run says how it is continued.

use std::io;
use std::sync::{Mutex, PoisonError};

use i2am_results::{RunPaths, mark_interrupted};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

/// The run that this process writes.
static RUN: Mutex<Option<RunPaths>> = Mutex::new(None);

/// Watches for signals until the process ends.
///
/// # Errors
/// What the system answers.
pub(crate) fn watch() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for signal in &mut signals {
                if let Some(paths) = run().take() {
                    say(&paths);
                }
                // The caller sees which signal it was; nothing runs any more, so that no thread of libtorch meets an end half done.
                let _ = emulate_default_handler(signal);
            }
        })?;
    Ok(())
}

fn run() -> std::sync::MutexGuard<'static, Option<RunPaths>> {
    RUN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn say(paths: &RunPaths) {
    if let Err(error) = mark_interrupted(paths) {
        tracing::warn!("{error}");
    }
    tracing::warn!(
        "{}: interrupted; finished samples are kept, and the same command continues after them",
        paths.dir().display()
    );
}

/// While this lives, a signal interrupts the run in its folder.
pub(crate) struct Interruptible;

impl Interruptible {
    pub(crate) fn new(paths: &RunPaths) -> Self {
        *run() = Some(paths.clone());
        Self
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        *run() = None;
    }
}
