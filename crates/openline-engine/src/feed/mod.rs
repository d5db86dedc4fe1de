//! [`Feed`]: what a node listens to, of channels whose entries are ordered and kept elsewhere.

mod channel;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use openline_protocol::{ChannelName, Position, Publication};

use crate::stream::Recovery;
use channel::{Channel, Entry, Follows, Phase, Room, excepted, joins};

/// The bounds of a feed.
#[derive(Debug, Clone, Copy)]
pub struct FeedLimits {
    /// Entries of one channel that are held while what is before them is read.
    pub held_max: usize,
    /// Bytes that the held entries of all channels take, about.
    pub held_bytes_max: usize,
    /// Channels that are asked for at once.
    pub batch_max: usize,
    /// Reads at the same time.
    pub reads_max: usize,
    /// Milliseconds from one look at all heads to the next.
    pub probe_interval_ms: u64,
}

/// The store did not do what it was asked. It is asked again with a later [`Feed::tick`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAnswer;

/// What is to be done.
#[derive(Debug, Clone)]
pub enum FeedEffect {
    /// Subscribe to these, then ask for their heads; [`Feed::handle_subscribed`] is owed.
    Subscribe(Vec<ChannelName>),
    /// Unsubscribe from these; [`Feed::handle_unsubscribed`] is owed.
    Unsubscribe(Vec<ChannelName>),
    /// Ask where these are; [`Feed::handle_heads`] is owed.
    Locate(Vec<ChannelName>),
    /// Read what a channel has after a position; [`Feed::handle_read`] is owed with the number.
    Read {
        /// Of the read.
        number: u64,
        /// Which channel.
        channel: ChannelName,
        /// After this.
        since: Position,
    },
    /// The next entry of its channel, to be handed on.
    HandOn {
        /// The entry.
        publication: Arc<Publication>,
        /// A client that does not get it.
        except: Option<Arc<str>>,
    },
    /// What listeners of a channel got last cannot be gone on from.
    Lost {
        /// Which channel.
        channel: ChannelName,
        /// What is handed on next follows on this.
        head: Position,
    },
    /// What is published to the channel from now on is handed on, or it is lost.
    Ready(ChannelName),
    /// All channels are heard again after [`Feed::handle_up`] or [`Feed::handle_stall`].
    Whole,
}

/// What a node listens to.
///
/// Inputs are the `handle_` functions and those of what is wanted; after each, [`Feed::poll_effect`]
/// says what is to be done, in order. Of subscriptions and of heads there is one question at a time,
/// so that no two answers can overtake each other.
///
/// *Invariant:* what is handed on of a channel is the entry behind the last one, by its tag, or
/// [`FeedEffect::Lost`] stands between them.
#[derive(Debug)]
pub struct Feed {
    channels: BTreeMap<ChannelName, Channel>,
    limits: FeedLimits,
    room: Room,
    linked: bool,
    effects: VecDeque<FeedEffect>,
    to_subscribe: BTreeSet<ChannelName>,
    to_unsubscribe: BTreeSet<ChannelName>,
    /// Could not be subscribed to, and are again with the next tick.
    refused: BTreeSet<ChannelName>,
    asked: Option<Asked>,
    probe: Probe,
    /// Heads ahead of what was handed on, which may only be on its way: those that were told since the
    /// last tick, and those before, which are judged with the next.
    doubts: [Vec<(ChannelName, Position)>; 2],
    to_read: VecDeque<ChannelName>,
    /// Could not be read, and are again with the next tick.
    unread: Vec<ChannelName>,
    reads: usize,
    read_number: u64,
    owes_whole: bool,
}

/// A question about subscriptions that is not answered.
#[derive(Debug)]
struct Asked {
    channels: Vec<ChannelName>,
    /// The link went down since: what it says is of one that is gone.
    stale: bool,
}

/// The look at all heads, which goes over the channels by their names.
#[derive(Debug, Default)]
struct Probe {
    /// The last channel that is through; none while no look is under way.
    reached: Option<Bound<ChannelName>>,
    asked: Option<Asked>,
    /// The last question was not answered: asked again with the next tick.
    waits: bool,
    begun_ms: Option<u64>,
}

impl Feed {
    /// Listens to nothing, and has no link.
    pub fn new(limits: FeedLimits) -> Self {
        let room =
            Room { entries_max: limits.held_max, bytes_max: limits.held_bytes_max, bytes: 0 };
        Self {
            channels: BTreeMap::new(),
            limits,
            room,
            linked: false,
            effects: VecDeque::new(),
            to_subscribe: BTreeSet::new(),
            to_unsubscribe: BTreeSet::new(),
            refused: BTreeSet::new(),
            asked: None,
            probe: Probe::default(),
            doubts: [Vec::new(), Vec::new()],
            to_read: VecDeque::new(),
            unread: Vec::new(),
            reads: 0,
            read_number: 0,
            owes_whole: false,
        }
    }

    /// What is to be done next.
    pub fn poll_effect(&mut self) -> Option<FeedEffect> {
        self.effects.pop_front()
    }

    /// Channels that are listened to.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether nothing is listened to.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Whether the channel is listened to, and what is published to it is heard.
    pub fn is_ready(&self, channel: &ChannelName) -> bool {
        self.channels.get(channel).is_some_and(|state| state.phase != Phase::Subscribing)
    }

    /// Listens to a channel. [`FeedEffect::Ready`] follows, unless [`Feed::is_ready`] says that it is.
    pub fn want(&mut self, channel: &ChannelName) {
        if self.channels.contains_key(channel) {
            return;
        }
        self.channels.insert(channel.clone(), Channel::new());
        self.to_unsubscribe.remove(channel);
        if self.linked {
            self.to_subscribe.insert(channel.clone());
        }
        self.ask();
    }

    /// Does not listen to a channel any more.
    pub fn unwant(&mut self, channel: &ChannelName) {
        let Some(mut state) = self.channels.remove(channel) else { return };
        state.release(&mut self.room);
        self.to_subscribe.remove(channel);
        self.refused.remove(channel);
        if self.linked {
            self.to_unsubscribe.insert(channel.clone());
        }
        self.ask();
    }

    /// The link is there, also for the first time; all subscriptions have to be made anew.
    pub fn handle_up(&mut self) {
        self.handle_down();
        self.linked = true;
        self.owes_whole = true;
        self.to_subscribe = self.channels.keys().cloned().collect();
        self.ask();
    }

    /// The link is gone, and all subscriptions with it.
    pub fn handle_down(&mut self) {
        self.linked = false;
        for state in self.channels.values_mut() {
            state.release(&mut self.room);
            state.phase = Phase::Subscribing;
        }
        self.to_subscribe.clear();
        self.to_unsubscribe.clear();
        self.refused.clear();
        self.drop_questions();
        self.probe.reached = None;
        for asked in [&mut self.asked, &mut self.probe.asked].into_iter().flatten() {
            asked.stale = true;
        }
    }

    /// The node stood still for so long that it cannot know what it missed: all heads are compared
    /// before anything more is handed on.
    pub fn handle_stall(&mut self) {
        if !self.linked {
            return;
        }
        for state in self.channels.values_mut() {
            if state.phase != Phase::Subscribing {
                state.phase = Phase::Locating;
            }
        }
        self.drop_questions();
        if let Some(asked) = &mut self.probe.asked {
            asked.stale = true;
        }
        self.probe.reached = Some(Bound::Unbounded);
        self.owes_whole = true;
        self.ask();
    }

    /// Time goes on; to be called a few times a second.
    pub fn tick(&mut self, now_ms: u64) {
        self.to_subscribe.append(&mut self.refused);
        self.to_read.extend(self.unread.drain(..));
        self.judge_doubts();
        self.probe.waits = false;
        let since = *self.probe.begun_ms.get_or_insert(now_ms);
        let due = now_ms.saturating_sub(since) >= self.limits.probe_interval_ms;
        if self.linked && due && self.probe.reached.is_none() {
            self.probe.begun_ms = Some(now_ms);
            self.probe.reached = Some(Bound::Unbounded);
        }
        self.ask();
    }

    /// What [`FeedEffect::Subscribe`] came to: the heads in the order of its channels.
    pub fn handle_subscribed(&mut self, heads: Result<Vec<Option<Position>>, NoAnswer>) {
        let Some(Asked { channels, stale }) = self.asked.take() else { return };
        if !stale {
            match heads {
                Ok(heads) => {
                    for (channel, head) in channels.into_iter().zip(heads) {
                        self.subscribed(channel, head);
                    }
                }
                Err(NoAnswer) => {
                    let wanted = |channel: &ChannelName| self.channels.contains_key(channel);
                    self.refused.extend(channels.into_iter().filter(wanted));
                }
            }
        }
        self.ask();
    }

    /// [`FeedEffect::Unsubscribe`] is done.
    pub fn handle_unsubscribed(&mut self) {
        self.asked = None;
        self.ask();
    }

    /// What [`FeedEffect::Locate`] came to: the heads in the order of its channels.
    pub fn handle_heads(&mut self, heads: Result<Vec<Option<Position>>, NoAnswer>) {
        let Some(Asked { channels, stale }) = self.probe.asked.take() else { return };
        match heads {
            _ if stale => {}
            Ok(heads) => {
                self.probe.reached = channels.last().cloned().map(Bound::Excluded);
                for (channel, head) in channels.into_iter().zip(heads) {
                    self.located(channel, head);
                }
            }
            Err(NoAnswer) => self.probe.waits = true,
        }
        self.ask();
    }

    /// What [`FeedEffect::Read`] came to.
    pub fn handle_read(
        &mut self,
        number: u64,
        channel: &ChannelName,
        read: Result<Recovery, NoAnswer>,
    ) {
        self.reads = self.reads.saturating_sub(1);
        if let Some(state) = self.channels.get_mut(channel)
            && let Phase::Reading { number: current, known } = state.phase
            && current == number
        {
            match read {
                Ok(recovery) => self.read(channel, known, recovery),
                Err(NoAnswer) => {
                    state.phase = Phase::Due;
                    self.unread.push(channel.clone());
                }
            }
        }
        self.ask();
    }

    /// The store said that this was published.
    pub fn handle_arrived(&mut self, publication: Arc<Publication>, except: Option<Arc<str>>) {
        self.arrived((publication, except));
        self.ask();
    }

    fn arrived(&mut self, entry: Entry) {
        let Some(state) = self.channels.get_mut(&entry.0.channel) else { return };
        let Some(position) = entry.0.position else { return self.hand_on(entry) };
        if state.phase != Phase::Live {
            return state.hold(entry, &mut self.room);
        }
        match state.follow(position, entry.0.prev_tag) {
            Follows::Next => self.hand_on(entry),
            Follows::Seen => {}
            Follows::Gap => {
                let channel = entry.0.channel.clone();
                state.hold(entry, &mut self.room);
                self.begin_reading(channel);
            }
        }
    }

    fn subscribed(&mut self, channel: ChannelName, head: Option<Position>) {
        // One that is to be subscribed to again was left meanwhile, and is a new one.
        if self.to_subscribe.contains(&channel) {
            return;
        }
        let Some(state) = self.channels.get_mut(&channel) else { return };
        if !state.joined {
            (state.joined, state.at) = (true, head);
        }
        state.phase = Phase::Locating;
        self.effects.push_back(FeedEffect::Ready(channel.clone()));
        self.located(channel, head);
    }

    /// A channel's head was read after the channel was subscribed to.
    fn located(&mut self, channel: ChannelName, head: Option<Position>) {
        let Some(state) = self.channels.get_mut(&channel) else { return };
        state.begin(head);
        match state.phase {
            Phase::Live if state.is_behind(head) => {
                self.doubts[0].extend(head.map(|head| (channel, head)));
            }
            Phase::Live | Phase::Locating => {
                if state.at != head {
                    self.begin_reading(channel);
                } else if state.phase == Phase::Locating {
                    self.go_live(&channel, 0);
                }
            }
            // It is compared when that is done.
            Phase::Subscribing | Phase::Due | Phase::Reading { .. } => {}
        }
    }

    /// What was on its way has come by now.
    fn judge_doubts(&mut self) {
        let judged = std::mem::take(&mut self.doubts[1]);
        self.doubts.swap(0, 1);
        for (channel, head) in judged {
            let state = self.channels.get(&channel);
            if state.is_some_and(|state| state.phase == Phase::Live && !state.has(head)) {
                self.begin_reading(channel);
            }
        }
    }

    fn drop_questions(&mut self) {
        self.to_read.clear();
        self.unread.clear();
        self.doubts = [Vec::new(), Vec::new()];
    }

    fn begin_reading(&mut self, channel: ChannelName) {
        if let Some(state) = self.channels.get_mut(&channel) {
            state.phase = Phase::Due;
            self.to_read.push_back(channel);
        }
    }

    fn read(&mut self, channel: &ChannelName, known: usize, recovery: Recovery) {
        let Some(state) = self.channels.get_mut(channel) else { return };
        match recovery.missed {
            Ok(missed) if joins(state.place(), &missed, recovery.head) => {
                let excepted = excepted(state.held_entries());
                for publication in missed {
                    let except = publication.position.and_then(|at| excepted.get(&at).cloned());
                    self.effects.push_back(FeedEffect::HandOn { publication, except });
                }
            }
            _ => {
                let (channel, head) = (channel.clone(), recovery.head);
                self.effects.push_back(FeedEffect::Lost { channel, head });
            }
        }
        state.at = Some(recovery.head);
        self.go_live(channel, known);
    }

    /// Goes on with what was held, but for the first `known`: they had arrived before the channel was
    /// read, so they are in what was read, or the store has them no more.
    fn go_live(&mut self, channel: &ChannelName, known: usize) {
        let Some(state) = self.channels.get_mut(channel) else { return };
        state.phase = Phase::Live;
        let (held, overflowed) = state.release(&mut self.room);
        for entry in held.into_iter().skip(known) {
            self.arrived(entry);
        }
        if overflowed && self.channels.get(channel).is_some_and(|state| state.phase == Phase::Live)
        {
            self.begin_reading(channel.clone());
        }
    }

    fn hand_on(&mut self, (publication, except): Entry) {
        self.effects.push_back(FeedEffect::HandOn { publication, except });
    }

    /// Asks what can be asked now.
    fn ask(&mut self) {
        if !self.linked {
            return;
        }
        self.ask_for_subscriptions();
        self.ask_for_heads();
        self.ask_for_entries();
        let settled = self.to_subscribe.is_empty() && self.refused.is_empty();
        if self.owes_whole && settled && self.asked.is_none() && self.probe.reached.is_none() {
            self.owes_whole = false;
            self.effects.push_back(FeedEffect::Whole);
        }
    }

    fn ask_for_subscriptions(&mut self) {
        if self.asked.is_some() {
            return;
        }
        let (left, effect): (_, fn(_) -> _) = match self.to_unsubscribe.is_empty() {
            true => (&mut self.to_subscribe, FeedEffect::Subscribe),
            false => (&mut self.to_unsubscribe, FeedEffect::Unsubscribe),
        };
        let channels: Vec<_> =
            std::iter::from_fn(|| left.pop_first()).take(self.limits.batch_max).collect();
        if !channels.is_empty() {
            self.effects.push_back(effect(channels.clone()));
            self.asked = Some(Asked { channels, stale: false });
        }
    }

    fn ask_for_heads(&mut self) {
        if self.probe.asked.is_some() || self.probe.waits {
            return;
        }
        let Some(reached) = &self.probe.reached else { return };
        let left = self.channels.range::<ChannelName, _>((reached.as_ref(), Bound::Unbounded));
        let located =
            left.filter(|(_, state)| matches!(state.phase, Phase::Live | Phase::Locating));
        let channels: Vec<_> =
            located.map(|(name, _)| name.clone()).take(self.limits.batch_max).collect();
        if channels.is_empty() {
            self.probe.reached = None;
            return;
        }
        self.effects.push_back(FeedEffect::Locate(channels.clone()));
        self.probe.asked = Some(Asked { channels, stale: false });
    }

    fn ask_for_entries(&mut self) {
        while self.reads < self.limits.reads_max
            && let Some(channel) = self.to_read.pop_front()
        {
            let Some(state) = self.channels.get_mut(&channel) else { continue };
            let (Phase::Due, since) = (state.phase, state.place()) else { continue };
            self.reads += 1;
            self.read_number += 1;
            let number = self.read_number;
            state.phase = Phase::Reading { number, known: state.held_entries().len() };
            self.effects.push_back(FeedEffect::Read { number, channel, since });
        }
    }
}
