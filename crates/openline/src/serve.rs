//! `openline serve`: the server, until a signal ends it.

use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::thread;

use openline_server::{Handle, Options, Server, StartError, TlsFiles};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::Serve;
use crate::exit::{Exit, Failure};

pub(crate) fn run(arguments: &Serve) -> Result<(), Failure> {
    check_reach(arguments)?;
    let options =
        Options { listen: arguments.listen, threads: arguments.threads, tls: tls_files(arguments) };
    let server = Server::bind(&options).map_err(|error| not_started(&error))?;
    stop_on_signals(server.handle()).map_err(failed)?;
    greet(server.local_addr(), options.tls.is_some());
    server.run().map_err(failed)
}

/// There is no authentication yet, so that strangers may come in has to be said aloud.
fn check_reach(arguments: &Serve) -> Result<(), Failure> {
    if arguments.listen.ip().is_loopback() || arguments.insecure_dev {
        return Ok(());
    }
    let what = format!(
        "other machines can reach {}, and there is no authentication yet",
        arguments.listen
    );
    Err(Failure::new(Exit::Config, what).hint("--insecure-dev serves all the same"))
}

fn tls_files(arguments: &Serve) -> Option<TlsFiles> {
    let (certificate, key) = arguments.tls_certificate.as_ref().zip(arguments.tls_key.as_ref())?;
    Some(TlsFiles { certificate: certificate.clone(), key: key.clone() })
}

fn not_started(error: &StartError) -> Failure {
    let exit = match error {
        StartError::Tls(_) => Exit::Config,
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
fn greet(address: SocketAddr, secure: bool) {
    let (http, ws) = if secure { ("https", "wss") } else { ("http", "ws") };
    let mut out = io::stdout();
    let mut greeting = format!("listening on {http}://{address}\n");
    if out.is_terminal() {
        greeting.push_str(&format!(
            "\n  Try it   {http}://{address}/\n  Chat     {http}://{address}/chat.html\n  \
             Echo     openline connect {ws}://{address}/echo\n\nCtrl-C stops.\n"
        ));
    }
    // A server whose output nobody reads serves all the same.
    let _ = out.write_all(greeting.as_bytes()).and_then(|()| out.flush());
}
