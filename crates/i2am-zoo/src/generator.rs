//! libtorch's generator of random numbers belongs to the whole process.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Held by every test that draws: tests run side by side, and each would take numbers out of another's sequence.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    // A test that failed has left nothing behind that the next one relies on.
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}
