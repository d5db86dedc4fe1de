//! `openline serve` on a socket that systemd, or what does as it does, has opened for it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Output, Stdio};

use socket2::{Domain, Socket, Type};

/// `openline serve` with its descriptor 3 and up being this one. The shell's process becomes the
/// server's, so the number is right.
fn serve(sockets: usize, passed: OwnedFd, arguments: &[&str]) -> Child {
    let script = format!(
        "exec 3<&0 4<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS={sockets} exec \"$0\" serve --ephemeral \"$@\""
    );
    Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_openline")])
        .args(arguments)
        .stdin(passed)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[track_caller]
fn assert_refused(output: Output, what: &str) {
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{error}");
    assert_eq!(error, format!("openline: {what}\n"));
}

fn live(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = "GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_serves_on_a_socket_that_it_is_passed_whatever_listen_says() {
    let (listener, address) = listener();
    let mut server = serve(1, listener.into(), &["--listen", "127.0.0.1:1"]);
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let answer = live(address);
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(line, format!("listening on http://{address}\n"));
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Who keeps the socket open, as systemd does, has clients wait instead of being refused.
#[test]
fn nobody_is_refused_between_two_servers_on_the_same_socket() {
    let (listener, address) = listener();
    let mut waiting = None;
    for _ in 0..2 {
        let mut server = serve(1, listener.try_clone().unwrap().into(), &[]);
        let mut line = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        if let Some(client) = waiting.take() {
            let mut client: TcpStream = client;
            let mut answer = [0; 12];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
        }
        server.kill().unwrap();
        server.wait().unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        waiting = Some(client);
    }
}

#[test]
fn a_socket_that_was_meant_for_another_process_is_left_alone() {
    let (listener, address) = listener();
    let mut server = Command::new(env!("CARGO_BIN_EXE_openline"))
        .args(["serve", "--ephemeral", "--listen", "127.0.0.1:0"])
        .env("LISTEN_PID", "1")
        .env("LISTEN_FDS", "1")
        .stdin(OwnedFd::from(listener))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(line.starts_with("listening on http://127.0.0.1:"), "{line}");
    assert_ne!(line, format!("listening on http://{address}\n"));
}

#[test]
fn what_a_server_cannot_listen_on_is_refused() {
    let refused =
        |sockets, passed: OwnedFd| serve(sockets, passed, &[]).wait_with_output().unwrap();
    let cannot = "the socket of LISTEN_FDS cannot be used:";
    let output = refused(1, File::open("/dev/null").unwrap().into());
    assert_refused(output, &format!("{cannot} fd 3 is not a socket"));
    let unix = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    assert_refused(refused(1, unix.into()), &format!("{cannot} fd 3 is not a valid tcp socket"));
    let silent = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let what = "it does not listen; a TCP socket that does is needed";
    assert_refused(refused(1, silent.into()), &format!("{cannot} {what}"));
    let two = "LISTEN_FDS=2: this server listens on one socket; name one ListenStream";
    assert_refused(refused(2, listener().0.into()), two);
}

#[test]
fn an_address_that_is_unsafe_is_so_on_a_passed_socket_too() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let address = listener.local_addr().unwrap();
    let what = format!("auth.anonymous=true on {address}; set --insecure-dev to allow this");
    assert_refused(serve(1, listener.into(), &[]).wait_with_output().unwrap(), &what);
}
