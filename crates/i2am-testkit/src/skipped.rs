//! What a test could not check.

use std::env;
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::thread;

use crate::workspace_root;

/// The variable that names a file which collects what was skipped. A relative path starts at the workspace root.
const LIST: &str = "I2AM_SKIPPED";

/// Says that the running test leaves something unchecked, and why.
///
/// Writes one line, `SKIPPED: <test>: <reason>`, to standard error and to the end of the file that `I2AM_SKIPPED` names, if that
/// variable is set.
///
/// # Panics
/// If the line cannot be written.
pub fn skipped(reason: impl Display) {
    let thread = thread::current();
    let line = format!(
        "SKIPPED: {}: {reason}\n",
        thread.name().unwrap_or("unnamed")
    );
    // Not `eprint!`: libtest keeps back what a passing test prints by macro.
    io::stderr()
        .write_all(line.as_bytes())
        .expect("standard error is open");
    if let Some(list) = env::var_os(LIST).filter(|list| !list.is_empty()) {
        let path = workspace_root().join(list);
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|error| panic!("{LIST}: {}: {error}", path.display()));
    }
}
