//! A configuration on the committed checkpoint, small enough to run in seconds.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The command, with everything relative in `folder`.
pub(crate) fn bench(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bench"));
    command.current_dir(folder).args(args);
    command
}

pub(crate) fn run(folder: &Path, args: &[&str]) -> (i32, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = bench(folder, args).output().unwrap();
    let text = [stdout, stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat();
    (status.code().expect("it was not killed"), text)
}

/// Writes `run.toml` into `folder`: `dataset` is the body of its table. The model is the committed one.
#[cfg(feature = "torch")]
pub(crate) fn write_config(folder: &Path, dataset: &str) {
    let checkpoint = root().join("datasets/zoo/paint-by-example");
    let model = format!(
        r#"name = "pbe"
family = "paint-by-example"
checkpoint = "{}"
preprocess = "ldm"
guidance = 2.0
size = [128, 96]"#,
        checkpoint.display()
    );
    write_model_config(folder, dataset, &model);
}

/// Writes `run.toml` into `folder`: `dataset` and `model` are the bodies of their tables.
#[cfg(feature = "torch")]
pub(crate) fn write_model_config(folder: &Path, dataset: &str, model: &str) {
    let text = format!(
        r#"schema_version = 1
name = "test"
output = "out"
seed = 3

[dataset]
{dataset}

[[model]]
{model}
[model.sampler]
steps = 2

[attribution]
time_groups = 2
"#
    );
    i2am_files::write_atomic(folder.join("run.toml"), text.as_bytes()).unwrap();
}

/// Three samples drawn into `folder/set`.
#[cfg(feature = "torch")]
pub(crate) const SYNTH: &str =
    "kind = \"synth\"\nseed = 9\ncount = 3\nheight = 128\nwidth = 96\nroot = \"set\"";
