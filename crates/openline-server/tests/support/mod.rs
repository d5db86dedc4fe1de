//! A server for one test, and clients of it.

#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod packed;
pub(crate) mod talk;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openline_server::app::ServerBuilder;
use openline_server::{Config, Handle, Server};
use openline_ws::{Connector, Limits, Transport, WebSocket};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// When a test gives up; nothing takes nearly as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Waits for what is to come.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes in time")
}

/// A server on a free port, stopped when dropped.
pub(crate) struct TestServer {
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::with_threads(1)
    }

    pub(crate) fn with_threads(threads: usize) -> Self {
        let mut config = Config::default();
        config.threads = NonZeroUsize::new(threads);
        Self::with_config(config)
    }

    /// With a free port, and nothing kept.
    pub(crate) fn with_config(config: Config) -> Self {
        Self::with_handlers(config, Server::builder())
    }

    /// With handlers of its own.
    pub(crate) fn with_handlers(mut config: Config, builder: ServerBuilder) -> Self {
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.ephemeral = true;
        let server = builder.bind(config).unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        Self { address, handle, thread: Some(thread::spawn(|| server.run())) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// Waits until `run` has returned.
    pub(crate) fn join(&mut self) -> io::Result<()> {
        self.thread.take().expect("it is joined once").join().unwrap()
    }

    pub(crate) async fn line(&self, path: &str) -> WebSocket<Transport> {
        connector().connect(&self.url(path)).await.unwrap()
    }

    /// A line of which the test sees every byte.
    pub(crate) async fn raw_line(&self, path: &str, headers: &str) -> RawLine {
        RawLine::open(TcpStream::connect(self.address).await.unwrap(), path, headers).await
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

/// Takes more than the server sends.
pub(crate) fn connector() -> Connector {
    let limits =
        Limits { frame_bytes_max: 64 << 20, message_bytes_max: 64 << 20, fragments_max: 1 << 20 };
    Connector::new().no_proxy().limits(limits)
}

/// The handshake of RFC 6455 §1.2, with more headers.
pub(crate) fn handshake(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
    )
}

pub(crate) struct RawLine {
    pub(crate) stream: TcpStream,
    /// The head of the answer.
    pub(crate) head: String,
}

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    /// FIN, RSV and opcode.
    pub(crate) start: u8,
    pub(crate) payload: Vec<u8>,
}

impl RawLine {
    pub(crate) async fn open(mut stream: TcpStream, path: &str, headers: &str) -> Self {
        stream.write_all(handshake(path, headers).as_bytes()).await.unwrap();
        let head = read_head(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        Self { stream, head }
    }

    /// A line whose system takes little that it does not read.
    pub(crate) async fn open_narrow(address: SocketAddr, path: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        Self::open(socket.connect(address).await.unwrap(), path, "").await
    }

    pub(crate) async fn send(&mut self, start: u8, payload: &[u8]) {
        self.stream.write_all(&frame(start, payload)).await.unwrap();
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn read(&mut self) -> Option<Frame> {
        soon(async {
            let mut head = [0; 2];
            self.stream.read_exact(&mut head).await.ok()?;
            let len = match head[1] {
                126 => usize::from(self.stream.read_u16().await.ok()?),
                127 => usize::try_from(self.stream.read_u64().await.ok()?).unwrap(),
                len => usize::from(len),
            };
            let mut payload = vec![0; len];
            self.stream.read_exact(&mut payload).await.ok()?;
            Some(Frame { start: head[0], payload })
        })
        .await
    }

    /// The code and reason of the close frame that comes, behind whatever else does.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        while let Some(frame) = self.read().await {
            if frame.start == 0x88 {
                let code = u16::from_be_bytes([frame.payload[0], frame.payload[1]]);
                return (code, String::from_utf8(frame.payload[2..].to_vec()).unwrap());
            }
        }
        panic!("the line ended without a close frame");
    }
}

/// A client's frame, masked with zeros.
pub(crate) fn frame(start: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![start];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

/// An answer of HTTP/1.1.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// `error.code` and `error.message` of the body.
    pub(crate) fn error(&self) -> (String, String) {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let text = |name: &str| body["error"][name].as_str().unwrap().to_owned();
        assert_eq!(body["error"]["docs"], format!("docs/errors.md#{}", text("code")));
        (text("code"), text("message"))
    }
}

/// Reads up to the empty line.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(stream.read_u8()).await.expect("a whole head comes"));
    }
    String::from_utf8(head).unwrap()
}

pub(crate) async fn read_answer(stream: &mut TcpStream) -> Answer {
    let head = read_head(stream).await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut answer = Answer { status, head, body: String::new() };
    if let Some(len) = answer.header("content-length") {
        let mut body = vec![0; len.parse().unwrap()];
        soon(stream.read_exact(&mut body)).await.unwrap();
        answer.body = String::from_utf8(body).unwrap();
    }
    answer
}

/// The answer to a connection's first request.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await
}

/// The answer to a connection's second request.
pub(crate) async fn ask_second(address: SocketAddr, request: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await.unwrap();
    assert_eq!(read_answer(&mut stream).await.status, 200);
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await
}

/// A member of the chat.
pub(crate) struct Member {
    pub(crate) ws: WebSocket<Transport>,
    pub(crate) client_id: String,
}

impl Member {
    /// Opens a line and takes the three messages that greet it.
    pub(crate) async fn enter(server: &TestServer, path: &str) -> Self {
        let mut member = Self { ws: server.line(path).await, client_id: String::new() };
        let welcome = member.next().await;
        assert_eq!(welcome["type"], "welcome");
        member.client_id = welcome["clientId"].as_str().unwrap().to_owned();
        assert_eq!(member.next().await["type"], "history");
        assert_eq!(member.next().await["type"], "userList");
        member
    }

    /// As [`Member::enter`], under a name that the room knows when this returns.
    pub(crate) async fn named(server: &TestServer, path: &str, name: &str) -> Self {
        let mut member = Self::enter(server, path).await;
        member.say(serde_json::json!({ "type": "join", "username": name })).await;
        member.user_info(name).await;
        member
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.ws.send(message.to_string()).await.unwrap();
        // Or it could wait for the next receive, while the test waits for another member.
        self.ws.flush().await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> Value {
        let message = soon(self.ws.recv()).await.unwrap().expect("the line is open");
        let message: Value = serde_json::from_str(message.as_text().unwrap()).unwrap();
        assert_fields_stand_twice(&message);
        message
    }

    /// The next message of a type.
    pub(crate) async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// The answer to a request, by its id.
    pub(crate) async fn ask(&mut self, message: Value) -> Value {
        let id = message["id"].clone();
        self.say(message).await;
        loop {
            let answer = self.next().await;
            if answer["id"] == id {
                return answer;
            }
        }
    }

    pub(crate) async fn user_info(&mut self, user: &str) -> Value {
        let request = serde_json::json!({ "type": "getUserInfo", "id": "who", "userId": user });
        self.ask(request).await
    }

    /// Closes, and waits for the other side to have done so.
    pub(crate) async fn leave(mut self) {
        soon(self.ws.close(1000, "")).await.unwrap();
    }
}

/// What is under `data` is the message without its `type`, `id` and `data`.
pub(crate) fn assert_fields_stand_twice(message: &Value) {
    let mut fields = message.as_object().unwrap().clone();
    for name in ["type", "id", "data"] {
        fields.remove(name);
    }
    assert_eq!(message["data"], Value::Object(fields), "{message}");
}
