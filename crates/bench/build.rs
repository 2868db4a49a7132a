//! Build script: the commit that the program is built from, and what every crate that uses tch does.

use std::env;
use std::path::Path;
use std::process::Command;

#[path = "../i2am-nets/link_cuda.rs"]
mod link_cuda;

fn main() {
    link_cuda::main();
    find_libtorch();
    let version = env!("CARGO_PKG_VERSION");
    // Without a repository, as in an archive of the source, there is no commit to name.
    let (Some(commit), Some(changes)) = (
        git(&["rev-parse", "HEAD"]),
        git(&["status", "--porcelain", "--untracked-files=no"]),
    ) else {
        println!("cargo::rustc-env=I2AM_VERSION={version}");
        return;
    };
    let dirty = if changes.is_empty() {
        ""
    } else {
        ", with changes"
    };
    println!(
        "cargo::rustc-env=I2AM_VERSION={version} ({}{dirty})",
        &commit[..12]
    );
    println!("cargo::rustc-env=I2AM_COMMIT={commit}");
    println!("cargo::rustc-env=I2AM_DIRTY={}", !changes.is_empty());
    // A commit moves the log of HEAD; an edit moves a source file. Paths are as git names them, since a work tree may lie apart.
    for name in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", name]) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for entry in std::fs::read_dir(crates).into_iter().flatten().flatten() {
        println!(
            "cargo::rerun-if-changed={}",
            entry.path().join("src").display()
        );
    }
}

/// Makes the program find the libtorch that it was linked to wherever it is installed: after `cargo install` it lies in no checkout.
/// `.cargo/config.toml` names the places relative to the program, which come first.
fn find_libtorch() {
    if let (Some(libtorch), Some(_)) = (env::var_os("LIBTORCH"), env::var_os("CARGO_FEATURE_TORCH"))
    {
        let libraries = Path::new(&libtorch).join("lib");
        println!(
            "cargo::rustc-link-arg-bins=-Wl,-rpath,{}",
            libraries.display()
        );
    }
}

/// What git says, if it is there and knows.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}
