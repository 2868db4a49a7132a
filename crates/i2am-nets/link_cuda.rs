//! Build script of every crate that uses tch: makes its programs and tests load the CUDA half of libtorch where there is one.
//!
//! libtorch finds its CUDA half only if that library is loaded. No symbol of it is named anywhere, so the linker would leave it out,
//! and the device would be missing without an error.

#![expect(
    clippy::print_stdout,
    reason = "this is how a build script speaks to cargo"
)]

use std::env;
use std::path::PathBuf;

fn main() {
    // Only `bench` can be built without tch.
    let uses_tch = env::var_os("CARGO_FEATURE_TORCH").is_some()
        || env::var_os("CARGO_PKG_NAME").is_none_or(|name| name != "bench");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let Some(libtorch) = env::var_os("LIBTORCH").filter(|_| uses_tch) else {
        return;
    };

    // `scripts/setup` renews the folder, or the link to it, when it changes what is in there.
    let libraries = PathBuf::from(libtorch).join("lib");
    println!("cargo::rerun-if-changed={}", libraries.display());
    if libraries.join("libtorch_cuda.so").exists() {
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda");
    }
}
