//! What becomes of what other nodes say.

use std::sync::Arc;

use openline_engine as engine;
use openline_protocol::ChannelName;

use super::Cluster;
use super::message::{Heartbeat, Message};
use crate::broker::NodeId;
use crate::node::Node;

impl Cluster {
    /// Something came by [`Link::cast`](crate::broker::Link::cast) or
    /// [`Link::tell`](crate::broker::Link::tell).
    pub(super) fn hear_told(&self, _node: &Arc<Node>, from: NodeId, message: Message) {
        match message {
            Message::Heartbeat(heartbeat) => self.hear_heartbeat(from, heartbeat),
            Message::Bye => {
                if self.peers().bye(from.0) {
                    self.peer_gone(from);
                }
            }
            _ => {}
        }
    }

    /// Something came by [`Link::emit`](crate::broker::Link::emit).
    pub(super) fn hear_emitted(&self, _from: NodeId, _channel: &ChannelName, _message: Message) {}

    fn hear_heartbeat(&self, from: NodeId, heartbeat: Heartbeat) {
        let now = self.clock.now_ms();
        let heard = self.peers().heard(from.0, heartbeat, now);
        if heard == engine::Heartbeat::New {
            self.peer_met(from);
        }
    }

    /// A node is heard for the first time, or for the first time since it was gone.
    fn peer_met(&self, _from: NodeId) {}

    /// A node has stopped, or is not heard any more.
    pub(super) fn peer_gone(&self, _from: NodeId) {}

    /// Something may have been missed: from all others, and by them.
    pub(super) fn begin_anew(&self) {}
}
