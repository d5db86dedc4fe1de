//! [`Directory`]: for each channel that somebody listens to, on which shards, and who.

use std::collections::HashMap;

use openline_protocol::{ChannelName, Member};

use crate::roster::{Change, MemberPage, Roster};

/// A thread that serves lines.
pub type ShardIndex = u16;

/// The channels that have subscribers.
#[derive(Debug, Default)]
pub struct Directory {
    channels: HashMap<ChannelName, Occupied>,
}

#[derive(Debug, Default)]
struct Occupied {
    /// Subscribers by shard; short, and in no order.
    shards: Vec<(ShardIndex, u32)>,
    roster: Option<Box<Roster>>,
}

/// What a coming or going did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effect {
    /// The channel was empty before a coming, or is after a going.
    pub turned: bool,
    /// When [`Directory::poll_change`] is due, if that is news.
    pub change_due: Option<u64>,
}

impl Directory {
    /// A subscription begins. `member` is given where presence is kept.
    pub fn join(
        &mut self,
        channel: &ChannelName,
        shard: ShardIndex,
        member: Option<Member>,
        now: u64,
    ) -> Effect {
        let occupied = self.channels.entry(channel.clone()).or_default();
        let turned = occupied.shards.is_empty();
        match occupied.shards.iter_mut().find(|(index, _)| *index == shard) {
            Some((_, count)) => *count += 1,
            None => occupied.shards.push((shard, 1)),
        }
        let change_due =
            member.and_then(|member| occupied.roster.get_or_insert_default().join(member, now));
        Effect { turned, change_due }
    }

    /// A subscription ends.
    pub fn leave(
        &mut self,
        channel: &ChannelName,
        shard: ShardIndex,
        client: &str,
        now: u64,
    ) -> Effect {
        let Some(occupied) = self.channels.get_mut(channel) else { return Effect::default() };
        let Some(at) = occupied.shards.iter().position(|(index, _)| *index == shard) else {
            return Effect::default();
        };
        occupied.shards[at].1 -= 1;
        if occupied.shards[at].1 == 0 {
            occupied.shards.swap_remove(at);
        }
        let change_due = occupied.roster.as_mut().and_then(|roster| roster.leave(client, now));
        let turned = occupied.shards.is_empty();
        if turned {
            // Nobody is left who would be told of the change.
            self.channels.remove(channel);
        }
        Effect { turned, change_due: change_due.filter(|_| !turned) }
    }

    /// A member changes. Returns when [`Directory::poll_change`] is due, if that is news; nothing
    /// happens if it is not a member.
    pub fn update(
        &mut self,
        channel: &ChannelName,
        client: &str,
        change: impl FnOnce(&mut Member),
        now: u64,
    ) -> Option<u64> {
        self.channels.get_mut(channel)?.roster.as_mut()?.update(client, change, now)
    }

    /// What changed among the members, once it is due.
    pub fn poll_change(&mut self, channel: &ChannelName, now: u64) -> Option<Change> {
        self.channels.get_mut(channel)?.roster.as_mut()?.poll_change(now)
    }

    /// The shards that have subscribers, each with how many.
    pub fn shards(&self, channel: &ChannelName) -> &[(ShardIndex, u32)] {
        self.channels.get(channel).map_or(&[], |occupied| &occupied.shards)
    }

    /// Subscriptions to a channel.
    pub fn subscribers(&self, channel: &ChannelName) -> u64 {
        self.shards(channel).iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// A part of the members.
    pub fn members(&self, channel: &ChannelName, after: Option<&str>, limit: usize) -> MemberPage {
        let roster = self.channels.get(channel).and_then(|occupied| occupied.roster.as_ref());
        roster.map_or_else(MemberPage::default, |roster| roster.page(after, limit))
    }

    /// How many members are known by name.
    pub fn member_count(&self, channel: &ChannelName) -> u64 {
        let roster = self.channels.get(channel).and_then(|occupied| occupied.roster.as_ref());
        roster.map_or(0, |roster| roster.len() as u64)
    }

    /// Channels that have subscribers, each with how many, in any order.
    pub fn channels(&self) -> impl Iterator<Item = (&ChannelName, u64)> {
        self.channels.iter().map(|(name, occupied)| {
            (name, occupied.shards.iter().map(|(_, count)| u64::from(*count)).sum())
        })
    }

    /// How many channels have subscribers.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether no channel has subscribers.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(channel: &str) -> ChannelName {
        ChannelName::new(channel).expect("it is a good name")
    }

    fn member(client: &str) -> Option<Member> {
        let client_id = client.into();
        Some(Member { client_id, user: None, info: None, status: None, data: None })
    }

    #[test]
    fn a_channel_is_known_from_its_first_subscriber_to_its_last() {
        let (mut directory, channel) = (Directory::default(), name("c"));
        assert!(directory.join(&channel, 0, None, 0).turned);
        assert!(!directory.join(&channel, 3, None, 0).turned);
        assert!(!directory.join(&channel, 3, None, 0).turned);
        assert_eq!(directory.shards(&channel), [(0, 1), (3, 2)]);
        assert_eq!(directory.subscribers(&channel), 3);
        assert!(!directory.leave(&channel, 0, "a", 0).turned);
        assert!(!directory.leave(&channel, 3, "b", 0).turned);
        assert_eq!(directory.shards(&channel), [(3, 1)]);
        assert!(directory.leave(&channel, 3, "c", 0).turned);
        assert!(directory.is_empty());
    }

    #[test]
    fn whoever_leaves_where_nobody_is_changes_nothing() {
        let (mut directory, channel) = (Directory::default(), name("c"));
        assert_eq!(directory.leave(&channel, 0, "a", 0), Effect::default());
        directory.join(&channel, 0, None, 0);
        assert_eq!(directory.leave(&channel, 1, "a", 0), Effect::default());
        assert_eq!(directory.subscribers(&channel), 1);
    }

    #[test]
    fn members_are_told_of_once_it_is_due() {
        let (mut directory, channel) = (Directory::default(), name("c"));
        let due = directory.join(&channel, 0, member("a"), 0).change_due.expect("it is news");
        assert_eq!(directory.join(&channel, 1, member("b"), 1).change_due, None);
        assert_eq!(directory.member_count(&channel), 2);
        let change = directory.poll_change(&channel, due).expect("it is due");
        assert_eq!((change.joined.len(), change.count), (2, 2));
        let away = |member: &mut Member| member.status = Some("away".into());
        assert!(directory.update(&channel, "a", away, 500).is_some());
        assert_eq!(directory.update(&channel, "nobody", away, 500), None);
        let page = directory.members(&channel, None, 1);
        assert_eq!((page.members[0].status.as_deref(), page.count), (Some("away"), 2));
    }

    #[test]
    fn the_last_who_leaves_leaves_nobody_to_tell() {
        let (mut directory, channel) = (Directory::default(), name("c"));
        directory.join(&channel, 0, member("a"), 0);
        directory.poll_change(&channel, 10_000);
        let effect = directory.leave(&channel, 0, "a", 20_000);
        assert_eq!(effect, Effect { turned: true, change_due: None });
        assert!(directory.poll_change(&channel, 90_000).is_none());
    }
}
