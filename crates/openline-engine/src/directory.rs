//! [`Directory`]: for each channel that somebody listens to, on which shards, and who.

use std::collections::HashMap;

use openline_protocol::{ChannelName, Member};

use crate::news::News;
use crate::peers::NodeKey;
use crate::roster::{Change, MemberPage, Roster, TellLimits};

/// A thread that serves lines.
pub type ShardIndex = u16;

/// The channels that have subscribers.
#[derive(Debug, Default)]
pub struct Directory {
    channels: HashMap<ChannelName, Occupied>,
    /// Of rosters that other nodes are told about; none where there are no others.
    lives: Option<u64>,
    /// Members of other nodes that are known by name.
    remote_names: usize,
    rosters: usize,
}

#[derive(Debug, Default)]
struct Occupied {
    /// Subscribers by shard; short, and in no order.
    shards: Vec<(ShardIndex, u32)>,
    roster: Option<Box<Roster>>,
    /// Other nodes have been asked who is here.
    has_asked: bool,
}

/// What a coming or going did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effect {
    /// The channel was empty before a coming, or is after a going.
    pub turned: bool,
    /// When [`Directory::poll_change`] is due, if that is news.
    pub change_due: Option<u64>,
    /// There is something to tell other nodes, and there was not before.
    pub has_news: bool,
    /// Nobody is here any more of whom other nodes were told, in this life of the channel.
    pub vacated: Option<u64>,
}

impl Directory {
    /// One whose node is one of several.
    pub fn shared() -> Self {
        Self { lives: Some(0), ..Self::default() }
    }

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
        let mut effect = Effect { turned, ..Effect::default() };
        if let Some(member) = member {
            let roster = occupied.roster.get_or_insert_with(|| {
                self.rosters += 1;
                let lives = self.lives.as_mut().map(|lives| {
                    *lives += 1;
                    *lives
                });
                Box::new(lives.map_or_else(Roster::default, Roster::shared))
            });
            let (before, had_news) = (roster.remote_names(), roster.has_news());
            effect.change_due = roster.join(member, now);
            self.remote_names -= before - roster.remote_names();
            effect.has_news = !had_news && roster.has_news();
        }
        effect
    }

    /// A subscription goes on that began elsewhere. As [`Directory::join`], and its channel's members
    /// have heard of `member`.
    pub fn restore(&mut self, channel: &ChannelName, shard: ShardIndex, member: Option<Member>) {
        let effect = self.join(channel, shard, None, 0);
        debug_assert!(effect.change_due.is_none(), "nobody came");
        if let Some(member) = member
            && let Some(occupied) = self.channels.get_mut(channel)
        {
            let roster = occupied.roster.get_or_insert_with(|| {
                self.rosters += 1;
                Box::default()
            });
            roster.restore(member);
        }
    }

    /// Somebody of whom a channel's members have heard is not here any more: that is told. Nothing
    /// happens where nobody is, or where that client is.
    pub fn dismiss(&mut self, channel: &ChannelName, member: Member, now: u64) -> Effect {
        let Some(roster) = self.roster_mut(channel) else { return Effect::default() };
        let client = member.client_id.clone();
        if roster.member(&client).is_some() {
            return Effect::default();
        }
        roster.restore(member);
        Effect { change_due: roster.leave(&client, now), ..Effect::default() }
    }

    /// Brings what changed in each channel to those who are to be told of it now, and says who is
    /// there.
    pub fn settle(&mut self) -> Vec<(ChannelName, Option<Change>, Vec<Member>)> {
        let settle = |(channel, occupied): (&ChannelName, &mut Occupied)| {
            let roster = occupied.roster.as_mut()?;
            let change = roster.poll_change(u64::MAX);
            Some((channel.clone(), change, roster.page(None, usize::MAX).members))
        };
        self.channels.iter_mut().filter_map(settle).collect()
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
        let mut effect = Effect { turned: occupied.shards.is_empty(), ..Effect::default() };
        if let Some(roster) = &mut occupied.roster {
            let had_news = roster.has_news();
            effect.change_due = roster.leave(client, now);
            effect.has_news = !had_news && roster.has_news();
        }
        if effect.turned {
            // Nobody is left who would be told of the change.
            (effect.change_due, effect.has_news) = (None, false);
            let roster = self.channels.remove(channel).and_then(|occupied| occupied.roster);
            if let Some(roster) = roster {
                self.rosters -= 1;
                self.remote_names -= roster.remote_names();
                effect.vacated = roster.mark().map(|mark| mark.life);
            }
        }
        effect
    }

    /// A member changes; nothing happens if it is not a member.
    pub fn update(
        &mut self,
        channel: &ChannelName,
        client: &str,
        change: impl FnOnce(&mut Member),
        now: u64,
    ) -> Effect {
        let Some(roster) = self.roster_mut(channel) else { return Effect::default() };
        let had_news = roster.has_news();
        let change_due = roster.update(client, change, now);
        let has_news = !had_news && roster.has_news();
        Effect { change_due, has_news, ..Effect::default() }
    }

    /// What changed among the members, once it is due.
    pub fn poll_change(&mut self, channel: &ChannelName, now: u64) -> Option<Change> {
        self.roster_mut(channel)?.poll_change(now)
    }

    /// Whether other nodes are still to be asked who is on the channel; says so once in each life.
    pub fn is_to_ask(&mut self, channel: &ChannelName) -> bool {
        let Some(occupied) = self.channels.get_mut(channel) else { return false };
        occupied.roster.is_some() && !std::mem::replace(&mut occupied.has_asked, true)
    }

    /// The next news for other nodes. See [`Roster::take_news`].
    pub fn take_news(&mut self, channel: &ChannelName, limits: &TellLimits) -> Option<News> {
        self.roster_mut(channel)?.take_news(limits)
    }

    /// The roster of a channel that has members here.
    pub fn roster(&self, channel: &ChannelName) -> Option<&Roster> {
        self.channels.get(channel)?.roster.as_deref()
    }

    /// Another node tells something about its members, of whom `hear` takes note.
    pub fn hear<T: Default>(
        &mut self,
        channel: &ChannelName,
        hear: impl FnOnce(&mut Roster) -> T,
    ) -> T {
        let Some(roster) = self.roster_mut(channel) else { return T::default() };
        let before = roster.remote_names();
        let heard = hear(roster);
        let after = roster.remote_names();
        self.remote_names = self.remote_names - before + after;
        heard
    }

    /// Nobody of a node is anywhere any more. Returns the channels with something to be told, and
    /// when.
    pub fn forget_node(&mut self, node: NodeKey, now: u64) -> Vec<(ChannelName, u64)> {
        let mut due = Vec::new();
        for (channel, occupied) in &mut self.channels {
            let Some(roster) = &mut occupied.roster else { continue };
            let before = roster.remote_names();
            let change_due = roster.forget_node(node, now);
            self.remote_names -= before - roster.remote_names();
            due.extend(change_due.map(|due| (channel.clone(), due)));
        }
        due
    }

    /// Channels that have members, in any order.
    pub fn rosters(&self) -> impl Iterator<Item = &ChannelName> {
        let with_members = self.channels.iter().filter(|(_, occupied)| occupied.roster.is_some());
        with_members.map(|(channel, _)| channel)
    }

    /// How many channels have members.
    pub fn roster_count(&self) -> usize {
        self.rosters
    }

    /// Members of other nodes that are known by name.
    pub fn remote_names(&self) -> usize {
        self.remote_names
    }

    fn roster_mut(&mut self, channel: &ChannelName) -> Option<&mut Roster> {
        self.channels.get_mut(channel)?.roster.as_deref_mut()
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

    /// How many members there are.
    pub fn member_count(&self, channel: &ChannelName) -> u64 {
        let roster = self.channels.get(channel).and_then(|occupied| occupied.roster.as_ref());
        roster.map_or(0, |roster| roster.len())
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
        assert!(directory.update(&channel, "a", away, 500).change_due.is_some());
        assert_eq!(directory.update(&channel, "nobody", away, 500), Effect::default());
        let page = directory.members(&channel, None, 1);
        assert_eq!((page.members[0].status.as_deref(), page.count), (Some("away"), 2));
    }

    #[test]
    fn who_was_there_before_is_there_unheard_and_who_is_not_any_more_is_told_of() {
        let (mut directory, channel) = (Directory::default(), name("c"));
        directory.restore(&channel, 0, member("a"));
        directory.restore(&channel, 1, member("b"));
        assert_eq!(directory.shards(&channel), [(0, 1), (1, 1)]);
        assert_eq!((directory.member_count(&channel), directory.roster_count()), (2, 1));
        assert!(directory.poll_change(&channel, u64::MAX).is_none(), "nobody came");
        let gone = member("gone").expect("it is one");
        let due = directory.dismiss(&channel, gone.clone(), 0).change_due.expect("it is news");
        let here = member("b").expect("it is one");
        assert_eq!(directory.dismiss(&channel, here, 0), Effect::default());
        assert_eq!(directory.dismiss(&name("other"), gone, 0), Effect::default());
        let change = directory.poll_change(&channel, due).expect("it is due");
        assert_eq!((change.left.len(), change.joined.len(), change.count), (1, 0, 2));
        assert!(directory.leave(&channel, 0, "a", 5).change_due.is_some());
    }

    #[test]
    fn what_is_settled_is_told_at_once_and_once() {
        let (mut directory, channel) = (Directory::default(), name("c"));
        directory.join(&channel, 0, member("a"), 0);
        directory.join(&name("bare"), 0, None, 0);
        let settled = directory.settle();
        let [(of, Some(change), members)] = &settled[..] else { panic!("{settled:?}") };
        assert_eq!((of, change.joined.len(), members.len()), (&channel, 1, 1));
        assert!(directory.settle()[0].1.is_none());
    }

    #[test]
    fn the_last_who_leaves_leaves_nobody_to_tell() {
        let (mut directory, channel) = (Directory::default(), name("c"));
        directory.join(&channel, 0, member("a"), 0);
        directory.poll_change(&channel, 10_000);
        let effect = directory.leave(&channel, 0, "a", 20_000);
        assert_eq!(effect, Effect { turned: true, ..Effect::default() });
        assert!(directory.poll_change(&channel, 90_000).is_none());
    }
}
