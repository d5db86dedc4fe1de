//! `openline`: a real-time WebSocket server and a terminal client in one program.
//!
//! [`cli`] holds the arguments, [`exit`] the exit codes, and each command has a module of its name:
//! [`serve`] runs the server of `openline-server`, [`connect`] is a client over `openline-ws`.
//! Everything else those two do belongs to the libraries.

mod cli;
mod connect;
mod exit;
mod serve;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Connect(arguments) => connect::run(&arguments),
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
