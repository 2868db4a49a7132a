//! One file per command.

mod check;
mod compare;
mod correlate;
mod imacs;
#[cfg(feature = "torch")]
mod inspect;
mod list;
mod measure;
mod merge;
mod report;
mod run;
mod synth;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::exit::{Outcome, usage};

/// Does what the command line says.
pub(crate) fn run(args: Cli) -> Result<Outcome> {
    match (args.command, args.run) {
        (Some(Command::Check(args)), _) => check::run(&args),
        (Some(Command::Compare(args)), _) => compare::run(&args),
        (Some(Command::Correlate(args)), _) => correlate::run(&args),
        #[cfg(feature = "torch")]
        (Some(Command::Inspect(args)), _) => inspect::run(&args),
        #[cfg(not(feature = "torch"))]
        (Some(Command::Inspect(_)), _) => Err(usage(
            "this build has no libtorch, so it knows no networks to compare with",
        )),
        (Some(Command::Imacs(args)), _) => imacs::run(&args),
        (Some(Command::List), _) => list::run(),
        (Some(Command::Measure(args)), _) => measure::run(&args),
        (Some(Command::Merge(args)), _) => merge::run(&args),
        (Some(Command::Report(args)), _) => report::run(&args),
        (Some(Command::Synth(args)), _) => synth::run(&args),
        (None, Some(args)) => run::run(&args),
        (None, None) => Err(usage(
            "nothing to do: give --config FILE or a command (see --help)",
        )),
    }
}
