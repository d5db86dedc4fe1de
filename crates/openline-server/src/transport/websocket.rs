//! `/ws`: protocol v1 over WebSocket.

use std::sync::Arc;

use openline_protocol::{Format, close};
use openline_ws::{
    CloseCode, CloseReason, Config, Limits, QueueOptions, Reader, SlowConsumer, Timeouts, WebSocket,
};
use tokio::io::{AsyncRead, AsyncWrite};

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

/// The subprotocol to choose. A client that offers none, or none that is known, reads JSON.
pub(crate) fn protocol(offered: &[String]) -> Option<&'static str> {
    let known = |offer: &String| PROTOCOLS.iter().find(|(name, _)| offer == name);
    offered.iter().find_map(known).map(|(name, _)| *name)
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

/// Serves a line until it closes.
pub(crate) async fn serve<S>(ws: WebSocket<S>, visitor: Visitor, shard: Arc<Shard>, node: Arc<Node>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let chosen = PROTOCOLS.iter().find(|(name, _)| ws.protocol() == Some(name));
    let format = chosen.map_or(Format::Json, |(_, format)| *format);
    let (mut reader, sender) = ws.split_with(queue(&node.exchange.config));
    let line = Line::WebSocket { sender: sender.clone(), format };
    let Visitor { client, slot, identity } = visitor;
    let transport = Transport::WebSocket;
    let arrival = Arrival { transport, line, identity, slot: Some(slot), client: Some(client) };
    let mut session = Session::open(&node, &shard, arrival);
    Box::pin(session.welcome()).await;
    if catch_panic(converse(&mut reader, &mut session)).await.is_err() {
        node.metrics.panicked();
        let _ = sender.close(CloseCode::INTERNAL_ERROR, "internal error");
        while let Ok(Some(_)) = reader.recv().await {}
    }
    node.metrics.line_closed(reader.closed().map(|closed| closed.reason.code.0));
}

async fn converse<S>(reader: &mut Reader<S>, session: &mut Session)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        // An error has been told to the peer and is the line's end, as a close is.
        let Ok(Some(message)) = reader.recv().await else { return };
        session.receive(message).await;
    }
}

fn queue(config: &ServerConfig) -> QueueOptions {
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
