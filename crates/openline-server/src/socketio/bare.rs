//! [`Bare`]: endpoints of Engine.IO without Socket.IO on it, whose messages are whatever their handlers
//! make of them.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use openline_ws::Message as Frame;
use tokio::task::JoinHandle;

use super::engine::{Arrival, Ended, Message, Mount, Upper};
use crate::app::Endpoint;
use crate::exchange::Line;
use crate::metrics::Transport;
use crate::session::{self, Served, Session};

/// Makes a session of each connection.
pub(super) struct Bare(pub(super) Arc<Endpoint>);

/// A connection, which is one session.
struct Connection {
    session: Box<Session>,
    /// `on_connect`, until the first message has waited for it.
    greeting: Option<JoinHandle<()>>,
}

impl Mount for Bare {
    fn open(&self, arrival: Arrival) -> Box<dyn Upper> {
        let Arrival { visitor, outlet, shard, node, .. } = arrival;
        let session = Session::open(
            &node,
            &shard,
            session::Arrival {
                transport: Transport::SocketIo,
                line: Line::Engine(outlet),
                identity: visitor.identity,
                slot: Some(visitor.slot),
                client: Some(visitor.client),
                address: visitor.address,
                handlers: Some(Served { set: self.0.set.clone(), parameter: Box::default() }),
            },
        );
        let app = session.app().cloned();
        let line = session.line.clone();
        let greeting = node.operator.spawn(async move {
            let Some(app) = app else { return };
            if let Err(refusal) = app.connect().await {
                line.close(openline_protocol::close::POLICY_VIOLATION, refusal.message());
                app.note(Err(refusal));
            }
        });
        Box::new(Connection { session: Box::new(session), greeting: Some(greeting) })
    }
}

impl Upper for Connection {
    fn receive<'a>(
        &'a mut self,
        message: Message,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        let message = match message {
            Message::Text(text) => Frame::Text(text),
            Message::Binary(bytes) => Frame::Binary(bytes),
        };
        Box::pin(async move {
            if let Some(greeting) = self.greeting.take() {
                // One that panicked is told as such.
                let _ = greeting.await;
            }
            self.session.receive_and_wait(message).await;
        })
    }

    fn closed(&mut self, reason: Ended) {
        self.session.will_go(None, reason.as_str());
    }
}
