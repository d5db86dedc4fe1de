//! `/ws`: protocol v1 over WebSocket.

use std::sync::Arc;

use openline_protocol::{Format, close};
use openline_ws::{
    CloseReason, Config, Limits, QueueOptions, Reader, SlowConsumer, Timeouts, WebSocket,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::Visitor;
use crate::config::{self, Config as ServerConfig};
use crate::connection::catch_panic;
use crate::exchange::Line;
use crate::metrics::Transport;
use crate::node::Node;
use crate::session::{Arrival, Session};
use crate::shard::Shard;

/// The subprotocols, the best first, each with how its messages are written.
const PROTOCOLS: [(&str, Format); 2] =
    [("openline.v1.json", Format::Json), ("openline.v1.msgpack", Format::MessagePack)];

/// The subprotocol to choose, whatever the order in which they are offered. A client that offers
/// none, or none that is known, reads JSON.
pub(crate) fn protocol(offered: &[String]) -> Option<&'static str> {
    let known = PROTOCOLS.iter().find(|(name, _)| offered.iter().any(|offer| offer == name));
    known.map(|(name, _)| *name)
}

/// The settings of the lines.
pub(crate) fn settings(config: &ServerConfig) -> Arc<Config> {
    let bytes_max = config.limits.message.bytes();
    Arc::new(Config {
        limits: Limits {
            frame_bytes_max: bytes_max,
            message_bytes_max: bytes_max,
            ..Limits::default()
        },
        timeouts: Timeouts { write: Some(config.limits.queue_age), ..Timeouts::default() },
        ..Config::default()
    })
}

/// Serves a line until it closes, in a task of its own that is as small as it can be.
pub(crate) fn spawn<S>(ws: WebSocket<S>, visitor: Visitor, shard: Arc<Shard>, node: Arc<Node>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let chosen = PROTOCOLS.iter().find(|(name, _)| ws.protocol() == Some(name));
    let format = chosen.map_or(Format::Json, |(_, format)| *format);
    let (reader, sender) = ws.split_with(node.queue_options.clone());
    let line = Line::WebSocket { sender, format };
    let Visitor { client, address, slot, identity } = visitor;
    let transport = Transport::WebSocket;
    let (slot, client) = (Some(slot), Some(client));
    let handlers = node.operator.doors.exchange();
    let arrival = Arrival { transport, line, identity, slot, client, address, handlers };
    drop(run(reader, Session::open(&node, &shard, arrival)));
}

/// Serves the line of a session that has begun, in a task of its own.
pub(crate) fn run<S>(reader: Reader<S>, session: Session) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Boxed, because a future holds what it was given once more as what it works with.
    tokio::spawn(serve(reader, Box::new(session)))
}

async fn serve<S>(mut reader: Reader<S>, mut session: Box<Session>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    Box::pin(session.welcome()).await;
    if catch_panic(converse(&mut reader, &mut session)).await.is_err() {
        session.node.metrics.panicked();
        session.node.log.panicked(&session.client);
        session.line.close(close::INTERNAL_ERROR, "internal error");
        // Boxed as all that is rare: the task of an idle line is as large as its largest state.
        Box::pin(async { while let Ok(Some(_)) = reader.recv().await {} }).await;
    }
    let closed = reader.closed();
    if let Some(closed) = &closed {
        session.will_go(Some(closed.reason.code.0), &closed.reason.text);
    }
    session.node.metrics.line_closed(closed.map(|closed| closed.reason.code.0));
}

async fn converse<S>(reader: &mut Reader<S>, session: &mut Session)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        // An error has been told to the peer and is the line's end, as a close is.
        let Ok(Some(message)) = reader.recv().await else { return };
        if let Some(rest) = session.receive(message) {
            rest.await;
        }
    }
}

/// What may wait for a line.
pub(crate) fn queue(config: &ServerConfig) -> QueueOptions {
    let slow_consumer = match config.limits.slow_consumer {
        config::SlowConsumer::Close => {
            SlowConsumer::Close(CloseReason::new(close::SLOW_CONSUMER, "slow consumer"))
        }
        // The subscription pauses; its channel's history is what waits for it.
        config::SlowConsumer::Gap | config::SlowConsumer::Conflate => SlowConsumer::Refuse,
    };
    let bytes_max = usize::try_from(config.limits.queue.bytes()).unwrap_or(usize::MAX);
    QueueOptions { bytes_max, slow_consumer }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F: Future>(_: impl FnOnce(Reader<tokio::net::TcpStream>, Box<Session>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_task_of_an_idle_line_is_small() {
        assert!(size(serve) <= 128, "{} bytes", size(serve));
    }
}
