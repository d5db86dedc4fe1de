//! The arguments: one struct for each command. Help is made from the comments; the flags of `serve`
//! are made from the keys of the configuration, in `flags`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use openline_client::{ChannelName, Position};

use crate::flags::Flags;
use crate::{exit, token};

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
    Connect(Box<Connect>),
    Publish(Publish),
    /// Make a token to try things with, or look into one.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show or check the configuration of the server.
    #[command(subcommand)]
    Config(ConfigCommand),
    Health(Health),
    /// Print what makes a shell complete the arguments of openline.
    #[command(after_help = COMPLETIONS_HELP)]
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Print the manual page, or write one for each command.
    Man {
        /// Write openline.1, openline-serve.1 and all others into this folder.
        #[arg(long, value_name = "FOLDER")]
        dir: Option<PathBuf>,
    },
}

const COMPLETIONS_HELP: &str = "\
bash  openline completions bash > ~/.local/share/bash-completion/completions/openline
zsh   openline completions zsh > a folder of $fpath, as _openline
fish  openline completions fish > ~/.config/fish/completions/openline.fish";

/// Ask a server whether it takes clients.
///
/// Without a URL it asks the server that the configuration would start on this machine, so that it can
/// be the health check of a container as it is.
#[derive(Debug, Args)]
#[command(after_help = "Exits with 0 if all is well, with 1 if not or if nothing answers.")]
pub(crate) struct Health {
    /// http://… or https://…, with the host and the port alone.
    pub(crate) url: Option<String>,

    /// Ask whether it runs at all, even if it takes no publications or is about to stop.
    #[arg(long)]
    pub(crate) live: bool,

    /// The configuration of the server on this machine; a URL wins.
    #[arg(long, env = "OPENLINE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Trust the certificates in this PEM file too.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,

    /// Accept any certificate, as is done without a URL.
    #[arg(short = 'k', long, conflicts_with = "ca")]
    pub(crate) insecure: bool,

    /// How long it may take in all.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = seconds)]
    pub(crate) timeout: Duration,
}

/// Run the server.
///
/// Without a file it listens on this machine alone, lets everyone do everything, and serves a page
/// to try it, a chat, and an echo at /echo. With a file every guard is on. A flag wins over a
/// variable, a variable over the file; `openline config default` prints a file with every key.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Read the configuration from this TOML file.
    #[arg(long, env = "OPENLINE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Take over from the server that runs with the same data directory, and refuse no client.
    ///
    /// It gives its socket and its store to this program, and closes its lines over
    /// --upgrade-duration once this program serves. If this program fails before that, the other goes
    /// on as before, and this one ends with 75, or with 69 if no server runs.
    #[arg(long)]
    pub(crate) takeover: bool,

    #[command(flatten)]
    pub(crate) flags: Flags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say what is wrong with a file and the OPENLINE_… variables, without serving.
    #[command(after_help = "Exits with 78 if something is wrong.")]
    Check {
        /// A TOML file; without one the variables alone are checked.
        #[arg(env = "OPENLINE_CONFIG")]
        file: Option<PathBuf>,
    },
    /// Print a file with every key, what it means and its default.
    Default,
}

/// Talk to a WebSocket server from the terminal or in a pipe.
///
/// In a terminal: a line is sent when you press Enter, /help lists the commands, Ctrl-D closes.
/// Lines are kept in a history file, except those that begin with a space.
///
/// In a pipe: each line of the input is sent as one message, each message that comes is one line of
/// the output (binary as hex), and everything else goes to standard error. When the input ends, the
/// line is closed as soon as the server has been quiet for a moment (see --linger).
///
/// With one of the options for channels it talks to an Openline server about those: it comes back
/// when the line is lost, and misses nothing that the server has kept.
#[derive(Debug, Args)]
#[command(after_long_help = exit::help())]
pub(crate) struct Connect {
    /// ws://… or wss://…; a user and a password in it are sent as basic authorization.
    #[arg(default_value = "ws://127.0.0.1:8000/ws")]
    pub(crate) url: String,

    /// Offer a subprotocol; may be repeated, the best first.
    #[arg(short, long = "subprotocol", value_name = "NAME", conflicts_with = "action")]
    pub(crate) subprotocols: Vec<String>,

    /// Add a header to the request; may be repeated.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<String>,

    /// Do not offer compression.
    #[arg(long, conflicts_with = "action")]
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
    #[arg(long, value_name = "SECONDS", default_value = "25", value_parser = seconds, conflicts_with = "action")]
    pub(crate) ping_interval: Duration,

    /// Send lines as binary; they are written in hex.
    #[arg(short, long, conflicts_with = "action")]
    pub(crate) binary: bool,

    /// In a pipe: when the input has ended, wait until the server has been quiet for this long.
    ///
    /// A server that never goes quiet is left after twenty times as long.
    #[arg(long, value_name = "SECONDS", default_value = "0.5", value_parser = seconds, conflicts_with = "action")]
    pub(crate) linger: Duration,

    /// Colours in a terminal.
    #[arg(long, value_name = "WHEN", default_value = "auto", conflicts_with = "action")]
    pub(crate) color: Color,

    /// Tell of every ping and pong: in a pipe too, and of those that only keep the line alive.
    #[arg(short, long, conflicts_with = "action")]
    pub(crate) verbose: bool,

    #[command(flatten)]
    pub(crate) channels: Channels,
}

/// What to do with the channels of an Openline server, in place of a plain line.
#[derive(Debug, Args)]
#[command(next_help_heading = "Channels of an Openline server")]
pub(crate) struct Channels {
    /// Print what is published to this channel, until Ctrl-C; may be repeated.
    ///
    /// One line each; with several channels the name stands in front.
    #[arg(long, value_name = "CHANNEL", groups = ["action", "reads"])]
    pub(crate) subscribe: Vec<ChannelName>,

    /// Publish each line of the input, which is JSON, and print its position.
    #[arg(long, value_name = "CHANNEL", group = "action")]
    pub(crate) publish: Option<ChannelName>,

    /// Print what this channel has kept, the oldest first.
    #[arg(long, value_name = "CHANNEL", groups = ["action", "reads"])]
    pub(crate) history_of: Option<ChannelName>,

    /// Print who is in this channel: user, status and line, with tabs between them.
    #[arg(long, value_name = "CHANNEL", group = "action")]
    pub(crate) presence: Option<ChannelName>,

    /// Send this file, and print its name, size, SHA-256 and address.
    ///
    /// Run again after it was ended, it goes on where it stopped; a file that the server has already is
    /// not sent again.
    #[arg(long, value_name = "FILE", group = "action")]
    pub(crate) upload: Option<PathBuf>,

    /// Go on with what was sent under this key: 1 to 64 bytes, another for each file.
    ///
    /// Without this, the key is made from the file's name and bytes. Another key sends it anew.
    // That it requires what the others exclude does not keep it from standing beside them.
    #[arg(long, value_name = "KEY", requires = "upload", value_parser = upload_key,
        conflicts_with_all = ["subscribe", "publish", "history_of", "presence"])]
    pub(crate) upload_key: Option<String>,

    /// Begin behind the message at this position.
    // One position in 64 begins with a hyphen.
    #[arg(long, value_name = "POSITION", requires = "reads", value_parser = position,
        allow_hyphen_values = true)]
    pub(crate) since: Option<Position>,

    /// Begin with so many of the newest messages; with --since, read at most so many.
    #[arg(long, value_name = "N", requires = "reads",
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) history: Option<u32>,

    /// What kind of event is published.
    #[arg(long, value_name = "NAME", requires = "publish")]
    pub(crate) event: Option<String>,

    /// Show this token. Others on this machine can see it; the variable OPENLINE_TOKEN they cannot.
    #[arg(long, requires = "action")]
    pub(crate) token: Option<String>,

    /// Print one JSON object a line, also for what happens to the line: see docs/connect.md.
    #[arg(long, requires = "action")]
    pub(crate) json: bool,
}

impl Channels {
    /// Whether there is something to do, and the line is no plain one.
    pub(crate) fn has_action(&self) -> bool {
        let Self { subscribe, publish, history_of, presence, upload, .. } = self;
        let one = [publish, history_of, presence].into_iter().any(Option::is_some);
        one || !subscribe.is_empty() || upload.is_some()
    }
}

/// Publish a message through the HTTP API of a server.
///
/// Prints the position of the message, or an empty line where the channel keeps no history.
#[derive(Debug, Args)]
#[command(after_long_help = exit::help())]
pub(crate) struct Publish {
    /// Where to.
    pub(crate) channel: String,

    /// What: JSON, so text has quotes of its own; - reads it from standard input.
    #[arg(allow_hyphen_values = true)]
    pub(crate) data: String,

    /// What kind of event it is; subscribers get it as the type of the message.
    #[arg(long, value_name = "NAME")]
    pub(crate) event: Option<String>,

    /// Publish it once, however often this is run with the same key within five minutes.
    #[arg(long)]
    pub(crate) key: Option<String>,

    /// Where the server is.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    pub(crate) url: String,

    /// The file with the key of the API. Without it the variable OPENLINE_API_KEY counts, then the
    /// file in the data directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,

    /// The data directory of a server on this machine.
    #[arg(
        long,
        env = "OPENLINE_DATA_DIR",
        value_name = "FOLDER",
        default_value = "./openline-data"
    )]
    pub(crate) data_dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    Mint(Box<MintToken>),
    Inspect(InspectToken),
}

/// Make a token, signed with a secret (HS256, HS384 or HS512).
#[derive(Debug, Args)]
pub(crate) struct MintToken {
    /// Sign with the first secret of this configuration's `auth`, for its audience and issuer.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["secret_file", "secret_env"])]
    pub(crate) config: Option<PathBuf>,

    /// Take the key of the configuration with this id.
    #[arg(long, value_name = "ID", requires = "config")]
    pub(crate) key_id: Option<String>,

    /// Sign with the secret in this file.
    #[arg(long, value_name = "FILE", conflicts_with = "secret_env")]
    pub(crate) secret_file: Option<PathBuf>,

    /// Sign with the secret in this variable.
    #[arg(long, value_name = "NAME")]
    pub(crate) secret_env: Option<String>,

    /// How to sign with a secret of a file or a variable.
    #[arg(long, value_name = "NAME", default_value = "HS256", conflicts_with = "config")]
    pub(crate) algorithm: String,

    /// Whom it is for (claim sub).
    #[arg(long)]
    pub(crate) user: Option<String>,

    /// How long it is good for.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = token::lifetime)]
    pub(crate) expires: Duration,

    /// What it allows, as in 'chat:*=subscribe,publish'; may be repeated. Without any, the
    /// namespaces decide.
    #[arg(long = "channel", value_name = "PATTERN=ACTIONS", value_parser = token::grant)]
    pub(crate) channels: Vec<(String, Vec<String>)>,

    /// What others see of the user, as JSON (claim info).
    #[arg(long, value_name = "JSON")]
    pub(crate) info: Option<String>,

    /// A name for the token, by which it can be revoked (claim jti).
    #[arg(long)]
    pub(crate) id: Option<String>,

    /// Whom it is made for (claim aud).
    #[arg(long, value_name = "NAME")]
    pub(crate) audience: Option<String>,

    /// Who made it (claim iss).
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: Option<String>,
}

/// Show what is in a token, and whether a server would accept it.
///
/// What the server was told to revoke is not known here.
#[derive(Debug, Args)]
#[command(after_help = "Exits with 1 if the server of the configuration would refuse it.")]
pub(crate) struct InspectToken {
    /// The token; - reads it from standard input, which keeps it out of the shell's history.
    pub(crate) token: String,

    /// The configuration of the server.
    #[arg(long, env = "OPENLINE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

fn upload_key(text: &str) -> Result<String, String> {
    match text.len() {
        1..=64 => Ok(text.to_owned()),
        _ => Err("it has to have 1 to 64 bytes".to_owned()),
    }
}

fn position(text: &str) -> Result<Position, String> {
    text.parse().map_err(|_| "it has to be a position as a server gave it".to_owned())
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
    fn a_position_may_begin_with_a_hyphen() {
        let since = Position { epoch: 0xf800_0000, offset: 1, tag: 1 };
        let text = since.to_string();
        assert!(text.starts_with('-'), "{text}");
        let words = ["openline", "connect", "--subscribe", "news", "--since", &text];
        let Command::Connect(connect) =
            Cli::try_parse_from(words).expect("these are arguments").command
        else {
            panic!("it is another command");
        };
        assert_eq!(connect.channels.since, Some(since));
    }
}
