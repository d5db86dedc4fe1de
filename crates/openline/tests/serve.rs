//! `openline serve`: how it starts, and how it stops.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openline"));
    // The tests run at the same time, and only one server can have a data directory.
    command
        .args(["serve", "--ephemeral"])
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts a server and returns where it says that it listens.
fn start(arguments: &[&str]) -> (Child, String) {
    let mut child = command(arguments).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().strip_prefix("listening on ").expect(&line).to_owned();
    (child, address)
}

#[track_caller]
fn assert_fails(arguments: &[&str], code: i32, what: &str) {
    let output = command(arguments).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(error.starts_with("openline: ") && error.contains(what), "{error}");
}

#[test]
fn it_says_where_it_listens_echoes_and_stops_on_a_signal() {
    for signal in ["-INT", "-TERM"] {
        let (mut server, address) = start(&["--listen", "127.0.0.1:0", "--threads", "1"]);
        let url = format!("{}/echo", address.replace("http://", "ws://"));
        let mut client = Command::new(env!("CARGO_BIN_EXE_openline"))
            .args(["connect", &url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        client.stdin.take().unwrap().write_all(b"hello\n").unwrap();
        let output = client.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b"hello\n"[..]));
        tell(&server, signal);
        assert_eq!(server.wait().unwrap().code(), Some(0));
        let mut more = String::new();
        server.stdout.take().unwrap().read_to_string(&mut more).unwrap();
        assert_eq!(more, "", "one line, when nobody watches");
    }
}

/// Sends a signal, as an operator would.
fn tell(server: &Child, signal: &str) {
    let killed = Command::new("kill").args([signal, &server.id().to_string()]).status();
    assert!(killed.unwrap().success());
}

/// The status that a path is answered with.
fn status(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address.strip_prefix("http://").unwrap()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().to_owned()
}

#[test]
fn sigterm_begins_a_drain_and_a_second_signal_ends_it_at_once() {
    for again in ["-TERM", "-INT"] {
        let flags = ["--listen", "127.0.0.1:0", "--threads", "1", "--drain-delay", "10m"];
        let (mut server, address) = start(&flags);
        assert_eq!(status(&address, "/health/ready"), "200");
        tell(&server, "-TERM");
        let until = Instant::now() + Duration::from_secs(60);
        while status(&address, "/health/ready") != "503" {
            assert!(Instant::now() < until, "it does not begin to drain");
        }
        assert_eq!(status(&address, "/health/live"), "200");
        tell(&server, again);
        assert_eq!(server.wait().unwrap().code(), Some(130));
    }
}

#[test]
fn sigint_stops_without_a_drain() {
    let flags = ["--listen", "127.0.0.1:0", "--threads", "1", "--drain-delay", "10m"];
    let (mut server, _) = start(&flags);
    tell(&server, "-INT");
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn the_environment_sets_what_no_flag_does() {
    let mut child = command(&[]).env("OPENLINE_LISTEN", "[::1]:0").spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // A machine without IPv6 says so in its error instead.
    assert!(line.is_empty() || line.starts_with("listening on http://[::1]:"), "{line}");
}

#[test]
fn a_taken_port_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_fails(&["--listen", &address], 69, &format!("cannot listen on {address}"));
}

#[test]
fn strangers_are_let_in_only_when_told_to() {
    let said = "auth.anonymous=true on 0.0.0.0:0; set --insecure-dev to allow this";
    assert_fails(&["--listen", "0.0.0.0:0"], 78, said);
    let (mut server, address) = start(&["--listen", "0.0.0.0:0", "--insecure-dev"]);
    assert!(address.starts_with("http://0.0.0.0:"), "{address}");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn a_certificate_that_cannot_be_read_is_named() {
    let files = ["--tls-certificate", "/none.pem", "--tls-key", "/none.key"];
    assert_fails(&[&["--listen", "127.0.0.1:0"], &files[..]].concat(), 78, "/none.pem");
}
