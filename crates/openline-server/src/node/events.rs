//! What happens to channels and clients, told to whoever wants to know.

use std::sync::Arc;

use openline_protocol::{ChannelName, Member};

use super::Node;
use crate::shard::Shard;
use crate::webhook::{Event, EventKind};

impl Node {
    /// A subscription begins on a thread.
    pub(crate) fn joined(&self, channel: &ChannelName, shard: &Shard, member: Option<Member>) {
        let effect = self.exchange.join(channel, shard.index, member);
        self.exchange.tell_change(channel, effect.change_due);
        if effect.turned {
            self.inform(EventKind::ChannelOccupied, || Event::channel_occupied(channel.as_str()));
        }
    }

    /// A subscription has ended.
    pub(crate) fn left(&self, channel: &ChannelName, shard: &Shard, client: &Arc<str>) {
        let effect = self.exchange.leave(channel, shard.index, client);
        self.exchange.tell_change(channel, effect.change_due);
        if effect.turned {
            self.inform(EventKind::ChannelVacated, || Event::channel_vacated(channel.as_str()));
        }
    }

    /// A client was let in.
    pub(crate) fn came(&self, client: &str, user: Option<&str>) {
        self.inform(EventKind::ClientConnected, || Event::client_connected(client, user));
    }

    /// A client is gone.
    pub(crate) fn gone(&self, client: &str, user: Option<&str>, reason: &str) {
        self.inform(EventKind::ClientGone, || Event::client_gone(client, user, reason));
    }

    fn inform(&self, kind: EventKind, event: impl FnOnce() -> Event) {
        if let Some(webhooks) = &self.settings().webhooks
            && webhooks.wants(kind)
        {
            webhooks.inform(event());
        }
    }
}
