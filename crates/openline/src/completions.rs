//! `openline completions`: what a shell offers behind `openline`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::config;
use crate::exit::Failure;

pub(crate) fn run(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "openline", &mut script);
    config::print(&String::from_utf8(script).expect("arguments are text"))
}
