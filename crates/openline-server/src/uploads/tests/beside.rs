//! What goes on beside files.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use ::http::Request;
use openline_ws::proto::handshake::Agreed;
use openline_ws::proto::{Connection, Role, Timestamp};
use openline_ws::{Config, WebSocket};
use serde_json::{Value, json};
use tokio::io::DuplexStream;

use super::bytes;
use crate::node::{self, Node};
use crate::shard::{self, Shard};
use crate::transport::{enter, websocket};

/// A client's line on this shard, without a socket.
async fn line(node: &Arc<Node>, shard: &Arc<Shard>) -> WebSocket<DuplexStream> {
    let (server, client) = tokio::io::duplex(64 << 10);
    let config = Arc::new(Config { mask_source: Some(|| [0; 4]), ..Config::default() });
    let connection = |role| Connection::new(role, config.clone(), None, Timestamp(0));
    let ws = WebSocket::from_parts(server, connection(Role::Server), Agreed::default(), Vec::new());
    let request = Request::builder().uri("/ws").body(()).unwrap();
    let address = IpAddr::from([127, 0, 0, 1]);
    let visitor = enter(node, &request, address).await.ok().unwrap();
    websocket::spawn(ws, visitor, shard.clone(), node.clone());
    WebSocket::from_parts(client, connection(Role::Client), Agreed::default(), Vec::new())
}

async fn ask(ws: &mut WebSocket<DuplexStream>, message: Value) -> Value {
    ws.send(message.to_string()).await.unwrap();
    ws.flush().await.unwrap();
    loop {
        let came = ws.recv().await.unwrap().expect("the line is open");
        let came: Value = serde_json::from_str(came.as_text().unwrap()).unwrap();
        if came["id"] == message["id"] {
            return came;
        }
    }
}

#[tokio::test]
async fn other_lines_talk_on_while_the_disk_is_stuck() {
    let input = shard::inputs(NonZeroUsize::MIN).remove(0);
    let shard = input.shard.clone();
    // A shard to which no connections can come any more stops.
    let _connections = input.connections.clone();
    let node = Arc::new(node::for_test([shard.clone()].into()));
    tokio::spawn(shard::run(input, node.clone()));
    let mut sender = line(&node, &shard).await;
    let mut other = line(&node, &shard).await;
    let begun = ask(&mut sender, json!({ "type": "upload", "id": 1, "name": "a" })).await;
    let upload = begun["data"]["upload"].clone();

    let faults = node.uploads.shared.directory.faults.clone();
    faults.set_stuck(true);
    // More than the line's window: the server stops to read from it. It is let go below.
    let data = bytes(192 << 10);
    let sending = tokio::spawn(async move {
        use base64::Engine as _;
        let text = base64::engine::general_purpose::STANDARD.encode(&data);
        for index in 0..8 {
            let chunk = json!({
                "type": "chunk", "upload": upload, "offset": index * data.len(),
                "data": text, "encoding": "base64",
            });
            sender.send(chunk.to_string()).await.unwrap();
            sender.flush().await.unwrap();
        }
        let complete = json!({ "type": "complete", "id": 2, "upload": upload });
        ask(&mut sender, complete).await
    });
    for round in 0..20 {
        let published = json!({ "type": "publish", "id": round, "channel": "news", "data": 1 });
        assert_eq!(ask(&mut other, published).await["type"], "published");
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let waiting = super::super::WAITING_BYTES_MAX - node.uploads.waiting.available_permits();
    assert!(waiting > 0 && waiting <= super::super::WINDOW as usize, "{waiting}");
    assert!(!sending.is_finished());
    faults.set_stuck(false);
    assert_eq!(sending.await.unwrap()["data"]["size"], 8 * (192 << 10));
}
