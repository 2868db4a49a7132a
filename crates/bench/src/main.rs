//! The command line: config to plan, stages in order, progress and exit codes.

#[cfg(feature = "torch")]
mod batch;
mod cache;
mod cli;
mod commands;
mod config;
mod correlations;
mod device;
mod exit;
mod exported;
#[cfg(feature = "torch")]
mod hub;
#[cfg(unix)]
mod interrupt;
mod metrics;
#[cfg(feature = "torch")]
mod models;
#[cfg(not(feature = "torch"))]
#[path = "no_models.rs"]
mod models;
mod plan;
mod preflight;
mod progress;
mod published;
mod registry;
mod shard;
mod stages;
mod suggest;
mod table;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let args = match cli::Cli::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // `--help` and `--version` end here too. Nothing can be done about a closed stream.
            let _ = error.print();
            return if error.use_stderr() {
                exit::Outcome::Usage.into()
            } else {
                ExitCode::SUCCESS
            };
        }
    };
    #[cfg(feature = "torch")]
    if args.computes() && !args.run.as_ref().is_some_and(commands::has_ended) {
        i2am_nets::libtorch::start_again_tuned();
    }
    progress::start_logging(args.quiet);
    #[cfg(unix)]
    if let Err(error) = interrupt::watch() {
        tracing::warn!("signals cannot be watched: {error}");
    }
    match commands::run(args) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            progress::error(&error);
            exit::Outcome::of(&error).into()
        }
    }
}
