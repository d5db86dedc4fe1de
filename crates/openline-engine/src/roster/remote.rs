//! What other nodes have told about their members.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;

use openline_protocol::Member;

use super::{Present, Roster};
use crate::news::{Mark, News, Part};
use crate::peers::NodeKey;

/// What a node has told.
#[derive(Debug)]
pub(super) struct Remote {
    node: NodeKey,
    /// How far its news are that were heard.
    mark: Mark,
    /// Members that it has.
    pub(super) count: u64,
    /// How many of them are named here.
    pub(super) names: usize,
}

/// What became of something that was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// When [`Roster::poll_change`] is due, if it was not due before.
    pub change_due: Option<u64>,
    /// Something was missed: the node is to be asked from the beginning.
    pub is_behind: bool,
    /// The node is to be asked for more, behind this client.
    pub more: Option<Arc<str>>,
}

impl Heard {
    fn behind() -> Self {
        Self { is_behind: true, ..Self::default() }
    }

    fn due(&mut self, due: Option<u64>) {
        self.change_due = self.change_due.or(due);
    }
}

impl Roster {
    /// How far the news of a node are that were heard.
    pub fn heard_until(&self, node: NodeKey) -> Option<Mark> {
        Some(self.remote.iter().find(|remote| remote.node == node)?.mark)
    }

    /// A node tells what changed. At most `room` names are added.
    pub fn hear_news(&mut self, node: NodeKey, news: News, room: usize, now: u64) -> Heard {
        let mut heard = Heard::default();
        let known = self.heard_until(node);
        let is_next = match known {
            Some(known) if news.mark <= known => return heard,
            Some(known) if news.mark.life == known.life => news.mark.seq == known.seq + 1,
            _ => news.mark.seq == 1,
        };
        if known.is_some_and(|known| known.life != news.mark.life) {
            heard.due(self.forget_node(node, now));
        }
        let mut room = room;
        for member in news.here {
            heard.due(self.put_remote(node, member, &mut room, now));
        }
        for client in news.left {
            heard.due(self.remove_remote(node, &client, now));
        }
        let remote = self.remote_mut(node);
        remote.mark = news.mark;
        remote.count = news.count;
        heard.is_behind = !is_next || news.incomplete;
        heard
    }

    /// A node tells a part of its members, on being asked. At most `room` names are added.
    ///
    /// Parts are heard from the first to the last; what changes meanwhile is heard as news.
    pub fn hear_part(&mut self, node: NodeKey, part: Part, room: usize, now: u64) -> Heard {
        let mut heard = Heard::default();
        match self.heard_until(node) {
            // It was written before news that have come already.
            Some(known) if part.mark < known => {
                return if part.mark.life < known.life { heard } else { Heard::behind() };
            }
            Some(known) if part.mark.life == known.life => {}
            _ if part.after.is_some() => return Heard::behind(),
            _ => {}
        }
        let named: HashSet<&str> = part.members.iter().map(|member| &*member.client_id).collect();
        let from = part.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let until = part.until.as_deref().map_or(Bound::Unbounded, Bound::Included);
        let is_right = match (&part.after, &part.until) {
            (Some(after), Some(until)) => after < until,
            _ => true,
        };
        if !is_right {
            return Heard::default();
        }
        let range = self.members.range::<str, _>((from, until));
        let of_node = range.filter(|(_, present)| present.node() == Some(node));
        let left: Vec<_> =
            of_node.map(|(client, _)| client.clone()).filter(|c| !named.contains(&**c)).collect();
        drop(named);
        for client in left {
            heard.due(self.remove_remote(node, &client, now));
        }
        let mut room = room;
        for member in part.members {
            heard.due(self.put_remote(node, member, &mut room, now));
        }
        let is_first = part.after.is_none();
        let remote = self.remote_mut(node);
        // All of what the news up to it changed comes with this part or a later one.
        if is_first {
            remote.mark = part.mark;
        }
        remote.count = part.count;
        heard.more = part.until;
        heard
    }

    /// Nobody of a node is here any more. Returns when [`Roster::poll_change`] is due, if it was not
    /// due before.
    pub fn forget_node(&mut self, node: NodeKey, now: u64) -> Option<u64> {
        let at = self.remote.iter().position(|remote| remote.node == node)?;
        let mut due = None;
        if self.remote[at].names > 0 {
            let of_node = self.members.iter().filter(|(_, p)| p.node() == Some(node));
            let clients: Vec<_> = of_node.map(|(client, _)| client.clone()).collect();
            for client in clients {
                due = self.remove_remote(node, &client, now).or(due);
            }
        }
        self.remote.remove(at);
        due
    }

    /// Members of other nodes that are known by name.
    pub fn remote_names(&self) -> usize {
        self.remote.iter().map(|remote| remote.names).sum()
    }

    pub(super) fn remote_mut(&mut self, node: NodeKey) -> &mut Remote {
        let at = self.remote.iter().position(|remote| remote.node == node);
        let at = at.unwrap_or_else(|| {
            self.remote.push(Remote { node, mark: Mark::default(), count: 0, names: 0 });
            self.remote.len() - 1
        });
        &mut self.remote[at]
    }

    fn put_remote(
        &mut self,
        node: NodeKey,
        member: Member,
        room: &mut usize,
        now: u64,
    ) -> Option<u64> {
        let client = member.client_id.clone();
        let before = self.members.get(&client).map(|present| (present.node(), present));
        match before {
            // What is known here for certain is not for others to say.
            Some((None, _)) => None,
            Some((Some(owner), present)) if owner == node && present.member(&client) == member => {
                None
            }
            Some((Some(owner), _)) => {
                self.members.insert(client.clone(), Present::new(member, Some(node)));
                self.remote_mut(owner).names -= 1;
                self.remote_mut(node).names += 1;
                self.gather_updated(client, now)
            }
            None => {
                let remote = self.remote_mut(node);
                if *room == 0 {
                    return None;
                }
                *room -= 1;
                remote.names += 1;
                self.members.insert(client.clone(), Present::new(member, Some(node)));
                self.gather_joined(client, now)
            }
        }
    }

    fn remove_remote(&mut self, node: NodeKey, client: &str, now: u64) -> Option<u64> {
        self.members.get(client).filter(|present| present.node() == Some(node))?;
        let (client, present) = self.members.remove_entry(client)?;
        self.remote_mut(node).names -= 1;
        self.gather_left(client, &present, now)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::roster::TellLimits;

    const LIMITS: TellLimits = TellLimits { names_max: 3, bytes_max: 1000 };
    const THERE: NodeKey = 7;

    fn member(client: &str) -> Member {
        Member { client_id: client.into(), user: None, info: None, status: None, data: None }
    }

    fn names(roster: &Roster) -> Vec<String> {
        let page = roster.page(None, 1000);
        page.members.iter().map(|member| member.client_id.to_string()).collect()
    }

    /// Hands all news on, but for those that are lost; returns whether something was missed.
    fn tell(from: &mut Roster, to: &mut Roster, is_lost: impl Fn(u64) -> bool) -> bool {
        let mut is_behind = false;
        while let Some(news) = from.take_news(&LIMITS) {
            if !is_lost(news.mark.seq) {
                is_behind |= to.hear_news(THERE, news, 1000, 0).is_behind;
            }
        }
        is_behind
    }

    fn pull(from: &Roster, to: &mut Roster) {
        let mut after = None;
        loop {
            let heard = to.hear_part(THERE, from.own_part(after, &LIMITS), 1000, 0);
            assert!(!heard.is_behind);
            after = heard.more;
            if after.is_none() {
                break;
            }
        }
    }

    #[test]
    fn news_make_two_rosters_alike() {
        let (mut here, mut there) = (Roster::shared(1), Roster::shared(1));
        here.join(member("h"), 0);
        for client in ["a", "b", "c", "d", "e"] {
            there.join(member(client), 0);
        }
        assert!(!tell(&mut there, &mut here, |_| false));
        assert_eq!(names(&here), ["a", "b", "c", "d", "e", "h"]);
        there.leave("b", 1);
        there.update("c", |member| member.status = Some("away".into()), 1);
        there.join(member("f"), 1);
        there.leave("f", 1);
        assert!(!tell(&mut there, &mut here, |_| false));
        assert_eq!((names(&here).len(), here.len(), here.remote_names()), (5, 5, 4));
        assert_eq!(here.page(Some("b"), 1).members[0].status.as_deref(), Some("away"));
        assert_eq!(here.heard_until(THERE), there.mark());
    }

    #[test]
    fn subscribers_are_told_of_members_elsewhere_as_of_those_here() {
        let (mut here, mut there) = (Roster::shared(1), Roster::shared(1));
        there.join(member("a"), 0);
        let news = there.take_news(&LIMITS).unwrap();
        let due = here.hear_news(THERE, news, 10, 1000).change_due.unwrap();
        let change = here.poll_change(due).unwrap();
        assert_eq!((change.joined.len(), change.count), (1, 1));
        let due = here.forget_node(THERE, 5000).unwrap();
        let change = here.poll_change(due).unwrap();
        assert_eq!((&*change.left[0].client_id, change.count), ("a", 0));
        assert!(here.is_empty());
    }

    #[test]
    fn news_that_are_missed_are_noticed_with_the_next_and_parts_fill_the_gap() {
        let (mut here, mut there) = (Roster::shared(1), Roster::shared(1));
        for client in ["a", "b", "c", "d", "e", "f", "g"] {
            there.join(member(client), 0);
        }
        assert!(tell(&mut there, &mut here, |seq| seq == 2));
        assert_ne!(names(&here).len(), 7);
        pull(&there, &mut here);
        assert_eq!(names(&here).len(), 7);
        assert!(!tell(&mut there, &mut here, |_| false));
        there.leave("d", 1);
        there.take_news(&LIMITS);
        there.join(member("h"), 1);
        assert!(tell(&mut there, &mut here, |_| false));
        pull(&there, &mut here);
        assert_eq!(names(&here), ["a", "b", "c", "e", "f", "g", "h"]);
    }

    #[test]
    fn what_changes_while_parts_come_is_not_lost() {
        let (mut here, mut there) = (Roster::shared(1), Roster::shared(1));
        for client in ["a", "b", "c", "d", "e", "f"] {
            there.join(member(client), 0);
        }
        while there.take_news(&LIMITS).is_some() {}
        let first = here.hear_part(THERE, there.own_part(None, &LIMITS), 100, 0);
        there.leave("a", 1);
        there.join(member("bb"), 1);
        there.leave("e", 1);
        let late = there.take_news(&LIMITS).unwrap();
        let second = there.own_part(first.more, &LIMITS);
        let heard = here.hear_part(THERE, second, 100, 1);
        assert_eq!((heard.more, heard.is_behind), (None, false));
        assert!(!here.hear_news(THERE, late, 100, 1).is_behind);
        assert_eq!(names(&here), ["b", "bb", "c", "d", "f"]);
    }

    #[test]
    fn a_part_from_before_the_news_is_asked_for_again() {
        let (mut here, mut there) = (Roster::shared(1), Roster::shared(1));
        there.join(member("a"), 0);
        there.take_news(&LIMITS);
        let early = there.own_part(None, &LIMITS);
        there.join(member("b"), 0);
        here.hear_news(THERE, there.take_news(&LIMITS).unwrap(), 100, 0);
        assert!(here.hear_part(THERE, early, 100, 0).is_behind);
        pull(&there, &mut here);
        assert_eq!(names(&here), ["a", "b"]);
    }

    #[test]
    fn another_life_begins_with_nobody() {
        let mut here = Roster::shared(1);
        let mut first = Roster::shared(1);
        first.join(member("a"), 0);
        tell(&mut first, &mut here, |_| false);
        let mut second = Roster::shared(2);
        second.join(member("b"), 0);
        assert!(!tell(&mut second, &mut here, |_| false));
        assert_eq!(names(&here), ["b"]);
        first.join(member("c"), 0);
        tell(&mut first, &mut here, |_| false);
        assert_eq!(names(&here), ["b"], "the first is over");
    }

    #[test]
    fn who_is_here_is_not_for_others_to_say() {
        let (mut here, mut there) = (Roster::shared(1), Roster::shared(1));
        there.join(member("a"), 0);
        here.join(Member { status: Some("mine".into()), ..member("a") }, 0);
        tell(&mut there, &mut here, |_| false);
        assert_eq!(here.page(None, 9).members[0].status.as_deref(), Some("mine"));
        there.leave("a", 0);
        tell(&mut there, &mut here, |_| false);
        assert_eq!(names(&here), ["a"]);
        assert_eq!(here.remote_names(), 0);
    }

    #[test]
    fn beyond_the_room_members_are_counted() {
        let (mut here, mut there) = (Roster::shared(1), Roster::shared(1));
        for number in 0..9 {
            there.join(member(&number.to_string()), 0);
        }
        while let Some(news) = there.take_news(&LIMITS) {
            let room = 4 - here.remote_names();
            here.hear_news(THERE, news, room, 0);
        }
        assert_eq!((here.remote_names(), here.len()), (4, 9));
    }

    #[test]
    fn a_crowd_of_changes_is_told_to_be_asked_for() {
        let (mut here, mut there) = (Roster::shared(1), Roster::shared(1));
        for number in 0..10_001 {
            there.join(member(&number.to_string()), 0);
        }
        let limits = TellLimits { names_max: 5000, bytes_max: 1 << 20 };
        let mut is_behind = false;
        while let Some(news) = there.take_news(&limits) {
            is_behind = here.hear_news(THERE, news, 100_000, 0).is_behind;
        }
        assert!(is_behind);
        assert_eq!((here.remote_names(), here.len()), (10_000, 10_001));
    }

    #[test]
    fn what_a_member_says_at_length_is_not_told() {
        let mut there = Roster::shared(1);
        let long = Some(openline_protocol::Data::Binary(vec![0; 100_000].into()));
        there.join(Member { data: long, status: Some("here".into()), ..member("a") }, 0);
        let told = there.take_news(&LIMITS).unwrap().here.remove(0);
        assert_eq!((told.data, told.status.as_deref()), (None, Some("here")));
    }
}
