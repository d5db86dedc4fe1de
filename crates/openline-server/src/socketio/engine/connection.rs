//! [`Connection`]: one client, whatever carries its packets, and what stands on it.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, timeout_at};

use super::mounts::Mounted;
use super::outlet::{Carrier, Outlet};
use super::packet::Packet;
use super::{Arrival, Ended, Message, Upper};
use crate::connection::{Site, catch_panic};
use crate::transport::Visitor;
use ::http::Request;

/// How long a POST waits for the polls of a client that takes less than it asks for. Then
/// `limits.queue` decides.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a POST waits for handlers that are at work on what came before: they answer soon, or wait for
/// something themselves, which nobody else is to wait for.
const HANDLERS_PATIENCE: Duration = Duration::from_secs(2);

/// A client.
pub(super) struct Connection {
    pub(super) outlet: Arc<Outlet>,
    /// Held while a message is worked on; none once it was told of the end. A line or a POST, on
    /// whatever thread, waits for the one before it.
    upper: Mutex<Option<Box<dyn Upper>>>,
}

impl Connection {
    /// A client comes. What `begin` says to the carrier goes before all else.
    pub(super) fn open(
        mounted: &Mounted,
        site: &Site,
        visitor: Visitor,
        request: Request<()>,
        carrier: Carrier,
        begin: impl FnOnce(&Outlet),
    ) -> Arc<Self> {
        let Site { shard, node, .. } = site;
        let client = visitor.client.clone();
        let outlet = Arc::new(Outlet::new(&mounted.terms(), (node, shard), client, carrier));
        begin(&outlet);
        let upper = mounted.mount.open(Arrival {
            visitor,
            request,
            outlet: outlet.clone(),
            shard: shard.clone(),
            node: node.clone(),
        });
        let connection = Arc::new(Self { outlet, upper: Mutex::new(Some(upper)) });
        Outlet::enlist(&connection);
        connection
    }

    /// Does what a POST says, packet by packet, as fast as the client takes what comes of it.
    pub(super) async fn handle(&self, packets: Vec<Packet>) {
        let mut upper = self.upper.lock().await;
        let begun = Instant::now();
        for event in with_attachments(packets) {
            let bytes = event.iter().map(Packet::bytes).sum();
            let worked = poll_fn(|cx| self.outlet.poll_worked(bytes, cx));
            let _ = timeout_at(begun + HANDLERS_PATIENCE, worked).await;
            let room = poll_fn(|cx| self.outlet.poll_room(bytes, cx));
            let _ = timeout_at(begun + PATIENCE, room).await;
            for packet in event {
                self.handle_one(&mut upper, packet).await;
            }
        }
    }

    /// Does what a packet of a WebSocket says. Its line is not read while much waits for it.
    pub(super) async fn handle_packet(&self, packet: Packet) {
        let mut upper = self.upper.lock().await;
        self.handle_one(&mut upper, packet).await;
    }

    async fn handle_one(&self, upper: &mut MutexGuard<'_, Option<Box<dyn Upper>>>, packet: Packet) {
        if self.outlet.ended().is_some() {
            return;
        }
        match (packet, upper.as_mut()) {
            (Packet::Message(message), Some(upper)) => upper.receive(message).await,
            (Packet::Message(_), None) | (Packet::Noop, _) => {}
            (Packet::Pong, _) => self.outlet.pong(),
            (Packet::Close, _) => self.outlet.end(Ended::TransportClose),
            (Packet::Probe | Packet::Upgrade, _) => self.outlet.end(Ended::ParseError),
        }
    }

    /// Whether a message is being worked on, or is on its way by a POST.
    pub(super) fn is_busy(&self) -> bool {
        self.upper.try_lock().is_err() || self.outlet.is_posting()
    }

    /// Tells what stands on the connection that it has ended, and lets go of it.
    pub(super) async fn finish(self: Arc<Self>) {
        self.outlet.withdraw();
        let Some(reason) = self.outlet.ended() else { return };
        let Some(mut upper) = self.upper.lock().await.take() else { return };
        self.outlet.node.metrics.session_closed(self.outlet.transport());
        if catch_panic(async move { upper.closed(reason) }).await.is_err() {
            self.outlet.panicked();
        }
    }
}

/// Binary messages are parts of the text before them, which is worked on when the last one is there.
fn with_attachments(packets: Vec<Packet>) -> Vec<Vec<Packet>> {
    let mut events: Vec<Vec<Packet>> = Vec::new();
    for packet in packets {
        match events.last_mut() {
            Some(event) if matches!(packet, Packet::Message(Message::Binary(_))) => {
                event.push(packet)
            }
            _ => events.push(vec![packet]),
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_go_with_the_text_before_them() {
        let text = || Packet::Message(Message::Text("text".into()));
        let data = || Packet::Message(Message::Binary((&[1, 2][..]).into()));
        let packets = vec![data(), text(), data(), data(), Packet::Pong, text()];
        let events = [vec![data()], vec![text(), data(), data()], vec![Packet::Pong], vec![text()]];
        assert_eq!(with_attachments(packets), events);
    }
}
