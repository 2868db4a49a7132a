//! One file per command.

mod check;
mod compare;
mod correlate;
mod export;
mod imacs;
#[cfg(feature = "torch")]
mod inspect;
mod list;
mod measure;
mod merge;
mod models;
mod report;
mod run;
mod score;
mod shell;
mod show;
mod synth;
#[cfg(feature = "torch")]
mod work;

use anyhow::Result;

use crate::cli::{Cli, Command};
use crate::exit::{Outcome, usage};

#[cfg(feature = "torch")]
pub(crate) use run::has_ended;

/// Does what the command line says.
pub(crate) fn run(args: Cli) -> Result<Outcome> {
    match (args.command, args.run) {
        (Some(Command::Check(args)), _) => check::run(&args),
        (Some(Command::Compare(args)), _) => compare::run(&args),
        (Some(Command::Completions(args)), _) => shell::completions(&args),
        (Some(Command::Correlate(args)), _) => correlate::run(&args),
        #[cfg(feature = "torch")]
        (Some(Command::Inspect(args)), _) => inspect::run(&args),
        #[cfg(not(feature = "torch"))]
        (Some(Command::Inspect(_)), _) => Err(usage(
            "this build has no libtorch, so it knows no networks to compare with",
        )),
        (Some(Command::Export(args)), _) => export::run(&args),
        (Some(Command::Imacs(args)), _) => imacs::run(&args),
        (Some(Command::List), _) => list::run(),
        (Some(Command::Man(args)), _) => shell::man(&args),
        (Some(Command::Measure(args)), _) => measure::run(&args),
        (Some(Command::Merge(args)), _) => merge::run(&args),
        (Some(Command::Models(args)), _) => models::run(&args),
        (Some(Command::Report(args)), _) => report::run(&args),
        (Some(Command::Score(args)), _) => score::run(&args),
        (Some(Command::Show(args)), _) => show::run(&args),
        (Some(Command::Synth(args)), _) => synth::run(&args),
        #[cfg(feature = "torch")]
        (Some(Command::Work(args)), _) => work::run(&args),
        #[cfg(not(feature = "torch"))]
        (Some(Command::Work(_)), _) => Err(usage("this build has no libtorch")),
        (None, Some(args)) => run::run(&args),
        (None, None) => Err(usage(
            "nothing to do: give --config FILE or a command (see --help)",
        )),
    }
}
