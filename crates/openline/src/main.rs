//! `openline`: a real-time WebSocket server and a terminal client in one program.
//!
//! [`cli`] holds the arguments, [`flags`] those that are keys of the configuration, [`exit`] the
//! exit codes, and each command has a module of its name: [`serve`] runs the server of
//! `openline-server`, [`connect`] is a client over `openline-ws`, [`channels`] one over `openline-client`, [`publish`]
//! one of the HTTP API,
//! [`token`] makes tokens and looks into them, [`config`] shows and checks what the server goes by,
//! [`health`] asks how a server is; [`completions`] and [`man`] are for packages. [`notify`] tells a
//! supervisor of the server.
//! Everything else they do belongs to the libraries.

mod channels;
mod cli;
mod completions;
mod config;
mod connect;
mod exit;
mod flags;
mod health;
mod man;
mod notify;
mod publish;
mod serve;
mod signals;
mod succession;
mod token;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use mimalloc::MiMalloc;

/// Smaller lines and cheaper messages than with the system's: `docs/adr/0030-mimalloc.md` has the figures.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Connect(arguments) if arguments.channels.has_action() => channels::run(&arguments),
        Command::Connect(arguments) => connect::run(&arguments),
        Command::Publish(arguments) => publish::run(&arguments),
        Command::Token(command) => token::run(&command),
        Command::Config(command) => config::run(&command),
        Command::Health(arguments) => health::run(&arguments),
        Command::Completions { shell } => completions::run(shell),
        Command::Man { dir } => man::run(dir.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If nobody takes it, the exit code still says what happened.
            let _ = writeln!(std::io::stderr(), "openline: {failure}");
            failure.exit.into()
        }
    }
}
