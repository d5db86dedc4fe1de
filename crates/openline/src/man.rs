//! `openline man`: the manual, made from the arguments.

use std::fs;
use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::config;
use crate::exit::{Exit, Failure};

/// Prints the page of the program, or writes one for each command into a folder.
pub(crate) fn run(folder: Option<&Path>) -> Result<(), Failure> {
    let mut program = Cli::command().disable_help_subcommand(true);
    // Gives each command the whole name that it has in the manual.
    program.build();
    match folder {
        None => config::print(&page(program).1),
        Some(folder) => write(folder, program)
            .map_err(|error| Failure::new(Exit::Io, format!("{}: {error}", folder.display()))),
    }
}

fn write(folder: &Path, command: Command) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let inner: Vec<_> = command.get_subcommands().cloned().collect();
    let (name, text) = page(command);
    fs::write(folder.join(name), text)?;
    inner.into_iter().try_for_each(|command| write(folder, command))
}

/// The name of a page's file, and the page.
fn page(command: Command) -> (String, String) {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let man = Man::new(command.name(name)).manual("Openline Manual");
    let mut text = Vec::new();
    man.render(&mut text).expect("memory takes all");
    (man.get_filename(), String::from_utf8(text).expect("arguments are text"))
}
