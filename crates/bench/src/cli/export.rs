//! Runs in the formats of other programs, and this command line in the formats of shells and of `man`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

#[derive(Debug, Args)]
#[command(
    after_help = "TensorBoard: a folder for each model, with an event file. Means are at step 0 of `mean/...`, values of samples at the number of the \
sample in `sample/...`. Weights & Biases imports such files (`wandb sync`). MLflow: a folder `mlruns` of its file store. model-index: the block \
of YAML that a model card of Hugging Face has for its scores; raw values, with the protocol. A second export replaces the first.

Examples:
  bench export results/demo --to tensorboard                and then  tensorboard --logdir results/demo/export/tensorboard
  bench export results/demo --to mlflow --out mlruns        and then  mlflow ui --backend-store-uri mlruns
  bench export results/demo --to model-index --model paint-by-example"
)]
pub(crate) struct ExportArgs {
    /// The folder of the run.
    #[arg(value_name = "RESULTS")]
    pub(crate) results: PathBuf,
    /// The format.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) to: ExportFormat,
    /// Where to write [default: `export/` in the folder of the run; for model-index, standard output].
    #[arg(long, value_name = "PATH")]
    pub(crate) out: Option<PathBuf>,
    /// Only this model.
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
}

/// A format of another program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// Event files.
    Tensorboard,
    /// A file store.
    Mlflow,
    /// The block of a model card.
    ModelIndex,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bench completions bash > ~/.local/share/bash-completion/completions/bench
  bench completions zsh > ~/.zfunc/_bench
  bench completions fish > ~/.config/fish/completions/bench.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  bench man | man -l -
  bench man --out ~/.local/share/man/man1                   bench.1, and bench-COMMAND.1 for every command")]
pub(crate) struct ManArgs {
    /// Write the pages of the program and of every command into this folder, instead of the first to standard output.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
