//! The echo server that the README shows and the benchmark measures, as a program of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use openline_ws::{Connector, Message};

/// The built example; cargo puts it beside the folder of the tests.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION)
}

/// A running example, ended with the test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(example("echo"))
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn message(i: usize) -> Message {
    match i % 3 {
        0 => format!("message {i}").into(),
        1 => vec![i as u8; i * 50].into(),
        _ => "".into(),
    }
}

#[tokio::test]
async fn the_echo_loop_answers_a_hundred_messages_in_flight_on_each_of_many_lines() {
    let server = Server::start();
    let connector = Connector::new().no_proxy();
    let mut lines = Vec::new();
    for _ in 0..10 {
        lines.push(connector.connect(&server.url).await.unwrap());
    }
    for _round in 0..5 {
        for ws in &mut lines {
            for i in 0..100 {
                ws.feed(message(i)).await.unwrap();
            }
            ws.flush().await.unwrap();
        }
        for ws in &mut lines {
            for i in 0..100 {
                assert_eq!(ws.recv().await.unwrap(), Some(message(i)));
            }
        }
    }
    for ws in &mut lines {
        assert!(ws.close(1000, "").await.unwrap().clean);
    }
}

#[tokio::test]
async fn a_line_that_breaks_the_protocol_or_goes_away_leaves_the_others_alone() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = Server::start();
    let mut good = Connector::new().no_proxy().connect(&server.url).await.unwrap();
    let address = server.url.strip_prefix("ws://").unwrap();
    for bad in ["GET / HTTP/1.1\r\n\r\n", "\r\n\r\n", "GET /"] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        stream.write_all(bad.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    good.send("still served").await.unwrap();
    assert_eq!(good.recv().await.unwrap(), Some("still served".into()));
}
