//! Taking an address to listen on.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{SocketAddr, TcpListener};

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
