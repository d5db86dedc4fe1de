//! Messages without an envelope.

use std::time::Duration;

use bytes::Bytes;
use openline_server::Server;
use openline_server::app::{Context, Handlers, Refusal};
use openline_ws::{Message, Transport, WebSocket};
use serde_json::{Value, json};

use super::config;
use super::support::{TestServer, soon};

fn serve(handlers: Handlers) -> TestServer {
    TestServer::with_handlers(config(), Server::builder().raw("/raw", handlers))
}

async fn next(line: &mut WebSocket<Transport>) -> Option<Message> {
    soon(line.recv()).await.unwrap()
}

async fn send(line: &mut WebSocket<Transport>, message: impl Into<Message>) {
    line.send(message).await.unwrap();
    line.flush().await.unwrap();
}

#[tokio::test]
async fn text_and_bytes_come_and_go_as_they_are() {
    let handlers = Handlers::new()
        .on_text(async |cx: Context, text: String| cx.send_text(text.to_uppercase()))
        .on_binary(async |cx: Context, bytes: Bytes| {
            cx.send_binary(bytes.iter().rev().copied().collect::<Vec<u8>>());
        });
    let server = serve(handlers);
    let mut line = server.line("/raw").await;
    send(&mut line, "{\"type\":").await;
    assert_eq!(next(&mut line).await, Some("{\"TYPE\":".into()));
    send(&mut line, &b"\x00\x01"[..]).await;
    assert_eq!(next(&mut line).await, Some(Message::Binary(Bytes::from_static(b"\x01\x00"))));
}

#[tokio::test]
async fn a_kind_without_its_handler_closes_with_1003() {
    let text = Handlers::new().on_text(async |cx: Context, text: String| cx.send_text(text));
    let server = serve(text);
    let mut line = server.line("/raw").await;
    send(&mut line, &b"x"[..]).await;
    assert_eq!(next(&mut line).await, None);
    let reason = &line.closed().unwrap().reason;
    assert_eq!((reason.code.0, &*reason.text), (1003, "text messages only"));
}

#[tokio::test]
async fn what_is_said_in_a_room_has_no_envelope_either() {
    let handlers = Handlers::new().on_connect(async |cx: Context| cx.join("r").await).on_text(
        async |cx: Context, text: String| {
            let value: Value = serde_json::from_str(&text).unwrap_or(json!(text));
            cx.to("r").emit("said", &value).await
        },
    );
    let server = serve(handlers);
    let (mut ann, mut ben) = (server.line("/raw").await, server.line("/raw").await);
    for (said, heard) in [("hello", "hello"), (r#"{"a":[1]}"#, r#"{"a":[1]}"#)] {
        // It is in the room once it was heard there.
        send(&mut ben, "I am here").await;
        assert_eq!(next(&mut ann).await, Some("I am here".into()));
        send(&mut ann, said).await;
        assert_eq!(next(&mut ben).await, Some(heard.into()));
    }
}

#[tokio::test]
async fn there_is_no_way_to_answer() {
    let handlers = Handlers::new().on_text(async |cx: Context, _: String| {
        let asked = cx.ask::<_, Value>("q", "?", Duration::from_secs(60)).await;
        cx.send_text(asked.unwrap_err().code());
        Ok::<_, Refusal>(())
    });
    let server = serve(handlers);
    let mut line = server.line("/raw").await;
    send(&mut line, "go").await;
    assert_eq!(next(&mut line).await, Some("unavailable".into()));
}
