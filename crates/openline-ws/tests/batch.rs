//! Batches: what a channel has to say in one turn, written to many lines from one memory.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use openline_ws::proto::handshake::Agreed;
use openline_ws::proto::{Connection, Role};
use openline_ws::{
    Config, Error, Message, Prepared, PreparedBatch, QueueOptions, TrySendError, WebSocket,
};
use tokio::io::DuplexStream;

fn lines(pipe_bytes: usize) -> (WebSocket<DuplexStream>, WebSocket<DuplexStream>) {
    let (here, there) = tokio::io::duplex(pipe_bytes);
    let line = |io, role| {
        let config = Arc::new(Config {
            mask_source: (role == Role::Client).then_some(|| [1, 2, 3, 4]),
            ..Config::default()
        });
        let now = openline_ws::proto::Timestamp::default();
        let connection = Connection::new(role, config, None, now);
        WebSocket::from_parts(io, connection, Agreed::default(), Vec::new())
    };
    (line(here, Role::Server), line(there, Role::Client))
}

fn batch(texts: &[&str]) -> PreparedBatch {
    PreparedBatch::new(texts.iter().map(|text| Prepared::text(*text)).collect())
}

async fn receive(client: &mut WebSocket<DuplexStream>, count: usize) -> Result<Vec<String>, Error> {
    let mut texts = Vec::new();
    while texts.len() < count
        && let Some(Message::Text(text)) = client.recv().await?
    {
        texts.push(text.to_string());
    }
    Ok(texts)
}

#[tokio::test]
async fn a_batch_arrives_in_order_between_what_is_sent_before_and_after() {
    let (server, mut client) = lines(1 << 16);
    let (mut reader, sender) = server.split();
    let reading = tokio::spawn(async move { reader.recv().await });
    tokio::task::yield_now().await;
    sender.try_send("before").unwrap();
    sender.try_write_batch(&batch(&["1", "2", "3"])).unwrap();
    sender.try_send_batch(&batch(&["4"])).unwrap();
    sender.try_send("after").unwrap();
    let texts = receive(&mut client, 6).await.unwrap();
    assert_eq!(texts, ["before", "1", "2", "3", "4", "after"]);
    reading.abort();
}

#[tokio::test]
async fn a_batch_that_the_transport_takes_in_part_arrives_whole() {
    let (server, mut client) = lines(10);
    let (mut reader, sender) = server.split();
    let reading = tokio::spawn(async move { reader.recv().await });
    tokio::task::yield_now().await;
    sender.try_write_batch(&batch(&["first of them", "second of them"])).unwrap();
    assert!(sender.queued_bytes() > 0, "the rest waits");
    let texts = receive(&mut client, 2).await.unwrap();
    assert_eq!(texts, ["first of them", "second of them"]);
    reading.abort();
}

#[tokio::test]
async fn a_batch_for_a_line_that_does_not_read_is_refused_beyond_the_queue() {
    let (server, _client) = lines(10);
    let options = QueueOptions { bytes_max: 100, ..QueueOptions::default() };
    let (mut reader, sender) = server.split_with(options);
    let reading = tokio::spawn(async move { reader.recv().await });
    tokio::task::yield_now().await;
    let batch = batch(&["0123456789", "0123456789"]);
    sender.try_write_batch(&batch).unwrap();
    while sender.queued_bytes() < 60 {
        sender.try_write_batch(&batch).unwrap();
    }
    assert!(matches!(sender.try_write_batch(&batch), Err(TrySendError::Full)));
    reading.abort();
    let _ = reading.await;
    assert!(matches!(sender.try_write_batch(&batch), Err(TrySendError::Closed)));
}
