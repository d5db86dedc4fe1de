//! `openline serve`: the server, until a signal ends it.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::thread;

use openline_server::{Handle, Server, StartError};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::Serve;
use crate::config;
use crate::exit::{Exit, Failure};

pub(crate) fn run(arguments: &Serve) -> Result<(), Failure> {
    let config = config::load(arguments.config.as_deref(), &arguments.flags.0)?;
    let is_secure = config.tls.certificate.is_some();
    let is_bare = arguments.config.is_none();
    let server = Server::bind(config).map_err(|error| not_started(&error))?;
    stop_on_signals(server.handle()).map_err(failed)?;
    greet(&server, is_secure, is_bare);
    server.run().map_err(failed)
}

fn not_started(error: &StartError) -> Failure {
    let exit = match error {
        StartError::Tls(_) | StartError::Config(_) => Exit::Config,
        StartError::Data { locked: true, .. } => Exit::Taken,
        StartError::Data { locked: false, .. } => Exit::Io,
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

/// The first signal begins a graceful stop, a second one ends the program at once.
fn stop_on_signals(server: Handle) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let watch = move || {
        let mut signals = signals.forever();
        signals.next();
        server.stop();
        signals.next();
        std::process::exit(Exit::Interrupted as i32);
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
fn reachable(address: SocketAddr) -> SocketAddr {
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
