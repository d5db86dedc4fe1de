//! The arguments: one struct for each command. Help is made from the comments.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::exit;

/// A real-time WebSocket server, and a terminal client to talk to any WebSocket server.
#[derive(Debug, Parser)]
#[command(name = "openline", version, max_term_width = 100, after_long_help = exit::help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(Serve),
    Connect(Connect),
}

/// Run the server.
///
/// Without options it listens on this machine alone, and serves a page to try it, a chat, and an
/// echo at /echo.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, env = "OPENLINE_LISTEN", value_name = "ADDRESS:PORT", value_parser = listen)]
    #[arg(default_value = "127.0.0.1:8000")]
    pub(crate) listen: SocketAddr,

    /// Threads that serve lines [default: one for each core].
    #[arg(long, env = "OPENLINE_THREADS", value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Serve TLS with this certificate chain, a PEM file.
    #[arg(long, env = "OPENLINE_TLS_CERTIFICATE", value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_certificate: Option<PathBuf>,

    /// The key of the certificate, a PEM file.
    #[arg(long, env = "OPENLINE_TLS_KEY", value_name = "FILE", requires = "tls_certificate")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Allow an address that other machines can reach, although there is no authentication yet.
    #[arg(long, env = "OPENLINE_INSECURE_DEV")]
    pub(crate) insecure_dev: bool,
}

/// Talk to a WebSocket server from the terminal or in a pipe.
///
/// In a terminal: a line is sent when you press Enter, /help lists the commands, Ctrl-D closes.
/// Lines are kept in a history file, except those that begin with a space.
///
/// In a pipe: each line of the input is sent as one message, each message that comes is one line of
/// the output (binary as hex), and everything else goes to standard error. When the input ends, the
/// line is closed as soon as the server has been quiet for a moment (see --linger).
#[derive(Debug, Args)]
#[command(after_long_help = exit::help())]
pub(crate) struct Connect {
    /// ws://… or wss://…; a user and a password in it are sent as basic authorization.
    pub(crate) url: String,

    /// Offer a subprotocol; may be repeated, the best first.
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub(crate) subprotocols: Vec<String>,

    /// Add a header to the request; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,

    /// Do not offer compression.
    #[arg(long)]
    pub(crate) no_deflate: bool,

    /// Accept any certificate. Whoever sits between can read and change everything.
    #[arg(short = 'k', long, conflicts_with = "ca")]
    pub(crate) insecure: bool,

    /// Trust the certificates in this PEM file too.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Go through this HTTP proxy instead of the one that the environment names.
    #[arg(long, value_name = "URL", conflicts_with = "no_proxy")]
    pub(crate) proxy: Option<String>,

    /// Go through no proxy, whatever the environment says.
    #[arg(long)]
    pub(crate) no_proxy: bool,

    /// How long opening may take.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub(crate) timeout: Duration,

    /// Ping after this long without a byte from the server; 0 never pings.
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = seconds)]
    pub(crate) ping_interval: Duration,

    /// Send lines as binary; they are written in hex.
    #[arg(short, long)]
    pub(crate) binary: bool,

    /// In a pipe: when the input has ended, wait until the server has been quiet for this long.
    ///
    /// A server that never goes quiet is left after twenty times as long.
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds)]
    pub(crate) linger: Duration,

    /// Colours in a terminal.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Tell of every ping and pong: in a pipe too, and of those that only keep the line alive.
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "it has to be ADDRESS:PORT, as in 127.0.0.1:8000 or [::1]:0".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it has to be a number of seconds".to_owned())?;
    // A year is for ever to a line, and far from what clocks cannot add.
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= Duration::from_secs(365 * 24 * 3600) => Ok(duration),
        _ => Err("it has to be from 0 to a year".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_arguments_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn seconds_may_have_a_fraction_and_are_bounded() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["", "x", "-1", "inf", "NaN", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_option_of_serve_is_an_environment_variable_too() {
        let command = Cli::command();
        let serve = command.find_subcommand("serve").unwrap();
        for option in serve.get_arguments().filter(|a| a.get_long().is_some_and(|l| l != "help")) {
            let name = option.get_long().unwrap().to_uppercase().replace('-', "_");
            assert_eq!(option.get_env().unwrap().to_str().unwrap(), format!("OPENLINE_{name}"));
        }
    }
}
