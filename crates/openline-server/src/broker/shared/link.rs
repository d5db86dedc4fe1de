//! [`SharedLink`]: the way to the other nodes that share the broker.

use bytes::Bytes;
use openline_protocol::ChannelName;

use super::queue::{Command, Desk, Ticket};
use crate::broker::{Link, NodeId};

/// What is said goes the way of publications, and is dropped where those are refused.
pub(super) struct SharedLink {
    desk: Desk,
}

impl SharedLink {
    pub(super) fn new(desk: Desk) -> Self {
        Self { desk }
    }

    fn say(&self, said: Bytes, command: impl FnOnce(Bytes, Ticket) -> Command) {
        if let Some(ticket) = self.desk.ticket(said.len()) {
            self.desk.say(command(said, ticket));
        }
    }
}

impl Link for SharedLink {
    fn emit(&self, channel: &ChannelName, said: Bytes) {
        let channel = channel.clone();
        self.say(said, |said, ticket| Command::Emit { channel, said, ticket });
    }

    fn cast(&self, said: Bytes) {
        self.say(said, |said, ticket| Command::Cast { said, ticket });
    }

    fn tell(&self, node: NodeId, said: Bytes) {
        self.say(said, |said, ticket| Command::Tell { node, said, ticket });
    }
}
