//! Socket.IO clients: namespaces, events, acks, rooms, and coming back after a lost connection.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

mod recovery;
mod sockets;
mod tokens;

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use openline_server::app::{Handlers, ServerBuilder};
use openline_server::{Config, Handle, Server};
use openline_ws::{Connector, Message, Transport, WebSocket};
use serde_json::Value;

/// When a test gives up; nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes in time")
}

struct Running {
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Running {
    /// Where clients can come back.
    fn start(handlers: Handlers) -> Self {
        Self::with(Server::builder().handlers(handlers), &[("recovery", "2m")])
    }

    /// With settings of `[socketio]`.
    fn with(builder: ServerBuilder, settings: &[(&str, &str)]) -> Self {
        let flags = settings.iter();
        let flags = flags.map(|(key, value)| (format!("socketio.{key}"), (*value).to_owned()));
        Self::with_config(builder, Config::read(None, [], flags).unwrap())
    }

    fn with_config(builder: ServerBuilder, mut config: Config) -> Self {
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.ephemeral = true;
        config.threads = NonZeroUsize::new(2);
        let server = builder.bind(config).unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        Self { address, handle, thread: Some(thread::spawn(|| server.run())) }
    }
}

impl Drop for Running {
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

/// An Engine.IO connection over WebSocket.
struct Line(WebSocket<Transport>);

impl Line {
    async fn open(server: &Running) -> Self {
        let path = "/socket.io/?EIO=4&transport=websocket";
        Self(connect(server, path).await).opened().await
    }

    async fn opened(mut self) -> Self {
        let Some(Message::Text(open)) = soon(self.0.recv()).await.unwrap() else { panic!() };
        assert!(open.starts_with("0{"), "{open}");
        self
    }

    /// Sends a packet.
    async fn say(&mut self, packet: &str) {
        self.0.send(format!("4{packet}")).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn attach(&mut self, bytes: &'static [u8]) {
        self.0.send(Message::Binary(bytes.into())).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// The next packet; an attachment as `b` and its bytes.
    async fn next(&mut self) -> String {
        loop {
            match soon(self.0.recv()).await.unwrap() {
                Some(Message::Text(text)) if text == "2" => {
                    self.0.send("3".to_owned()).await.unwrap();
                }
                Some(Message::Text(text)) => return text.strip_prefix('4').unwrap().to_owned(),
                Some(Message::Binary(data)) => return format!("b{data:?}"),
                None => panic!("the line is open, not closed as {:?}", self.0.closed()),
            }
        }
    }

    /// The next packet, which is an event: its name and its arguments, without the offset.
    async fn event(&mut self) -> (Value, Option<String>) {
        let packet = self.next().await;
        let at = packet.find('[').unwrap();
        let mut event: Vec<Value> = serde_json::from_str(&packet[at..]).unwrap();
        let offset = match event.pop() {
            Some(Value::String(offset)) if offset.parse::<u64>().is_ok() => Some(offset),
            last => {
                event.extend(last);
                None
            }
        };
        (event.into(), offset)
    }

    async fn closed(&mut self) -> u16 {
        while let Ok(Some(_)) = soon(self.0.recv()).await {}
        self.0.closed().unwrap().reason.code.0
    }

    /// Loses the connection: nobody says goodbye.
    fn lose(self) {
        drop(self.0);
    }
}

async fn connect(server: &Running, path: &str) -> WebSocket<Transport> {
    let url = format!("ws://{}{path}", server.address);
    soon(Connector::new().no_proxy().connect(&url)).await.unwrap()
}

/// A client in the main namespace, which remembers what a client remembers.
struct Client {
    line: Line,
    sid: String,
    pid: Option<String>,
    offset: Option<String>,
}

impl Client {
    async fn join(server: &Running) -> Self {
        Self::join_with(server, "").await
    }

    async fn join_with(server: &Running, auth: &str) -> Self {
        let mut line = Line::open(server).await;
        line.say(&format!("0{auth}")).await;
        let (sid, pid) = joined(&line.next().await);
        Self { line, sid, pid, offset: None }
    }

    /// Comes back by another connection.
    async fn again(self, server: &Running) -> Self {
        let Self { line, pid, offset, .. } = self;
        line.lose();
        let auth = serde_json::json!({ "pid": pid, "offset": offset }).to_string();
        let client = Self::join_with(server, &auth).await;
        Self { offset, ..client }
    }

    async fn emit(&mut self, event: &str, data: &str) {
        self.line.say(&format!("2[{event:?},{data}]")).await;
    }

    /// The next event, of which its offset is remembered.
    async fn hears(&mut self) -> String {
        let (event, offset) = self.line.event().await;
        self.offset = offset.or(self.offset.take());
        event.to_string()
    }

    /// Asks something that the server answers at once, so that what was said before has been done.
    async fn is_served(&mut self) {
        self.line.say("299[\"served\"]").await;
        let packet = self.line.next().await;
        assert!(packet.starts_with("399["), "{packet} came before the answer");
    }
}

fn joined(packet: &str) -> (String, Option<String>) {
    let at = packet.find('{').unwrap_or_else(|| panic!("{packet}"));
    assert!(packet.starts_with('0'), "{packet}");
    let hello: Value = serde_json::from_str(&packet[at..]).unwrap();
    let text = |name: &str| hello[name].as_str().map(str::to_owned);
    (text("sid").unwrap(), text("pid"))
}

/// Handlers that join rooms and say things in them.
fn chat() -> Handlers {
    Handlers::new()
        .on("served", async |_cx, (): ()| true)
        .on("join", async |cx, room: String| cx.join(&room).await)
        .on("leave", async |cx, room: String| {
            cx.leave(&room);
        })
        .on("say", async |cx, (room, text): (String, Value)| cx.to(&room).emit("said", &text).await)
        .on("all", async |cx, text: Value| cx.namespace().everybody().emit("said", &text).await)
        .on("either", async |cx, (a, b, text): (String, String, Value)| {
            cx.namespace().to(&a).to(&b).emit("said", &text).await
        })
        .on("me", async |cx, text: Value| cx.emit("you", &text))
        .on("volatile", async |cx, text: String| cx.emit_volatile("typing", &text))
}
