//! Clients: requests by hand, and WebSockets.

use std::net::SocketAddr;

use openline_ws::{Connector, Message as Frame, Transport, WebSocket};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{TestServer, soon};

/// An answer of HTTP/1.1.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The protocol's error.
    pub(super) fn code(&self) -> i64 {
        let error: Value = serde_json::from_str(&self.body).unwrap();
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
        error["code"].as_i64().unwrap()
    }
}

/// Sends a request on a connection of its own.
pub(super) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = match body.len() {
        0 if method != "POST" => String::new(),
        length => format!("Content-Length: {length}\r\n"),
    };
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{length}{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    stream
}

pub(super) async fn read(stream: &mut TcpStream) -> Answer {
    soon(async {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a whole head comes"));
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer { status, head, body: String::new() };
        if let Some(length) = answer.header("content-length") {
            let mut body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut body).await.unwrap();
            answer.body = String::from_utf8(body).unwrap();
        }
        answer
    })
    .await
}

pub(super) async fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Answer {
    read(&mut send(address, method, path, headers, body).await).await
}

/// Packets in one POST, of which comes more than half of what may wait for a client.
pub(super) fn much() -> Vec<String> {
    (0..8).map(|number| format!("4{}", number.to_string().repeat(100_000))).collect()
}

/// A client over polling.
pub(super) struct Poller {
    pub(super) address: SocketAddr,
    pub(super) sid: String,
}

impl Poller {
    pub(super) async fn open(server: &TestServer) -> Self {
        Self::open_with(server, "").await
    }

    pub(super) async fn open_with(server: &TestServer, headers: &str) -> Self {
        let path = "/engine.io/?EIO=4&transport=polling";
        let answer = ask(server.address, "GET", path, headers, b"").await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let open: Value = serde_json::from_str(answer.body.strip_prefix('0').unwrap()).unwrap();
        Self { address: server.address, sid: open["sid"].as_str().unwrap().to_owned() }
    }

    pub(super) fn path(&self) -> String {
        format!("/engine.io/?EIO=4&transport=polling&t=x&sid={}", self.sid)
    }

    /// A poll, to be read later.
    pub(super) async fn begin_poll(&self) -> TcpStream {
        send(self.address, "GET", &self.path(), "", b"").await
    }

    pub(super) async fn poll(&self) -> Answer {
        read(&mut self.begin_poll().await).await
    }

    /// The packets of a poll.
    pub(super) async fn packets(&self) -> Vec<String> {
        let answer = self.poll().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body.split('\x1e').map(str::to_owned).collect()
    }

    pub(super) async fn post(&self, body: &[u8]) -> Answer {
        ask(self.address, "POST", &self.path(), "", body).await
    }

    /// Sends what the server is to take.
    pub(super) async fn say(&self, body: &str) {
        let answer = self.post(body.as_bytes()).await;
        assert_eq!((answer.status, &*answer.body), (200, "ok"));
    }

    /// A WebSocket for this connection.
    pub(super) async fn line(&self) -> Line {
        let path = format!("/engine.io/?EIO=4&transport=websocket&sid={}", self.sid);
        Line::connect(self.address, &path).await
    }

    /// A WebSocket that works, and that the client has yet to change over to.
    pub(super) async fn probed(&self) -> Line {
        let mut line = self.line().await;
        line.say("2probe").await;
        assert_eq!(line.next().await, "3probe");
        line
    }
}

/// A WebSocket.
pub(super) struct Line(pub(super) WebSocket<Transport>);

impl Line {
    /// A connection from the start.
    pub(super) async fn open(server: &TestServer) -> Self {
        let mut line = Self::connect(server.address, "/engine.io?EIO=4&transport=websocket").await;
        assert!(line.next().await.starts_with('0'));
        line
    }

    pub(super) async fn connect(address: SocketAddr, path: &str) -> Self {
        let connector = Connector::new().no_proxy();
        Self(soon(connector.connect(&format!("ws://{address}{path}"))).await.unwrap())
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.0.send(text).await.unwrap();
        self.0.flush().await.unwrap();
    }

    pub(super) async fn next(&mut self) -> String {
        match soon(self.0.recv()).await.unwrap() {
            Some(Frame::Text(text)) => text.to_string(),
            Some(Frame::Binary(data)) => format!("{data:?}"),
            None => panic!("the line is open, not closed as {:?}", self.0.closed()),
        }
    }

    /// Waits for the end, whatever comes before; with which code.
    pub(super) async fn closed(&mut self) -> u16 {
        while let Ok(Some(_)) = soon(self.0.recv()).await {}
        self.0.closed().unwrap().reason.code.0
    }
}
