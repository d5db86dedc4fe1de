//! What other nodes have told about their members.

use std::collections::HashSet;
use std::ops::Bound;
use std::sync::Arc;

use openline_protocol::Member;

use super::{Present, Roster};
use crate::news::{Mark, News, Part};
use crate::peers::NodeKey;

/// Members of one node on one channel that are known by name; more are counted.
const NAMES_MAX: usize = 100_000;

/// What a node has told.
#[derive(Debug)]
pub(super) struct Remote {
    node: NodeKey,
    /// How far its news are that were heard; none if that is not known.
    mark: Option<Mark>,
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
        self.remote.iter().find(|remote| remote.node == node)?.mark
    }

    /// Whether anything was heard of a node that still holds, though perhaps not all.
    pub fn has_heard(&self, node: NodeKey) -> bool {
        self.remote.iter().any(|remote| remote.node == node)
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
        remote.mark = Some(news.mark);
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
            remote.mark = Some(part.mark);
        }
        remote.count = part.count;
        heard.more = part.until;
        heard
    }

    /// What was heard of a node may be incomplete: its next news are taken for such after which
    /// everything is to be asked for.
    pub fn doubt(&mut self, node: NodeKey) {
        if let Some(remote) = self.remote.iter_mut().find(|remote| remote.node == node) {
            remote.mark = None;
        }
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
            self.remote.push(Remote { node, mark: None, count: 0, names: 0 });
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
                if *room == 0 || remote.names >= NAMES_MAX {
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
