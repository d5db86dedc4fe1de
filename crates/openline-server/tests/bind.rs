//! Taking an address to listen on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use openline_server::{Config, Server, StartError};

fn config(listen: SocketAddr) -> Config {
    let mut config = Config::default();
    config.listen = listen;
    config.ephemeral = true;
    config
}

#[test]
fn port_0_takes_a_free_port() {
    let server = Server::bind(config(([127, 0, 0, 1], 0).into())).unwrap();
    assert_ne!(server.local_addr().port(), 0);
    assert!(server.local_addr().ip().is_loopback());
}

#[test]
fn a_taken_port_is_named() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let error = Server::bind(config(address)).unwrap_err();
    assert!(matches!(error, StartError::Listen { address: named, .. } if named == address));
    let port = address.port();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on 127.0.0.1:{port}: another program uses port {port}")
    );
}

#[test]
fn two_servers_do_not_share_a_port() {
    let first = Server::bind(config(([127, 0, 0, 1], 0).into())).unwrap();
    assert!(Server::bind(config(first.local_addr())).is_err());
}

/// Nobody has to keep a handle for the server to go on.
#[test]
fn a_server_runs_without_a_handle() {
    let server = Server::bind(config(([127, 0, 0, 1], 0).into())).unwrap();
    let address = server.local_addr();
    let running = std::thread::spawn(|| server.run());
    for _ in 0..20 {
        let mut stream = TcpStream::connect(address).unwrap();
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!running.is_finished(), "it goes on");
}
