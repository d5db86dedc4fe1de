//! What ends lines on other nodes, and what was taken back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use super::Cluster;
use super::message::Message;
use super::revoked::Revoked;
use crate::auth::Yield;
use crate::broker::NodeId;
use crate::clock::Clock;
use crate::exchange::Ending;
use crate::node::Node;
use crate::session::{Expelled, Whom};
use openline_protocol::close;

/// Revocations in one message.
const REVOKED_MAX: usize = 2000;

/// How long a node has to tell what was taken back before it is asked again, and how often it is.
const PATIENCE_MS: u64 = 2000;
const TRIES_MAX: u8 = 3;

/// From whom this node has still to learn what was taken back: one after the other.
#[derive(Debug, Default)]
pub(super) struct Learning {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The first of them is asked now.
    nodes: VecDeque<NodeId>,
    after: Option<Revoked>,
    asked_ms: u64,
    tries: u8,
}

impl Learning {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing under this lock panics")
    }
}

impl Cluster {
    /// A user has opened a line here: where there may be but one, those on other nodes end.
    pub(crate) fn replace(&self, user: &Arc<str>) {
        let _ = self.cast(&Message::Replace { user: user.clone() });
    }

    pub(super) fn hear_replace(&self, node: &Node, from: NodeId, user: &Arc<str>) {
        match node.user_lines.yield_line(user, from > self.me) {
            Yield::Nothing => {}
            Yield::Ends(number) => {
                let ending = Ending::new(close::DUPLICATE, "the user connected again");
                node.expel(Expelled::new(Whom::Line(number), ending));
            }
            // Both came at the same time, and this one stays.
            Yield::Stays => {
                let _ = self.tell(from, &Message::Replace { user: user.clone() });
            }
        }
    }

    /// Learns what a node knows to have been taken back.
    pub(super) fn learn_from(&self, node: NodeId) {
        let mut state = self.learning.state();
        if !state.nodes.contains(&node) {
            state.nodes.push_back(node);
        }
        let is_first = state.nodes.len() == 1;
        drop(state);
        if is_first {
            self.learn_next(None);
        }
    }

    /// Asks the first of them, from its beginning or behind what it has told.
    fn learn_next(&self, after: Option<Revoked>) {
        let mut state = self.learning.state();
        let Some(node) = state.nodes.front().copied() else { return };
        state.after.clone_from(&after);
        (state.asked_ms, state.tries) = (self.clock.now_ms(), 1);
        drop(state);
        let _ = self.tell(node, &Message::AskRevoked { after });
    }

    pub(super) fn tell_revoked(&self, node: &Node, to: NodeId, after: Option<Revoked>) {
        let after = after.map(|revoked| revoked.subject.into());
        let revocations = &node.revocations;
        let (page, more) = revocations.page(after.as_ref(), REVOKED_MAX, Clock::wall_seconds());
        let revoked = |(subject, since, until): (crate::auth::Subject, u64, u64)| Revoked {
            subject: subject.into(),
            since,
            until,
        };
        let entries = page.into_iter().map(revoked).collect();
        let _ = self.tell(to, &Message::Revoked { entries, more });
    }

    pub(super) fn hear_revoked(
        &self,
        node: &Node,
        from: NodeId,
        entries: Vec<Revoked>,
        more: bool,
    ) {
        let last = entries.last().cloned();
        let revocations = &node.revocations;
        let mut is_news = false;
        for Revoked { subject, since, until } in entries {
            let subject = subject.into();
            if !revocations.has(&subject, since, until) {
                // What does not fit is refused to everybody, and so it is here.
                is_news |= revocations.revoke(subject, since, until).is_ok();
            }
        }
        if is_news {
            node.expel(Expelled::new(
                Whom::Revoked,
                Ending::new(close::INVALID_AUTH, "token revoked"),
            ));
        }
        if self.learning.state().nodes.front() != Some(&from) {
            return;
        }
        match last.filter(|_| more) {
            Some(last) => self.learn_next(Some(last)),
            None => self.learn_no_more(from),
        }
    }

    /// There is no more to learn from a node.
    pub(super) fn learn_no_more(&self, node: NodeId) {
        let mut state = self.learning.state();
        let was_first = state.nodes.front() == Some(&node);
        state.nodes.retain(|other| *other != node);
        drop(state);
        if was_first {
            self.learn_next(None);
        }
    }

    /// Asks again what was not answered in time.
    pub(super) fn learn_again(&self) {
        let now = self.clock.now_ms();
        let mut state = self.learning.state();
        let Some(node) = state.nodes.front().copied() else { return };
        if now.saturating_sub(state.asked_ms) < PATIENCE_MS {
            return;
        }
        if state.tries >= TRIES_MAX {
            drop(state);
            return self.learn_no_more(node);
        }
        state.tries += 1;
        state.asked_ms = now;
        let after = state.after.clone();
        drop(state);
        let _ = self.tell(node, &Message::AskRevoked { after });
    }
}
