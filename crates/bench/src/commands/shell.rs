//! The command line, as shells and `man` want to know it: both are made from the same definition as the help.

use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::cli::{Cli, CompletionsArgs, ManArgs};
use crate::exit::Outcome;
use crate::progress;

/// Prints the completions of a shell.
pub(super) fn completions(args: &CompletionsArgs) -> Result<Outcome> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "bench", &mut text);
    progress::print(String::from_utf8(text)?.trim_end())?;
    Ok(Outcome::Ok)
}

/// Prints the page of the program, or writes those of all commands.
pub(super) fn man(args: &ManArgs) -> Result<Outcome> {
    let mut program = Cli::command();
    program.build();
    match &args.out {
        None => progress::print(page(program)?.trim_end())?,
        Some(folder) => {
            // Built, every command knows its name with that of the program before it.
            for command in program
                .get_subcommands()
                .filter(|command| !command.is_hide_set())
            {
                write(
                    folder,
                    &format!("bench-{}", command.get_name()),
                    command.clone(),
                )?;
            }
            write(folder, "bench", program)?;
        }
    }
    Ok(Outcome::Ok)
}

fn write(folder: &Path, name: &str, command: Command) -> Result<()> {
    Ok(i2am_files::write_atomic(
        folder.join(format!("{name}.1")),
        page(command)?,
    )?)
}

fn page(command: Command) -> Result<String> {
    let mut text = Vec::new();
    Man::new(command)
        .render(&mut text)
        .context("a page of the manual")?;
    Ok(String::from_utf8(text)?)
}
