//! A server that is played by the test, over lines in memory.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::io;
use std::sync::Arc;

use openline_client::{Client, ClientBuilder};
use openline_ws::{Message, WebSocket};
use serde_json::{Value, json};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::{Mutex, mpsc};

/// The server's end of the lines that a client opens.
pub(crate) struct Script {
    pub(crate) lines: mpsc::Receiver<DuplexStream>,
}

pub(crate) struct Line(pub(crate) WebSocket<DuplexStream>);

/// A client, and its server.
pub(crate) fn client() -> (ClientBuilder, Script) {
    let (sender, lines) = mpsc::channel(16);
    let sender = Arc::new(Mutex::new(sender));
    let open = move || {
        let sender = sender.clone();
        async move {
            let (ours, theirs) = duplex(64 * 1024);
            let sent = sender.lock().await.send(theirs).await;
            sent.map_err(|_| io::Error::other("the script is over")).map(|()| ours)
        }
    };
    (Client::builder("ws://script/ws").unwrap().over(open), Script { lines })
}

impl Script {
    pub(crate) async fn accept(&mut self) -> Line {
        let stream = self.lines.recv().await.unwrap();
        let pending = openline_ws::accept(stream).await.unwrap();
        Line(pending.accept().await.unwrap())
    }

    /// Takes the next line if the client offers this subprotocol and no other, and agrees to it.
    pub(crate) async fn accept_as(&mut self, protocol: &str) -> WebSocket<DuplexStream> {
        let stream = self.lines.recv().await.unwrap();
        let pending = openline_ws::accept(stream).await.unwrap();
        assert_eq!(pending.protocols(), [protocol]);
        pending.protocol(protocol).accept().await.unwrap()
    }

    pub(crate) async fn welcome(&mut self) -> Line {
        let mut line = self.accept().await;
        line.send(json!({"type": "welcome", "protocol": 1, "clientId": "c", "retrySpread": 1000}))
            .await;
        line
    }
}

impl Line {
    pub(crate) async fn send(&mut self, message: Value) {
        self.0.send(message.to_string()).await.unwrap();
    }

    /// The next message; none when the line has ended.
    pub(crate) async fn recv(&mut self) -> Option<Value> {
        match self.0.recv().await {
            Ok(Some(Message::Text(text))) => Some(serde_json::from_str(&text).unwrap()),
            Ok(Some(Message::Binary(_))) => panic!("JSON was agreed on"),
            Ok(None) | Err(_) => None,
        }
    }
}
