//! `openline serve`: the server, until a signal ends it.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::thread;

use openline_server::config::Config;
use openline_server::{Handle, Listening, Server, StartError, TakeoverError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::cli::Serve;
use crate::config;
use crate::exit::{Exit, Failure};
use crate::notify::Supervisor;
use crate::succession::Succession;

pub(crate) fn run(arguments: &Serve) -> Result<(), Failure> {
    let (config, listening, is_passed) = listen(arguments)?;
    let mut source = config::source(arguments.config.as_deref(), &arguments.flags.0);
    if is_passed {
        let reached_at = listening.local_addr();
        source = source.map(move |config| config.reached_at(reached_at));
    }
    let is_secure = config.tls.is_on();
    let is_bare = arguments.config.is_none();
    let supervisor = Supervisor::of_environment().map_err(failed)?;
    let server = Server::bind_on(config, listening).map_err(|error| not_started(&error))?;
    server.handle().load_from(source);
    obey_signals(server.handle(), supervisor.clone()).map_err(failed)?;
    greet(&server, is_secure, is_bare);
    if let Some(supervisor) = supervisor {
        supervisor.follow(&server).map_err(failed)?;
    }
    server.run().map_err(ended)
}

/// The socket, and the configuration of a server on it: that of the server before, one that was
/// opened for this program, or one at `listen`. True if it was there already.
fn listen(arguments: &Serve) -> Result<(Config, Listening, bool), Failure> {
    let not_started = |error: StartError| not_started(&error);
    let passed = match arguments.takeover {
        true => None,
        false => Listening::from_environment().map_err(not_started)?,
    };
    let config = config::load(arguments.config.as_deref(), &arguments.flags.0)?;
    let listening = match passed {
        Some(passed) => passed,
        None if arguments.takeover => {
            let listening = Listening::take_over(&config).map_err(not_started)?;
            warn_of_another_address(config.listen, listening.local_addr());
            listening
        }
        None => {
            let listening = Listening::at(config.listen).map_err(not_started)?;
            return Ok((config, listening, false));
        }
    };
    let config = listening.configure(config).map_err(config::refused)?;
    Ok((config, listening, true))
}

fn warn_of_another_address(wanted: SocketAddr, address: SocketAddr) {
    if wanted.port() != 0 && wanted != address {
        // Nobody has to read it.
        let _ = writeln!(
            io::stderr(),
            "openline: warning: the server before listens on {address}, and so does this one; listen=\
             \"{wanted}\" is for a start without --takeover"
        );
    }
}

/// Why the server ended, which may be that it never began.
fn ended(error: io::Error) -> Failure {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<StartError>()) {
        Some(error) => not_started(error),
        None => failed(error),
    }
}

fn not_started(error: &StartError) -> Failure {
    let exit = match error {
        StartError::Tls(_) | StartError::Config(_) => Exit::Config,
        StartError::Data { locked: true, .. } => Exit::Taken,
        StartError::Data { locked: false, .. } => Exit::Io,
        StartError::Takeover(TakeoverError::Refused { .. }) => Exit::NotTakenOver,
        _ => Exit::Unavailable,
    };
    let failure = Failure::new(exit, error);
    match error {
        StartError::Listen { error, .. } if error.kind() == io::ErrorKind::AddrInUse => {
            failure.hint("--listen takes another, port 0 a free one")
        }
        _ => failure,
    }
}

fn failed(error: io::Error) -> Failure {
    Failure::new(Exit::Io, error)
}

/// SIGTERM begins a drain, SIGINT stops without one; a second of them ends the program at once. SIGHUP
/// loads the configuration again. SIGUSR2 has the next process take over.
fn obey_signals(server: Handle, supervisor: Option<Supervisor>) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR2])?;
    let succession = Succession::of_this_program()?;
    let watch = move || {
        let mut is_ending = false;
        for signal in signals.forever() {
            match signal {
                SIGUSR2 => succession.begin(),
                SIGHUP => {
                    // What came of it is in the log.
                    let _ = match &supervisor {
                        Some(supervisor) => supervisor.around_reload(|| server.reload()),
                        None => server.reload(),
                    };
                }
                _ if is_ending => std::process::exit(Exit::Interrupted as i32),
                SIGTERM => server.drain(),
                _ => server.stop(),
            }
            is_ending |= matches!(signal, SIGINT | SIGTERM);
        }
    };
    thread::Builder::new().name("openline-signals".to_owned()).spawn(watch)?;
    Ok(())
}

/// The first line is for programs that started the server and wait for it; the rest is for people.
fn greet(server: &Server, secure: bool, bare: bool) {
    let mut out = io::stdout();
    let (http, ws) = if secure { ("https", "wss") } else { ("http", "ws") };
    let address = server.local_addr();
    let mut greeting = format!("listening on {http}://{address}\n");
    if out.is_terminal() {
        let here = reachable(address);
        greeting.push_str(&format!(
            "\n  Try it   {http}://{here}/\n  Chat     {http}://{here}/chat.html\n  \
             Echo     openline connect {ws}://{here}/echo\n"
        ));
        let file = server.api_key_file();
        // Whoever sees the output of such a server can read the file.
        let key = file.filter(|_| bare && address.ip().is_loopback());
        let key = key.and_then(|file| std::fs::read_to_string(file).ok());
        greeting.push_str(&dashboard_line(&format!("{http}://{here}"), key.as_deref()));
        if let Some(file) = file {
            greeting.push_str(&publish_lines(http, here, file));
        }
        greeting.push_str("\nCtrl-C stops.\n");
    }
    // A server whose output nobody reads serves all the same.
    let _ = out.write_all(greeting.as_bytes()).and_then(|()| out.flush());
}

/// Where the dashboard is. What stands behind `#` a browser keeps to itself.
fn dashboard_line(site: &str, key: Option<&str>) -> String {
    match key {
        Some(key) => format!("  Look in  {site}/dashboard#key={}\n", key.trim()),
        None => format!("  Look in  {site}/dashboard, with the API key\n"),
    }
}

/// How to publish, as it can be copied into a shell in the same folder.
fn publish_lines(http: &str, here: SocketAddr, key: &Path) -> String {
    let key = key.display().to_string();
    let quoted = format!("'{}'", key.replace('\'', r"'\''"));
    format!(
        "  Publish  curl {http}://{here}/api/v1/publish \\\n             \
         -H \"Authorization: Bearer $(cat {quoted})\" \\\n             \
         -d '{{\"channel\":\"news\",\"data\":\"hello\"}}'\n  API key  {key}\n"
    )
}

/// An address of this machine that leads to the server.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_curl_can_be_copied() {
        let address = "127.0.0.1:8000".parse().unwrap();
        assert_eq!(
            publish_lines("http", address, Path::new("./it's here/api-key")),
            "  Publish  curl http://127.0.0.1:8000/api/v1/publish \\\n             \
             -H \"Authorization: Bearer $(cat './it'\\''s here/api-key')\" \\\n             \
             -d '{\"channel\":\"news\",\"data\":\"hello\"}'\n  API key  ./it's here/api-key\n"
        );
    }

    #[test]
    fn the_dashboard_is_shown_with_its_key_where_that_is_safe() {
        let site = "http://127.0.0.1:8000";
        assert_eq!(
            dashboard_line(site, Some("abc\n")),
            "  Look in  http://127.0.0.1:8000/dashboard#key=abc\n"
        );
        assert_eq!(
            dashboard_line(site, None),
            "  Look in  http://127.0.0.1:8000/dashboard, with the API key\n"
        );
    }

    #[test]
    fn an_address_that_means_all_is_shown_as_one_that_leads_there() {
        let shown = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(shown("0.0.0.0:80"), "127.0.0.1:80");
        assert_eq!(shown("[::]:80"), "[::1]:80");
        assert_eq!(shown("192.0.2.1:80"), "192.0.2.1:80");
    }
}
