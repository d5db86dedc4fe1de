//! [`Gateway`]: what stands on the Engine.IO connections of Socket.IO clients.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytestring::ByteString;
use openline_protocol::close;
use tokio::task::AbortHandle;

use super::engine::{Arrival, Ended, Message, Mount, Outlet, Upper};
use super::packet::{Arguments, Decoder, Kind, Packet};
use super::payload_bytes_max;
use super::returning::Returning;
use super::socket::Socket;
use crate::app::Payload;
use crate::config::SocketIo;
use crate::node::Node;
use crate::shard::Shard;
use crate::transport::Visitor;

/// Serves the namespaces of a node.
pub(super) struct Gateway {
    returning: Arc<Returning>,
}

/// A client's sockets, one for each namespace that it is in.
pub(super) struct Connection {
    pub(super) node: Arc<Node>,
    pub(super) shard: Arc<Shard>,
    pub(super) outlet: Arc<Outlet>,
    pub(super) returning: Arc<Returning>,
    /// With its place among the lines.
    pub(super) visitor: Visitor,
    decoder: Decoder,
    /// Each with which of the socket's connections this is.
    pub(super) sockets: Vec<(Arc<Socket>, u64)>,
    /// Ends the connection unless it asks for a namespace in time.
    deadline: Option<AbortHandle>,
    is_broken: bool,
}

impl Gateway {
    pub(super) fn new(settings: &SocketIo) -> Self {
        Self { returning: Arc::new(Returning::new(settings.recovery)) }
    }
}

impl Mount for Gateway {
    fn open(&self, arrival: Arrival) -> Box<dyn Upper> {
        let Arrival { visitor, outlet, shard, node, .. } = arrival;
        let (timeout, bytes_max) = {
            let settings = &node.settings().config.socketio;
            (settings.connect_timeout, payload_bytes_max(settings))
        };
        let waiting = outlet.clone();
        let deadline = node.operator.spawn(async move {
            tokio::time::sleep(timeout).await;
            waiting.close(close::POLICY_VIOLATION, "no CONNECT in time");
        });
        Box::new(Connection {
            node,
            shard,
            outlet,
            returning: self.returning.clone(),
            visitor,
            decoder: Decoder::new(bytes_max),
            sockets: Vec::new(),
            deadline: Some(deadline.abort_handle()),
            is_broken: false,
        })
    }
}

impl Upper for Connection {
    fn receive<'a>(
        &'a mut self,
        message: Message,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        let read = match message {
            Message::Text(text) => {
                self.node.metrics.received(text.len());
                self.decoder.handle_text(&text)
            }
            Message::Binary(data) => {
                self.node.metrics.received(data.len());
                self.decoder.handle_binary(data)
            }
        };
        Box::pin(async move {
            match read {
                Ok(Some(packet)) => self.handle(packet).await,
                Ok(None) => {}
                Err(malformed) => self.fail(&malformed.to_string()),
            }
        })
    }

    fn closed(&mut self, reason: Ended) {
        self.forget_deadline();
        let reason = if self.is_broken { Ended::ParseError } else { reason };
        for (socket, generation) in self.sockets.drain(..) {
            socket.lose(generation, reason);
        }
    }
}

impl Connection {
    async fn handle(&mut self, Packet { namespace, kind }: Packet) {
        self.sockets.retain(|(socket, generation)| socket.is_on(*generation));
        let socket = self.sockets.iter().find(|(socket, _)| socket.namespace() == &*namespace);
        let socket = socket.map(|(socket, _)| socket.clone());
        match (kind, socket) {
            (Kind::Connect { auth }, None) => self.connect(namespace, auth).await,
            (Kind::Connect { .. }, Some(_)) => self.fail("it is in the namespace already"),
            (Kind::Event { name, arguments, id }, Some(socket)) => {
                event(&self.outlet, &socket, (name, arguments), id).await;
            }
            (Kind::Ack { id, arguments }, Some(socket)) => {
                if let Some(client) = socket.client() {
                    // One that nobody waits for any more came too late.
                    client.asked.answer(id, Payload::from(arguments));
                }
            }
            (Kind::Disconnect, Some(socket)) => {
                self.sockets.retain(|(other, _)| !Arc::ptr_eq(other, &socket));
                socket.end("client namespace disconnect");
            }
            // One that was sent away may not know it yet.
            (Kind::Disconnect | Kind::Ack { .. }, None) => {}
            (Kind::Event { .. }, None) if self.has_been_in() => {}
            (Kind::Event { .. }, None) => self.fail("it is in no such namespace"),
        }
    }

    /// Whether it was in a namespace, so that what it says there may be late.
    fn has_been_in(&self) -> bool {
        self.deadline.is_none()
    }

    /// It is in a namespace, and has its time.
    pub(super) fn forget_deadline(&mut self) {
        if let Some(deadline) = self.deadline.take() {
            deadline.abort();
        }
    }

    /// What came is no packet, or none that may come now.
    fn fail(&mut self, why: &str) {
        self.is_broken = true;
        self.node.log.broken_packet(&self.visitor.client, why);
        self.outlet.close(close::INVALID_DATA, "parse error");
    }
}

async fn event(
    outlet: &Arc<Outlet>,
    socket: &Arc<Socket>,
    (name, arguments): (ByteString, Arguments),
    id: Option<u64>,
) {
    let Some(client) = socket.client() else { return };
    if let Err(refusal) = socket.take_event(&name) {
        return socket.answer(id, Err(refusal), &name);
    }
    let work = outlet.begin_work(arguments.bytes());
    let (to, event) = (socket.clone(), name.clone());
    let respond = Box::new(move |answer| {
        to.answer(id, answer, &event);
        drop(work);
    });
    client.dispatch(name, Payload::from(arguments), id.is_some(), respond).await;
}
