//! [`Roster`]: who is on a channel.
//!
//! Changes are gathered for a moment, so that a thousand people who come at once cost each of them a
//! few messages and not a thousand.
//!
//! Where several nodes share the channel, its members are those of all nodes. Each node knows its own
//! and tells the others what changes about them (`own`); what it is told it believes until it hears
//! better, or hears that the node is gone (`remote`).

mod own;
mod remote;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use openline_protocol::{Data, Member};

use crate::peers::NodeKey;
use remote::Remote;

pub use own::TellLimits;
pub use remote::Heard;

/// Members named in one change. Beyond it the change only counts.
const NAMED_MAX: usize = 100;

/// How long changes are gathered, in milliseconds, by the size of the channel. Subscribers are to
/// know within a second.
const GATHER_MS: [u64; 2] = [100, 800];

/// The size from which on changes are gathered for longer.
const LARGE: usize = 100;

/// What changed since it was last told.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// They came.
    pub joined: Vec<Member>,
    /// They changed their status or data.
    pub updated: Vec<Member>,
    /// They went.
    pub left: Vec<Member>,
    /// Members now.
    pub count: u64,
    /// The lists name everybody who came, changed or went.
    pub complete: bool,
}

/// A part of the members, in the order of their client ids.
#[derive(Debug, Clone, Default)]
pub struct MemberPage {
    /// The members.
    pub members: Vec<Member>,
    /// All members of the channel.
    pub count: u64,
    /// Where the next page begins; none on the last.
    pub next: Option<Arc<str>>,
}

/// The members of a channel.
#[derive(Debug, Default)]
pub struct Roster {
    members: BTreeMap<Arc<str>, Present>,
    gathered: BTreeMap<Arc<str>, Happened>,
    /// More happened than is named.
    overflowed: bool,
    due: Option<u64>,
    /// What is to be told to other nodes.
    own: own::Own,
    /// What other nodes have told.
    remote: Vec<Remote>,
}

/// A member without its client id. Most say nothing about themselves, and there may be as many as
/// there are lines.
#[derive(Debug)]
struct Present {
    user: Option<Arc<str>>,
    more: Option<Box<More>>,
}

#[derive(Debug)]
struct More {
    info: Option<Data>,
    status: Option<Arc<str>>,
    data: Option<Data>,
    /// Where it is, if not here.
    node: Option<NodeKey>,
}

impl Present {
    fn new(member: Member, node: Option<NodeKey>) -> Self {
        let Member { client_id: _, user, info, status, data } = member;
        let says_more = info.is_some() || status.is_some() || data.is_some() || node.is_some();
        Self { user, more: says_more.then(|| Box::new(More { info, status, data, node })) }
    }

    fn node(&self) -> Option<NodeKey> {
        self.more.as_ref()?.node
    }

    fn member(&self, client: &Arc<str>) -> Member {
        let more = self.more.as_deref();
        Member {
            client_id: client.clone(),
            user: self.user.clone(),
            info: more.and_then(|more| more.info.clone()),
            status: more.and_then(|more| more.status.clone()),
            data: more.and_then(|more| more.data.clone()),
        }
    }
}

#[derive(Debug)]
enum Happened {
    Joined,
    Updated,
    Left(Member),
}

impl Roster {
    /// A roster whose node tells others about it. `life` is greater than those of all rosters that
    /// the node had of the channel before, and not 0.
    pub fn shared(life: u64) -> Self {
        Self { own: own::Own::new(life), ..Self::default() }
    }

    /// Somebody came. Returns when [`Roster::poll_change`] is due, if it was not due before.
    pub fn join(&mut self, member: Member, now: u64) -> Option<u64> {
        let client = member.client_id.clone();
        let before = self.members.insert(client.clone(), Present::new(member, None));
        match before.map(|before| before.node()) {
            Some(Some(node)) => {
                self.remote_mut(node).names -= 1;
                self.own.count += 1;
            }
            Some(None) => {}
            None => self.own.count += 1,
        }
        self.own.note(&client);
        self.gather_joined(client, now)
    }

    /// Somebody is here of whom all others have heard. Nothing is told.
    pub fn restore(&mut self, member: Member) {
        let client = member.client_id.clone();
        if self.members.insert(client.clone(), Present::new(member, None)).is_none() {
            self.own.count += 1;
        }
        self.own.note(&client);
    }

    fn gather_joined(&mut self, client: Arc<str>, now: u64) -> Option<u64> {
        let happened = match self.gathered.remove(&client) {
            // For those who have not heard of the going there was none.
            Some(Happened::Left(_)) => Happened::Updated,
            _ => Happened::Joined,
        };
        self.gather(client, happened, now)
    }

    /// Somebody changed. As [`Roster::join`]; nothing happens if it is not a member.
    pub fn update(
        &mut self,
        client: &str,
        change: impl FnOnce(&mut Member),
        now: u64,
    ) -> Option<u64> {
        let (client, _) = self.members.get_key_value(client)?;
        let client = client.clone();
        let present = self.members.get_mut(&client).filter(|present| present.node().is_none())?;
        let mut member = present.member(&client);
        change(&mut member);
        *present = Present::new(member, None);
        self.own.note(&client);
        self.gather_updated(client, now)
    }

    fn gather_updated(&mut self, client: Arc<str>, now: u64) -> Option<u64> {
        let happened = match self.gathered.remove(&client) {
            Some(Happened::Joined) => Happened::Joined,
            _ => Happened::Updated,
        };
        self.gather(client, happened, now)
    }

    /// Somebody went. As [`Roster::join`].
    pub fn leave(&mut self, client: &str, now: u64) -> Option<u64> {
        self.members.get(client).filter(|present| present.node().is_none())?;
        let (client, present) = self.members.remove_entry(client)?;
        self.own.count -= 1;
        self.own.note(&client);
        self.gather_left(client, &present, now)
    }

    fn gather_left(&mut self, client: Arc<str>, present: &Present, now: u64) -> Option<u64> {
        let member = present.member(&client);
        match self.gathered.remove(&client) {
            // Nobody has heard of it, so nobody needs to hear that it went.
            Some(Happened::Joined) => self.set_due(now),
            _ => self.gather(client, Happened::Left(member), now),
        }
    }

    fn gather(&mut self, client: Arc<str>, happened: Happened, now: u64) -> Option<u64> {
        if self.gathered.len() < NAMED_MAX {
            self.gathered.insert(client, happened);
        } else {
            self.overflowed = true;
        }
        self.set_due(now)
    }

    fn set_due(&mut self, now: u64) -> Option<u64> {
        if self.due.is_some() {
            return None;
        }
        let gather_ms = GATHER_MS[usize::from(self.len() > LARGE as u64)];
        self.due = Some(now + gather_ms);
        self.due
    }

    /// What changed, once it is due.
    pub fn poll_change(&mut self, now: u64) -> Option<Change> {
        self.due.take_if(|due| *due <= now)?;
        let mut change = Change {
            count: self.len(),
            complete: !std::mem::take(&mut self.overflowed),
            ..Change::default()
        };
        for (client, happened) in std::mem::take(&mut self.gathered) {
            let member = self.members.get(&client).map(|present| present.member(&client));
            match (happened, member) {
                (Happened::Joined, Some(member)) => change.joined.push(member),
                (Happened::Updated, Some(member)) => change.updated.push(member),
                (Happened::Left(member), _) => change.left.push(member),
                (Happened::Joined | Happened::Updated, None) => {}
            }
        }
        let nothing =
            change.joined.is_empty() && change.updated.is_empty() && change.left.is_empty();
        (!nothing || !change.complete).then_some(change)
    }

    /// The members behind a client id, or the first.
    pub fn page(&self, after: Option<&str>, limit: usize) -> MemberPage {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.members.range::<str, _>((from, Bound::Unbounded));
        let members: Vec<_> =
            rest.by_ref().take(limit).map(|(client, present)| present.member(client)).collect();
        let next = rest.next().and_then(|_| members.last().map(|last| last.client_id.clone()));
        MemberPage { members, count: self.len(), next }
    }

    /// How many members there are, of all nodes. Of other nodes more may be counted than named.
    pub fn len(&self) -> u64 {
        let remote: u64 = self.remote.iter().map(|remote| remote.count).sum();
        self.own.count.saturating_add(remote)
    }

    /// A member that is known by name.
    pub fn member(&self, client: &str) -> Option<Member> {
        let (client, present) = self.members.get_key_value(client)?;
        Some(present.member(client))
    }

    /// How many members there are on this node.
    pub fn own_len(&self) -> u64 {
        self.own.count
    }

    /// Whether nobody is here and nothing is to be told.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty() && self.due.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(client: &str) -> Member {
        Member { client_id: client.into(), user: None, info: None, status: None, data: None }
    }

    fn names(members: &[Member]) -> Vec<&str> {
        members.iter().map(|member| &*member.client_id).collect()
    }

    #[test]
    fn changes_are_told_together_within_a_second() {
        let mut roster = Roster::default();
        let due = roster.join(member("a"), 1000).expect("the first change sets the time");
        assert!(due < 2000);
        assert_eq!(roster.join(member("b"), 1001), None);
        assert!(roster.poll_change(due - 1).is_none());
        let change = roster.poll_change(due).expect("it is due");
        assert_eq!(names(&change.joined), ["a", "b"]);
        assert_eq!((change.count, change.complete), (2, true));
        assert!(roster.poll_change(due + 5000).is_none(), "told once");
    }

    #[test]
    fn who_comes_and_goes_unheard_is_not_mentioned() {
        let mut roster = Roster::default();
        let due = roster.join(member("a"), 0).expect("due");
        roster.leave("a", 1);
        assert!(roster.poll_change(due).is_none());
        assert!(roster.is_empty());
    }

    #[test]
    fn who_goes_and_returns_unheard_has_changed() {
        let mut roster = Roster::default();
        let due = roster.join(member("a"), 0).expect("due");
        roster.poll_change(due);
        let due = roster.leave("a", 5000).expect("due");
        roster.join(member("a"), 5001);
        let change = roster.poll_change(due).expect("it is due");
        assert_eq!((names(&change.updated), change.left.len()), (vec!["a"], 0));
    }

    #[test]
    fn a_crowd_is_counted_and_not_all_named() {
        let mut roster = Roster::default();
        let due = roster.join(member("0"), 0).expect("due");
        for number in 1..1000 {
            roster.join(member(&number.to_string()), 1);
        }
        let change = roster.poll_change(due).expect("it is due");
        assert_eq!((change.joined.len(), change.count, change.complete), (NAMED_MAX, 1000, false));
    }

    #[test]
    fn pages_name_every_member_once() {
        let mut roster = Roster::default();
        for number in 0..25 {
            roster.join(member(&format!("{number:02}")), 0);
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = roster.page(after.as_deref(), 10);
            seen.extend(page.members.iter().map(|member| member.client_id.to_string()));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 25);
        assert!(seen.is_sorted());
    }
}
