//! `presence`, `setPresence` and `typing`.

use std::sync::Arc;

use openline_engine::{Broadcast, Typing};
use openline_protocol::{ChannelName, Data, ErrorCode, Fault, Id, Reply};

use super::Session;
use super::permission::not_subscribed;
use crate::auth::Action;
use crate::reload::Settings;

impl Session {
    pub(super) async fn presence(
        &mut self,
        channel: &ChannelName,
        after: Option<&str>,
        limit: Option<u32>,
        id: Option<&Id>,
        settings: &Settings,
    ) -> Result<(), Fault> {
        self.may_read(channel, Action::Presence, settings)?;
        let (page, _) = self.node.exchange.all_members(channel, after, limit).await;
        self.reply(&Reply::Presence {
            id,
            channel,
            members: &page.members,
            count: page.count,
            next: page.next.as_deref(),
        });
        Ok(())
    }

    /// In one channel, or in all that the client subscribes to.
    pub(super) fn set_presence(
        &self,
        channel: Option<&ChannelName>,
        status: Option<String>,
        data: Option<Data>,
        id: Option<&Id>,
    ) -> Result<(), Fault> {
        let channels: Vec<ChannelName> = match channel {
            Some(channel) if self.is_subscribed(channel) => vec![channel.clone()],
            Some(channel) => return Err(not_subscribed(channel)),
            None => self.shard.hub().subscriptions(self.key).cloned().collect(),
        };
        let status: Option<Arc<str>> = status.map(Arc::from);
        let exchange = &self.node.exchange;
        for channel in &channels {
            let due = exchange.update_member(channel, &self.client, |member| {
                if let Some(status) = &status {
                    member.status = Some(status.clone());
                }
                if let Some(data) = &data {
                    member.data = Some(data.clone());
                }
            });
            exchange.tell_change(channel, due);
        }
        if self.is_answered(id) {
            self.reply(&Reply::PresenceSet { id });
        }
        Ok(())
    }

    pub(super) fn typing(
        &self,
        channel: &ChannelName,
        is_typing: bool,
        id: Option<&Id>,
        settings: &Settings,
    ) -> Result<(), Fault> {
        if !settings.namespace(channel)?.typing {
            let message = format!("{channel} passes no typing on");
            return Err(Fault::new(ErrorCode::Forbidden, message));
        }
        if !self.is_subscribed(channel) {
            return Err(not_subscribed(channel));
        }
        let typing = Typing { channel: channel.clone(), member: self.member(), is_typing };
        let broadcast = Broadcast::Typing(Arc::new(typing));
        self.node.exchange.broadcast(channel, broadcast, Some(self.client.clone()));
        if self.is_answered(id) {
            self.reply(&Reply::TypingSent { id });
        }
        Ok(())
    }
}
