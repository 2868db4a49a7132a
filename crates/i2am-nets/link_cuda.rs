//! Build script of every crate that uses tch (that of `bench` calls it): makes its programs and tests load the CUDA half of libtorch where there is one.
//!
//! libtorch finds its CUDA half only if that library is loaded. No symbol of it is named anywhere, so the linker would leave it out,
//! and the device would be missing without an error.

use std::env;
use std::io::{Write as _, stdout};
use std::path::PathBuf;

pub(crate) fn main() {
    // Only `bench` can be built without tch.
    let uses_tch = env::var_os("CARGO_FEATURE_TORCH").is_some()
        || env::var_os("CARGO_PKG_NAME").is_none_or(|name| name != "bench");
    tell("rerun-if-env-changed=LIBTORCH");
    let Some(libtorch) = env::var_os("LIBTORCH").filter(|_| uses_tch) else {
        return;
    };

    // `scripts/setup` renews the folder, or the link to it, when it changes what is in there.
    let libraries = PathBuf::from(libtorch).join("lib");
    tell(&format!("rerun-if-changed={}", libraries.display()));
    if libraries.join("libtorch_cuda.so").exists() {
        tell("rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda");
        tell("rustc-env=I2AM_CUDA=linked");
    }
}

/// Says something to cargo, which reads standard output.
fn tell(instruction: &str) {
    writeln!(stdout(), "cargo::{instruction}").expect("cargo reads what a build script says");
}
