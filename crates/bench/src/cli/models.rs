//! The list of published checkpoints.

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "What no source names is `unknown`. A name that begins with `hf:` can be written into a configuration as it is: the files are \
downloaded into the cache of Hugging Face when they are first used (docs/checkpoints.md).

Examples:
  bench models
  bench models --json"
)]
pub(crate) struct ModelsArgs {
    /// Print one JSON list on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
