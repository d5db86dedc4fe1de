//! WebSockets: a frame for each packet, from the first on or when a client changes over from polls.

use std::sync::Arc;

use ::http::Request;
use bytestring::ByteString;
use openline_protocol::close;
use openline_ws::{Config, Message as Frame, Reader, Rejection, Sender, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::Connection;
use super::entry::{Wanted, check};
use super::mounts::Mounted;
use super::outlet::{Carrier, Outlet};
use super::packet::{PROBE_ANSWER, Packet, open_packet};
use super::refusal::{Refusal, forbidden};
use super::{Ended, Message};
use crate::connection::{Site, catch_panic};
use crate::guard::Kind;
use crate::transport::{Visitor, enter_as};

/// A client that was let in with a WebSocket.
pub(crate) struct Guest {
    mounted: Arc<Mounted>,
    errand: Errand,
}

enum Errand {
    /// A connection begins.
    Begin(Box<(Visitor, Request<()>)>),
    /// One that is there changes over.
    Upgrade(Arc<Connection>),
}

/// Lets a client in whose host and origin are checked.
pub(crate) async fn enter<B>(
    mounted: &Arc<Mounted>,
    request: &Request<B>,
    site: &Site,
) -> Result<Guest, Rejection> {
    let errand = match check(request, mounted, &site.node, true)? {
        Wanted::Known(connection) => Errand::Upgrade(connection),
        Wanted::Elsewhere(_) => return Err(Refusal::SessionUnknown.into()),
        Wanted::New => {
            let head = head(request);
            let Site { node, peer, .. } = site;
            let visitor = enter_as(node, &head, *peer, Kind::New, "websocket").await;
            Errand::Begin(Box::new((visitor.map_err(forbidden)?, head)))
        }
    };
    Ok(Guest { mounted: mounted.clone(), errand })
}

impl Guest {
    /// The settings of its line.
    pub(crate) fn config(&self) -> Arc<Config> {
        self.mounted.terms().line.clone()
    }

    /// Serves an open line in a task of its own, which is as small as it can be.
    pub(crate) fn spawn<S>(self, ws: WebSocket<S>, site: &Site)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (reader, sender) = ws.split_with(site.node.settings().queue_options.clone());
        match self.errand {
            Errand::Begin(begun) => {
                let (visitor, request) = *begun;
                let begin = |outlet: &Outlet| {
                    let open = open_packet(outlet.sid, "", &outlet.terms.options);
                    // A line that has gone already is found by its reader.
                    let _ = sender.try_send(open);
                };
                let carrier = Carrier::WebSocket(sender.clone());
                let connection =
                    Connection::open(&self.mounted, site, visitor, request, carrier, begin);
                drop(tokio::spawn(serve(reader, connection)));
            }
            Errand::Upgrade(connection) => {
                drop(tokio::spawn(upgrade(reader, sender, connection)));
            }
        }
    }
}

/// The request without its body.
fn head<B>(request: &Request<B>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.headers_mut() = request.headers().clone();
    head
}

async fn serve<S>(mut reader: Reader<S>, connection: Arc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match catch_panic(converse(&mut reader, &connection)).await {
        Ok(ended) => connection.outlet.end(ended),
        Err(_) => connection.outlet.panicked(),
    }
    // Boxed as all that is rare: the task of an idle line is as large as its largest state.
    Box::pin(take_leave(reader, connection)).await;
}

async fn converse<S>(reader: &mut Reader<S>, connection: &Connection) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let frame = match reader.recv().await {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ended::TransportClose,
            Err(_) => return Ended::TransportError,
        };
        connection.outlet.node.metrics.received(frame.as_bytes().len());
        let packet = match frame {
            Frame::Binary(data) => Packet::Message(Message::Binary(data)),
            Frame::Text(text) => match Packet::parse(&text) {
                Ok(packet) => packet,
                Err(_) => return Ended::ParseError,
            },
        };
        // Boxed: the task of an idle line is as large as its largest state.
        Box::pin(connection.handle_packet(packet)).await;
        if connection.outlet.ended().is_some() {
            // The first reason counts.
            return Ended::ForcedClose;
        }
        // One read brings thousands of short packets, and the thread has other lines.
        tokio::task::consume_budget().await;
    }
}

async fn take_leave<S>(mut reader: Reader<S>, connection: Arc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let node = connection.outlet.node.clone();
    connection.finish().await;
    while let Ok(Some(_)) = reader.recv().await {}
    node.metrics.line_closed(reader.closed().map(|closed| closed.reason.code.0));
}

/// Serves a line that is to take a connection over from polls.
async fn upgrade<S>(mut reader: Reader<S>, sender: Sender, connection: Arc<Connection>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if Box::pin(try_out(&mut reader, &sender, &connection)).await {
        drop(sender);
        return serve(reader, connection).await;
    }
    drop(connection);
    // The polls go on, if they were there.
    let _ = sender.close(close::NORMAL, "");
    while let Ok(Some(_)) = reader.recv().await {}
}

/// Tries the line out; false if it does not take the connection over.
async fn try_out<S>(reader: &mut Reader<S>, sender: &Sender, connection: &Connection) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if !connection.outlet.try_out(sender) {
        return false;
    }
    let within = connection.outlet.terms.options.upgrade_timeout;
    let mut is_probed = false;
    let probing = async {
        while let Ok(Some(Frame::Text(text))) = reader.recv().await {
            match Packet::parse(&text) {
                Ok(Packet::Probe) => {
                    is_probed = true;
                    let _ = sender.try_send(Frame::Text(ByteString::from_static(PROBE_ANSWER)));
                    connection.outlet.answer_probe();
                }
                Ok(Packet::Upgrade) => return is_probed && connection.outlet.change_over(sender),
                _ => return false,
            }
        }
        false
    };
    let is_upgraded = tokio::time::timeout(within, probing).await.unwrap_or(false);
    if !is_upgraded {
        connection.outlet.abandon();
    }
    is_upgraded
}

impl Outlet {
    /// A WebSocket is to be tried out; false if the connection has one, or is trying one, or has
    /// ended.
    fn try_out(&self, sender: &Sender) -> bool {
        let mut state = self.state();
        let has_ended = state.ended.is_some();
        match &mut state.carrier {
            Carrier::Polling(polling) => !has_ended && polling.try_out(sender),
            Carrier::WebSocket(_) => false,
        }
    }

    fn answer_probe(&self) {
        if let Carrier::Polling(polling) = &mut self.state().carrier {
            polling.answer_probe();
        }
    }

    fn abandon(&self) {
        if let Carrier::Polling(polling) = &mut self.state().carrier {
            polling.abandon_probe();
        }
    }

    /// The WebSocket carries the connection from here on: what waits for a poll goes first. False if
    /// the connection has ended meanwhile.
    fn change_over(&self, sender: &Sender) -> bool {
        let mut state = self.state();
        if state.ended.is_some() {
            return false;
        }
        let Carrier::Polling(polling) = &mut state.carrier else { return false };
        let letters = polling.hand_over();
        self.node.metrics.session_closed(state.carrier.transport());
        state.carrier = Carrier::WebSocket(sender.clone());
        self.node.metrics.session_opened(state.carrier.transport());
        let mut taken = Ok(());
        for letter in letters {
            taken = taken.and_then(|()| sender.try_send(letter.into_frame()));
        }
        drop(state);
        if taken.is_err() {
            self.close(close::SLOW_CONSUMER, "slow consumer");
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F: Future>(
        _: impl FnOnce(Reader<tokio::net::TcpStream>, Arc<Connection>) -> F,
    ) -> usize {
        size_of::<F>()
    }

    #[test]
    fn an_idle_connection_is_small() {
        let task = size(serve);
        assert!(task <= 256, "{task} bytes");
        let state = size_of::<Connection>() + size_of::<Outlet>();
        assert!(state <= 256, "{state} bytes");
    }
}
