//! Telling subscribers who comes, goes and changes.

use std::sync::Arc;
use std::time::Duration;

use openline_engine::{Broadcast, Change, MemberPage, PresenceChange};
use openline_protocol::{ChannelName, Member};

use super::Exchange;
use crate::cluster::{Answer, Name, Question};

impl Exchange {
    /// A part of a channel's members, whether or not somebody subscribes to it here; with the names of
    /// nodes that did not tell in time.
    pub(crate) async fn all_members(
        &self,
        channel: &ChannelName,
        after: Option<&str>,
        limit: Option<u32>,
    ) -> (MemberPage, Vec<String>) {
        let here = self.members(channel, after, limit);
        let is_here = || self.interest.with_roster(channel, |_| ()).is_some();
        let Some(cluster) = self.cluster.as_ref().filter(|_| !is_here()) else {
            return (here, Vec::new());
        };
        let most = self.page_limit(limit);
        let (channel, after) = (Name(channel.clone()), after.map(Arc::from));
        // One more than asked for tells whether there is a next page.
        let question = Question::Members { channel, after, count: most + 1 };
        let told = cluster.inquire(question).await;
        (merged(told.answers, most as usize), told.missing)
    }

    /// A subscription goes on that began in another process: as [`Exchange::join`], and nobody is told.
    pub(crate) fn restore(&self, channel: &ChannelName, shard: u16, member: Option<Member>) {
        self.interest.stripe(channel).restore(channel, shard, member);
    }

    /// Members of another process of whom those here have heard are not there any more.
    pub(crate) fn dismiss(self: &Arc<Self>, channel: &ChannelName, members: Vec<Member>) {
        let now = self.clock.now_ms();
        for member in members {
            let effect = self.interest.stripe(channel).dismiss(channel, member, now);
            self.tell_change(channel, effect.change_due);
        }
    }

    /// Tells at once what changed among the members of all channels, and says who is there.
    pub(crate) fn settle_members(&self) -> Vec<(ChannelName, Vec<Member>)> {
        let mut there = Vec::new();
        for (channel, change, members) in self.interest.settle() {
            if let Some(change) = change {
                self.push_change(&channel, change);
            }
            there.push((channel, members));
        }
        there
    }

    /// A member of a channel that has members here.
    pub(crate) fn member(&self, channel: &ChannelName, client: &str) -> Option<Member> {
        self.interest.with_roster(channel, |roster| roster.member(client)).flatten()
    }

    /// Has the change that is due at `due_ms` told then. One task for each channel and moment: what
    /// changes until then is told with it.
    pub(crate) fn tell_change(self: &Arc<Self>, channel: &ChannelName, due_ms: Option<u64>) {
        let Some(due_ms) = due_ms else { return };
        let (exchange, channel) = (self.clone(), channel.clone());
        tokio::spawn(async move {
            loop {
                let wait_ms = due_ms.saturating_sub(exchange.clock.now_ms());
                if wait_ms == 0 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            }
            let change = {
                let now = exchange.clock.now_ms();
                exchange.interest.stripe(&channel).poll_change(&channel, now)
            };
            if let Some(change) = change {
                exchange.push_change(&channel, change);
            }
        });
    }

    fn push_change(&self, channel: &ChannelName, change: Change) {
        if !self.settings().namespace(channel).is_ok_and(|options| options.presence_push) {
            return;
        }
        // Who has come knows that; it is told once there is more to tell.
        let alone = change.updated.is_empty() && change.left.is_empty();
        let except = match &change.joined[..] {
            [joined] if alone && change.complete => Some(joined.client_id.clone()),
            _ => None,
        };
        let change = PresenceChange { channel: channel.clone(), change };
        self.broadcast_here(channel, Broadcast::Presence(Arc::new(change)), except);
    }
}

/// The members of all nodes, as far as all have told theirs.
fn merged(answers: Vec<Answer>, most: usize) -> MemberPage {
    let mut page = MemberPage::default();
    for answer in answers {
        let Answer::Members { members, count, until } = answer else { continue };
        page.count += count;
        page.members.extend(members.into_iter().map(Member::from));
        page.next = match (page.next, until) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    page.members.sort_unstable_by(|a, b| a.client_id.cmp(&b.client_id));
    page.members.dedup_by(|a, b| a.client_id == b.client_id);
    if let Some(until) = &page.next {
        page.members.retain(|member| member.client_id <= *until);
    }
    if page.members.len() > most {
        page.members.truncate(most);
        page.next = page.members.last().map(|last| last.client_id.clone());
    }
    page
}
