//! Asking other nodes who is with them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_protocol::ChannelName;
use tokio::sync::watch;

use super::Cluster;
use super::message::Message;
use super::wire::{At, Name};
use crate::broker::NodeId;
use openline_engine::Mark;

/// How long a node has to answer before it is asked again: each time twice as long as before, up to
/// half a minute.
const PATIENCE_MS: u64 = 1000;
const DOUBLED_MAX: u32 = 5;

/// How long the first subscriber of a channel waits for the answers.
const MEET_MAX: Duration = Duration::from_millis(500);

/// Channels asked about at a time.
const CHANNELS_MAX: usize = 200;

/// A point that no news are at, so that all of them are told.
const NOWHERE: Mark = Mark { life: 0, seq: 0 };

/// What was asked and is not answered yet.
#[derive(Debug, Default)]
pub(super) struct Asking {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    number: u64,
    asks: HashMap<u64, Ask>,
    /// Members that come in parts.
    pulls: HashMap<(NodeId, ChannelName), Pull>,
    /// Channels still to be compared with a node, when nothing of before can be relied on.
    walks: HashMap<NodeId, VecDeque<ChannelName>>,
    /// Channels whose first subscribers wait; ready when the sender is gone.
    meetings: HashMap<ChannelName, watch::Receiver<()>>,
}

/// A question about channels, to one node or several.
#[derive(Debug)]
struct Ask {
    /// The nodes that have not answered, with how many first parts came from each.
    waiting: BTreeMap<NodeId, u32>,
    channels: Vec<ChannelName>,
    tries: Tries,
    /// Gone when all have answered.
    met: Option<watch::Sender<()>>,
}

/// A channel's members, one part after the other, from one node.
#[derive(Debug)]
struct Pull {
    ask: u64,
    after: Option<Arc<str>>,
    tries: Tries,
}

/// When something was asked last, and how often it was.
#[derive(Debug, Clone, Copy)]
struct Tries {
    asked_ms: u64,
    count: u32,
}

impl Tries {
    fn first(now: u64) -> Self {
        Self { asked_ms: now, count: 1 }
    }

    /// Whether the time to answer is over; begins the next try if so.
    fn is_over(&mut self, now: u64) -> bool {
        let patience_ms = PATIENCE_MS << (self.count - 1).min(DOUBLED_MAX);
        let is_over = now.saturating_sub(self.asked_ms) >= patience_ms;
        if is_over {
            *self = Self { asked_ms: now, count: self.count.saturating_add(1) };
        }
        is_over
    }
}

impl Asking {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nothing under this lock panics")
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// A node has answered or is gone.
    fn settle(&mut self, ask: u64, node: NodeId) {
        let Some(open) = self.asks.get_mut(&ask) else { return };
        open.waiting.remove(&node);
        if open.waiting.is_empty() {
            self.close(ask);
        }
    }

    fn close(&mut self, ask: u64) {
        let Some(closed) = self.asks.remove(&ask) else { return };
        if closed.met.is_some() {
            for channel in &closed.channels {
                self.meetings.remove(channel);
            }
        }
    }
}

impl Cluster {
    /// Waits until the other nodes have told who is with them on a channel, but no longer than half a
    /// second. Whoever comes first has them asked.
    pub(crate) async fn meet(&self, channel: &ChannelName) {
        let meeting = match self.interest.is_to_ask(channel) {
            true => self.ask_all(channel),
            false => self.asking.state().meetings.get(channel).cloned(),
        };
        if let Some(mut meeting) = meeting {
            let _ = tokio::time::timeout(MEET_MAX, meeting.changed()).await;
        }
    }

    fn ask_all(&self, channel: &ChannelName) -> Option<watch::Receiver<()>> {
        let waiting: BTreeMap<_, _> =
            self.peers().iter().map(|(node, _)| (NodeId(node), 0)).collect();
        if waiting.is_empty() {
            return None;
        }
        let (met, meeting) = watch::channel(());
        let mut state = self.asking.state();
        let ask = state.next();
        state.meetings.insert(channel.clone(), meeting.clone());
        let (channels, tries) = (vec![channel.clone()], Tries::first(self.clock.now_ms()));
        state.asks.insert(ask, Ask { waiting, channels, tries, met: Some(met) });
        drop(state);
        let channels = vec![(Name(channel.clone()), None)];
        let _ = self.cast(&Message::AskMembers { ask, channels });
        Some(meeting)
    }

    /// Compares all channels that have members here with what a node has, some at a time.
    pub(super) fn compare_all(&self, node: NodeId) {
        let rosters = self.interest.rosters();
        self.asking.state().walks.insert(node, rosters.into());
        self.compare_some(node);
    }

    fn compare_some(&self, node: NodeId) {
        let mut state = self.asking.state();
        let Some(walk) = state.walks.get_mut(&node) else { return };
        let count = walk.len().min(CHANNELS_MAX);
        let channels: Vec<ChannelName> = walk.drain(..count).collect();
        if walk.is_empty() {
            state.walks.remove(&node);
        }
        if channels.is_empty() {
            return;
        }
        let ask = state.next();
        let (waiting, tries) = (BTreeMap::from([(node, 0)]), Tries::first(self.clock.now_ms()));
        let open = Ask { waiting, channels: channels.clone(), tries, met: None };
        state.asks.insert(ask, open);
        drop(state);
        self.ask(node, ask, &channels);
    }

    fn ask(&self, node: NodeId, ask: u64, channels: &[ChannelName]) {
        let known = |channel: &ChannelName| {
            let mark = self.interest.with_roster(channel, |roster| roster.heard_until(node.0));
            mark.flatten().map(At::from)
        };
        let channels = channels.iter().map(|channel| (Name(channel.clone()), known(channel)));
        let _ = self.tell(node, &Message::AskMembers { ask, channels: channels.collect() });
    }

    /// The first part of a channel's members came.
    pub(super) fn hear_begun(&self, from: NodeId, ask: u64) {
        let mut state = self.asking.state();
        let waiting = state.asks.get_mut(&ask).and_then(|ask| ask.waiting.get_mut(&from));
        if let Some(begun) = waiting {
            *begun += 1;
        }
    }

    /// An answer is complete if so many first parts came. Otherwise it is asked for again in time.
    pub(super) fn hear_answered(&self, from: NodeId, ask: u64, told: u32) {
        let mut state = self.asking.state();
        let begun = state.asks.get(&ask).and_then(|ask| ask.waiting.get(&from).copied());
        if begun.is_none_or(|begun| begun < told) {
            return;
        }
        state.settle(ask, from);
        drop(state);
        self.compare_some(from);
    }

    /// Has all members told that a node has on a channel.
    pub(super) fn pull(&self, node: NodeId, channel: &ChannelName) {
        self.pull_from(node, channel, None);
    }

    /// The same behind a client; ends the pull where there is none and it has begun.
    pub(super) fn pulled(&self, node: NodeId, channel: &ChannelName, more: Option<Arc<str>>) {
        match more {
            Some(after) => self.pull_from(node, channel, Some(after)),
            None => drop(self.asking.state().pulls.remove(&(node, channel.clone()))),
        }
    }

    /// Whether the part that begins behind this client is the one that is waited for.
    pub(super) fn is_pulled(&self, node: NodeId, channel: &ChannelName, after: &str) -> bool {
        let state = self.asking.state();
        let pull = state.pulls.get(&(node, channel.clone()));
        pull.is_some_and(|pull| pull.after.as_deref() == Some(after))
    }

    fn pull_from(&self, node: NodeId, channel: &ChannelName, after: Option<Arc<str>>) {
        let mut state = self.asking.state();
        let now = self.clock.now_ms();
        let key = (node, channel.clone());
        let is_asked = state.pulls.get(&key).is_some_and(|pull| {
            pull.after.is_none() && now.saturating_sub(pull.tries.asked_ms) < PATIENCE_MS / 4
        });
        if after.is_none() && is_asked {
            return;
        }
        let ask = state.next();
        state.pulls.insert(key, Pull { ask, after: after.clone(), tries: Tries::first(now) });
        drop(state);
        self.ask_part(node, ask, channel, after);
    }

    fn ask_part(&self, node: NodeId, ask: u64, channel: &ChannelName, after: Option<Arc<str>>) {
        let name = Name(channel.clone());
        let message = match after {
            Some(after) => Message::AskMore { ask, channel: name, after },
            None => Message::AskMembers { ask, channels: vec![(name, Some(At::from(NOWHERE)))] },
        };
        let _ = self.tell(node, &message);
    }

    /// Asks again what was not answered in time, more and more seldom: nodes that live answer, and of
    /// those that do not nothing is asked any more.
    pub(super) fn ask_again(&self) {
        let now = self.clock.now_ms();
        let is_wanted =
            |channel: &ChannelName| self.interest.with_roster(channel, |_| ()).is_some();
        let (mut asks, mut pulls, mut over) = (Vec::new(), Vec::new(), Vec::new());
        let mut state = self.asking.state();
        for (number, ask) in &mut state.asks {
            if !ask.tries.is_over(now) {
                continue;
            }
            let channels: Vec<_> =
                ask.channels.iter().filter(|channel| is_wanted(channel)).cloned().collect();
            if channels.is_empty() {
                over.push((*number, ask.waiting.clone()));
                continue;
            }
            for (node, begun) in &mut ask.waiting {
                *begun = 0;
                asks.push((*node, *number, channels.clone()));
            }
        }
        for (ask, _) in &over {
            state.close(*ask);
        }
        state.pulls.retain(|(node, channel), pull| {
            if !pull.tries.is_over(now) {
                return true;
            }
            let is_wanted = is_wanted(channel);
            if is_wanted {
                pulls.push((*node, channel.clone(), pull.ask, pull.after.clone()));
            }
            is_wanted
        });
        drop(state);
        for (node, ask, channels) in asks {
            self.ask(node, ask, &channels);
        }
        for (node, channel, ask, after) in pulls {
            self.ask_part(node, ask, &channel, after);
        }
        for node in over.into_iter().flat_map(|(_, waiting)| waiting.into_keys()) {
            self.compare_some(node);
        }
    }

    /// A node that is gone answers nothing.
    pub(super) fn ask_no_more(&self, node: NodeId) {
        let mut state = self.asking.state();
        state.walks.remove(&node);
        state.pulls.retain(|(of, _), _| *of != node);
        let asks: Vec<u64> = state.asks.keys().copied().collect();
        for ask in asks {
            state.settle(ask, node);
        }
    }
}
