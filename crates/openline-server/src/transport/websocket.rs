//! `/ws`: protocol v1 over WebSocket.

use std::any::{Any, TypeId};
use std::io;
use std::sync::Arc;

use openline_protocol::{Format, close};
use openline_ws::{
    CloseReason, Config, Limits, QueueOptions, Reader, Received, SlowConsumer, Timeouts, WebSocket,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::Visitor;
use crate::config::{self, Config as ServerConfig};
use crate::connection::catch_panic;
use crate::exchange::{Ending, Line};
use crate::metrics::Transport;
use crate::node::Node;
use crate::session::{Arrival, Baggage, Moving, Session};
use crate::shard::{Parked, Shard};

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
    let format = format_of(&ws);
    let (reader, sender) = ws.split_with(node.settings().queue_options.clone());
    let line = Line::WebSocket { sender, format };
    let Visitor { client, address, slot, identity } = visitor;
    let transport = Transport::WebSocket;
    let (slot, client) = (Some(slot), Some(client));
    let handlers = node.operator.doors.exchange();
    let arrival = Arrival { transport, line, identity, slot, client, address, handlers };
    let session = Session::open(&node, &shard, arrival);
    if TypeId::of::<S>() == TypeId::of::<TcpStream>()
        && let Some(seat) = shard.hub().line_mut(session.key)
    {
        seat.can_move = true;
    }
    drop(run(reader, session));
}

/// Goes on with the line of another process, once nothing keeps it waiting.
pub(crate) async fn resume(
    moving: Moving,
    shard: &Arc<Shard>,
    node: &Arc<Node>,
) -> io::Result<Parked> {
    let Moving { stream, baggage, slot } = moving;
    let stream = TcpStream::from_std(stream)?;
    let settings = node.settings();
    let ws = baggage.line(stream, settings.line_settings.clone());
    let format = format_of(&ws);
    let (reader, sender) = ws.split_with(settings.queue_options.clone());
    let line = Line::WebSocket { sender, format };
    let session = Box::new(Session::resume(node, shard, line, slot, baggage).await);
    if let Some(seat) = shard.hub().line_mut(session.key) {
        seat.can_move = true;
    }
    Ok(Parked { reader, session })
}

/// Serves a line that has been welcomed, in a task of its own.
pub(crate) fn go_on(Parked { reader, session }: Parked) {
    tokio::spawn(serve(reader, session, false));
}

/// Tells the client of a line that nobody goes on with to come back, and ends it.
pub(crate) async fn turn_away(stream: std::net::TcpStream, baggage: Baggage, node: Arc<Node>) {
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let ws = baggage.line(stream, node.settings().line_settings.clone());
    let format = format_of(&ws);
    let (mut reader, sender) = ws.split();
    let ending = Ending::new(close::SERVICE_RESTART, "server stops");
    Line::WebSocket { sender, format }.end(ending);
    while let Ok(Some(_)) = reader.recv().await {}
    node.metrics.line_closed(reader.closed().map(|closed| closed.reason.code.0));
}

fn format_of<S>(ws: &WebSocket<S>) -> Format {
    let chosen = PROTOCOLS.iter().find(|(name, _)| ws.protocol() == Some(name));
    chosen.map_or(Format::Json, |(_, format)| *format)
}

/// Serves the line of a session that has begun, in a task of its own.
pub(crate) fn run<S>(reader: Reader<S>, session: Session) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Boxed, because a future holds what it was given once more as what it works with.
    tokio::spawn(serve(reader, Box::new(session), true))
}

async fn serve<S>(mut reader: Reader<S>, mut session: Box<Session>, is_new: bool)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if is_new {
        Box::pin(session.welcome()).await;
    }
    match catch_panic(converse(&mut reader, &mut session)).await {
        // By a function that is not async, and a task of its own where that is in vain: this one is
        // as large as all that it may hold.
        Ok(Ended::Interrupted) => return park_or_go_on(reader, session),
        Ok(Ended::Closed) => {}
        Err(_) => {
            session.node.metrics.panicked();
            session.node.log.panicked(&session.client);
            session.line.close(close::INTERNAL_ERROR, "internal error");
            // Boxed as all that is rare: the task of an idle line is as large as its largest state.
            Box::pin(async { while let Ok(Some(_)) = reader.recv().await {} }).await;
        }
    }
    let closed = reader.closed();
    if let Some(closed) = &closed {
        session.will_go(Some(closed.reason.code.0), &closed.reason.text);
    }
    session.node.metrics.line_closed(closed.map(|closed| closed.reason.code.0));
}

fn park_or_go_on<S>(reader: Reader<S>, session: Box<Session>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    if let Err((reader, session)) = park(reader, session) {
        tokio::spawn(serve(reader, session, false));
    }
}

/// Why a line is not read any more.
enum Ended {
    Closed,
    Interrupted,
}

/// Handles what the line brings, until it ends.
async fn converse<S>(reader: &mut Reader<S>, session: &mut Session) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        // An error has been told to the peer and is the line's end, as a close is.
        let message = match reader.recv_or_interrupt().await {
            Ok(Received::Message(message)) => message,
            Ok(Received::Interrupted) => return Ended::Interrupted,
            Ok(Received::Closed) | Err(_) => return Ended::Closed,
        };
        if let Some(rest) = session.receive(message) {
            rest.await;
        }
    }
}

/// Leaves the line to whoever takes lines to another process.
///
/// # Errors
/// The line, where nobody does or it is at work: go on with it.
fn park<S>(reader: Reader<S>, session: Box<Session>) -> Result<(), (Reader<S>, Box<Session>)>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    if !reader.is_quiet() || !session.is_quiet() {
        return Err((reader, session));
    }
    let shard = session.shard.clone();
    let mut line = Some((reader, session));
    let plain: &mut dyn Any = &mut line;
    if let Some(plain) = plain.downcast_mut::<Option<(Reader<TcpStream>, Box<Session>)>>()
        && let Some((reader, session)) = plain.take()
    {
        let parked = shard.departures.park(Parked { reader, session });
        *plain = parked.err().map(|Parked { reader, session }| (reader, session));
    }
    line.map_or(Ok(()), Err)
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

    fn size<F: Future>(_: impl FnOnce(Reader<TcpStream>, Box<Session>, bool) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_task_of_an_idle_line_is_small() {
        assert!(size(serve) <= 128, "{} bytes", size(serve));
    }
}
