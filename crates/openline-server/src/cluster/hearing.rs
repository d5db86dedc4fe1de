//! What becomes of what other nodes say.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use openline_engine::{self as engine, Mark, Part, Roster};
use openline_protocol::{ChannelName, Data, Member};

use super::Cluster;
use super::message::{Heartbeat, Members, Message, News};
use super::wire::{At, Name};
use crate::broker::NodeId;
use crate::node::Node;

impl Cluster {
    /// Something came by [`Link::cast`](crate::broker::Link::cast) or
    /// [`Link::tell`](crate::broker::Link::tell).
    pub(super) fn hear_told(&self, node: &Arc<Node>, from: NodeId, message: Message) {
        match message {
            Message::Heartbeat(heartbeat) => self.hear_heartbeat(from, heartbeat),
            Message::Bye => {
                if self.peers().bye(from.0) {
                    self.peer_gone(node, from);
                }
            }
            Message::AskMembers { ask, channels } => self.answer_members(from, ask, channels),
            Message::AskMore { ask, channel, after } => {
                self.tell_part(from, ask, &channel.0, Some(after));
            }
            Message::Forwarded(piece) => {
                if let Some(forwards) = &node.forwards {
                    forwards.told(from, piece);
                }
            }
            // Of one that is not known everything is asked for once it is.
            _ if !self.knows(from) => {}
            Message::Members(members) => self.hear_members(node, from, members),
            Message::Counted(counted) => self.hear_counted(node, from, counted),
            Message::Answered { ask, told } => self.hear_answered(from, ask, told),
            Message::Digest { heads, vacated } => self.hear_digest(node, from, heads, vacated),
            Message::Mail { to, event, data, is_volatile, timestamp } => {
                let data = Data::from(data);
                crate::app::hear_mail(node, to, &event, &data, is_volatile, timestamp);
            }
            Message::Dismiss { to, reason } => crate::app::hear_dismiss(node, to, &reason),
            Message::Move { to, room, join } => crate::app::hear_move(node, to, room.0, join),
            Message::Replace { user } => self.hear_replace(node, from, &user),
            Message::AskRevoked { after } => self.tell_revoked(node, from, after),
            Message::Revoked { entries, more } => self.hear_revoked(node, from, entries, more),
            Message::Question { number, question } => {
                self.answer_question(node, from, number, question);
            }
            Message::Answer { number, answer } => self.hear_answer(from, number, answer),
            // They are said to those who listen to a channel.
            Message::News(_) | Message::Vacated { .. } | Message::Broadcast { .. } => {}
        }
    }

    /// Something came by [`Link::emit`](crate::broker::Link::emit).
    pub(super) fn hear_emitted(
        &self,
        node: &Arc<Node>,
        from: NodeId,
        channel: &ChannelName,
        message: Message,
    ) {
        if !self.knows(from) {
            return;
        }
        match message {
            Message::News(news) => self.hear_news(node, from, channel, news),
            Message::Vacated { life } => self.hear_vacated(node, from, channel, life),
            _ => {}
        }
    }

    fn hear_heartbeat(&self, from: NodeId, heartbeat: Heartbeat) {
        let (now, has_rosters) = (self.clock.now_ms(), heartbeat.rosters > 0);
        let breaks = heartbeat.breaks;
        let mut peers = self.peers();
        let before = peers.about(from.0).map(|about| about.breaks);
        let heard = peers.heard(from.0, heartbeat, now);
        drop(peers);
        if heard == engine::Heartbeat::New {
            self.peer_met(from, has_rosters);
        } else if before.is_some_and(|before| before != breaks) {
            self.compare_all(from);
            self.learn_from(from);
        }
    }

    /// A node is heard for the first time, or for the first time since it was gone.
    fn peer_met(&self, from: NodeId, has_rosters: bool) {
        // So that it need not wait for the next heartbeat to know this node.
        self.say_hello(from);
        self.tell_all_counted(Some(from));
        self.learn_from(from);
        if has_rosters {
            self.compare_all(from);
        }
    }

    /// A node has stopped, or is not heard any more.
    pub(super) fn peer_gone(&self, node: &Arc<Node>, gone: NodeId) {
        self.ask_no_more(gone);
        self.limits.gone(node.settings().guard.counted_lines(), gone);
        if let Some(forwards) = &node.forwards {
            forwards.gone(gone);
        }
        self.learn_no_more(gone);
        self.inquire_no_more(gone);
        for (channel, due) in self.interest.forget_node(gone, self.clock.now_ms()) {
            node.exchange.tell_change(&channel, Some(due));
        }
    }

    /// Something may have been missed: from all others, and by them.
    pub(super) fn begin_anew(&self, node: &Node) {
        self.tell_all_counted(None);
        self.breaks.fetch_add(1, Ordering::Relaxed);
        let _ = self.cast(&Message::Heartbeat(self.heartbeat(node)));
        let peers: Vec<_> = self.peers().iter().map(|(node, _)| NodeId(node)).collect();
        for peer in peers {
            self.compare_all(peer);
            self.learn_from(peer);
        }
    }

    fn hear_news(&self, node: &Node, from: NodeId, channel: &ChannelName, news: News) {
        let news = engine::News {
            mark: Mark::from(news.at),
            count: news.count,
            here: news.here.into_iter().map(Member::from).collect(),
            left: news.left,
            incomplete: news.incomplete,
        };
        let now = self.clock.now_ms();
        let hear = |roster: &mut Roster, room| roster.hear_news(from.0, news, room, now);
        let heard = self.interest.hear(channel, hear);
        node.exchange.tell_change(channel, heard.change_due);
        if heard.is_behind {
            self.pull(from, channel);
        }
    }

    fn hear_members(&self, node: &Node, from: NodeId, members: Members) {
        let Name(channel) = members.channel;
        if let Some(after) = &members.after
            && !self.is_pulled(from, &channel, after)
        {
            return;
        }
        if members.after.is_none() {
            self.hear_begun(from, members.ask);
        }
        let now = self.clock.now_ms();
        let Some(at) = members.at else {
            let due = self.interest.hear(&channel, |roster, _| roster.forget_node(from.0, now));
            node.exchange.tell_change(&channel, due);
            return self.pulled(from, &channel, None);
        };
        let part = Part {
            mark: Mark::from(at),
            count: members.count,
            after: members.after,
            members: members.members.into_iter().map(Member::from).collect(),
            until: members.until,
        };
        let hear = |roster: &mut Roster, room| roster.hear_part(from.0, part, room, now);
        let heard = self.interest.hear(&channel, hear);
        node.exchange.tell_change(&channel, heard.change_due);
        match heard.is_behind {
            true => self.pull(from, &channel),
            false => self.pulled(from, &channel, heard.more),
        }
    }

    fn hear_vacated(&self, node: &Node, from: NodeId, channel: &ChannelName, life: u64) {
        let now = self.clock.now_ms();
        let due = self.interest.hear(channel, |roster, _| {
            let is_later = roster.heard_until(from.0).is_some_and(|mark| mark.life > life);
            if is_later { None } else { roster.forget_node(from.0, now) }
        });
        node.exchange.tell_change(channel, due);
    }

    fn hear_digest(
        &self,
        node: &Node,
        from: NodeId,
        heads: Vec<(Name, At)>,
        vacated: Vec<(Name, u64)>,
    ) {
        for (Name(channel), at) in heads {
            let known = self.interest.with_roster(&channel, |roster| roster.heard_until(from.0));
            if known.is_some_and(|known| known.is_none_or(|known| known < Mark::from(at))) {
                self.pull(from, &channel);
            }
        }
        for (Name(channel), life) in vacated {
            self.hear_vacated(node, from, &channel, life);
        }
    }
}
