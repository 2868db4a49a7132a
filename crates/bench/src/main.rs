//! The command line: config to plan, stages in order, progress and exit codes.

mod cli;
mod commands;
mod config;
mod correlations;
mod exit;
mod metrics;
mod plan;
mod progress;
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
    progress::start_logging(args.quiet);
    match commands::run(args) {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            progress::error(&error);
            exit::Outcome::of(&error).into()
        }
    }
}
