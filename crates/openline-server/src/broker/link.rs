//! [`Link`]: what the nodes of a cluster say to each other by way of their broker.

use std::fmt;

use bytes::Bytes;
use openline_protocol::ChannelName;

/// One run of one node: a node that was restarted is another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) u64);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The way to other nodes. What is said reaches them once or, when a connection breaks, not at all;
/// what one node says to the same listeners stays in order.
pub(crate) trait Link: Send + Sync {
    /// To the other nodes that listen to a channel.
    fn emit(&self, channel: &ChannelName, said: Bytes);

    /// To all other nodes.
    fn cast(&self, said: Bytes);

    /// To one other node.
    fn tell(&self, node: NodeId, said: Bytes);
}

/// Who hears what other nodes say. Nothing of one's own comes back.
pub(crate) trait Ear: Send + Sync {
    /// By [`Link::emit`].
    fn emitted(&self, from: NodeId, channel: ChannelName, said: Bytes);

    /// By [`Link::cast`] or [`Link::tell`].
    fn told(&self, from: NodeId, said: Bytes);

    /// Something that was said may have been missed; from here on all is heard again.
    fn interrupted(&self);
}
