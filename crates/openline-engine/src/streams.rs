//! [`Streams`]: the streams of many channels, within one bound of memory.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use bytestring::ByteString;
use openline_protocol::{ChannelName, Data, Position, Publication, Reason, Sender};

use crate::keys::{Keys, Used};
use crate::stream::{Extent, History, Page, PageLimits, Query, Recovery, Settled, Stream};

/// Something to be published.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Where.
    pub channel: ChannelName,
    /// What kind of event it is.
    pub event: Option<ByteString>,
    /// What it says.
    pub data: Data,
    /// Who says it, where that is told.
    pub from: Option<Sender>,
    /// A retry with the same key is the same publication.
    pub key: Option<ByteString>,
    /// How much of the channel is kept; with a size of 0 the publication gets no position.
    pub history: History,
}

impl Draft {
    /// Whether something of it is remembered once it is handed on.
    pub fn is_remembered(&self) -> bool {
        self.history.size > 0 || self.key.is_some()
    }
}

/// What became of a draft.
#[derive(Debug, Clone)]
pub enum Ordered {
    /// It has its place. On a channel with history it waits for [`Streams::settle`].
    New(Arc<Publication>),
    /// It is a retry.
    Duplicate {
        /// The place of the first try.
        position: Option<Position>,
        /// When the first try was, in milliseconds since 1970.
        timestamp: u64,
        /// The first try is not settled.
        pending: bool,
    },
    /// The key was used for something else.
    Conflict {
        /// How long ago, in milliseconds.
        age_ms: u64,
    },
}

/// What a sweep did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// What the store is to remove.
    pub removed: Vec<u64>,
    /// A stream that had entries is not known any more.
    pub forgotten: bool,
}

/// The streams of many channels.
#[derive(Debug, Clone, Default)]
pub struct Streams {
    channels: HashMap<ChannelName, Channel>,
    /// The entries of all streams by their places in the store, the oldest first; some are gone
    /// already.
    oldest: VecDeque<(ChannelName, u64)>,
    entries: usize,
    bytes: usize,
    window_ms: u64,
    /// Names the streams that are made from here on.
    epoch: u32,
}

#[derive(Debug, Clone)]
struct Channel {
    stream: Stream,
    history: History,
    keys: Option<Box<Keys>>,
    /// Records that carry a key that is remembered, in the store's order: they stay in the store
    /// when they are trimmed.
    lingering: VecDeque<Lingering>,
    used_at: u64,
}

#[derive(Debug, Clone, Copy)]
struct Lingering {
    until: u64,
    sequence: u64,
    position: Option<Position>,
}

impl Streams {
    /// No streams. Keys are remembered for `window_ms`; for `epoch` see [`Streams::set_epoch`].
    pub fn new(window_ms: u64, epoch: u32) -> Self {
        Self { window_ms, epoch, ..Self::default() }
    }

    /// Names the streams that are made from here on. It is to be a new random number whenever a
    /// stream may have been lost or was forgotten ([`Swept::forgotten`]): a reader that knows the
    /// beginning of an empty stream would otherwise take the next one for it.
    pub fn set_epoch(&mut self, epoch: u32) {
        self.epoch = epoch;
    }

    /// Orders a draft. `tag` is a random number.
    pub fn order(&mut self, draft: Draft, tag: u64, now: u64) -> Ordered {
        let remembered = draft.is_remembered();
        let Draft { channel, event, data, from, key, history } = draft;
        let entry = |channel, event, data, from, position, prev_tag| {
            let timestamp = now;
            Arc::new(Publication { channel, event, data, position, prev_tag, timestamp, from })
        };
        if !remembered {
            return Ordered::New(entry(channel, event, data, from, None, 0));
        }
        let fingerprint = key.as_ref().map_or(0, |_| fingerprint(event.as_ref(), &data));
        let window_ms = self.window_ms;
        let state = self.channel(&channel, history, self.epoch, now);
        let used = key.as_ref().and_then(|key| state.keys.as_ref()?.find(key, now, window_ms));
        if let Some(used) = used {
            if used.fingerprint != fingerprint {
                return Ordered::Conflict { age_ms: now.saturating_sub(used.at) };
            }
            let pending = used.position.is_some_and(|position| state.stream.awaits(position));
            return Ordered::Duplicate { position: used.position, timestamp: used.at, pending };
        }
        let (position, prev_tag) = match history.size {
            0 => (None, 0),
            _ => {
                let (position, prev_tag) = state.stream.next(tag);
                (Some(position), prev_tag)
            }
        };
        let publication = entry(channel, event, data, from, position, prev_tag);
        if position.is_some() {
            state.stream.order(publication.clone());
        }
        if let Some(key) = key {
            let used = Used { fingerprint, position, at: now };
            state.keys.get_or_insert_default().insert(key, used);
        }
        Ordered::New(publication)
    }

    /// Takes back the entry of a channel that was ordered last, which was not given to the store.
    pub fn withdraw(&mut self, channel: &ChannelName, key: Option<&str>) {
        let Some(state) = self.channels.get_mut(channel) else { return };
        let Some(withdrawn) = state.stream.withdraw() else { return };
        if let (Some(key), Some(keys)) = (key, &mut state.keys) {
            keys.remove(key, withdrawn.position);
        }
    }

    /// What became of the oldest ordered entry of a channel: the store has it at `sequence`, or has
    /// it not. Returns with it the sequences that the store is to remove.
    pub fn settle(
        &mut self,
        channel: &ChannelName,
        sequence: Option<u64>,
        key: Option<&str>,
        now: u64,
    ) -> Option<(Settled, Vec<u64>)> {
        let state = self.channels.get_mut(channel)?;
        let before = (state.stream.len(), state.stream.bytes());
        let settled = state.stream.settle(sequence)?;
        let mut removed = Vec::new();
        match &settled {
            Settled::Committed(publication) => {
                if let Some(sequence) = sequence {
                    self.oldest.push_back((channel.clone(), sequence));
                    if key.is_some() {
                        let (until, position) =
                            (now.saturating_add(self.window_ms), publication.position);
                        state.lingering.push_back(Lingering { until, sequence, position });
                    }
                }
                removed = state.trim(now, self.window_ms);
            }
            Settled::TakenBack(publication) => {
                removed.extend(sequence);
                if let (Some(key), Some(keys)) = (key, &mut state.keys) {
                    keys.remove(key, publication.position);
                }
            }
        }
        let after = (state.stream.len(), state.stream.bytes());
        self.count(before, after);
        self.compact();
        Some((settled, removed))
    }

    /// Puts back what the store had, in its order; returns what the store is to remove.
    pub fn restore(
        &mut self,
        publication: Arc<Publication>,
        key: Option<ByteString>,
        history: History,
        sequence: u64,
        now: u64,
    ) -> Vec<u64> {
        let channel = publication.channel.clone();
        let (timestamp, position) = (publication.timestamp, publication.position);
        let fingerprint = fingerprint(publication.event.as_ref(), &publication.data);
        let epoch = position.map_or(0, |position| position.epoch);
        let window_ms = self.window_ms;
        let state = self.channel(&channel, history, epoch, timestamp);
        let before = (state.stream.len(), state.stream.bytes());
        let mut removed = position.map_or_else(Vec::new, |position| state.supersede(position));
        let dropped = state.stream.restore(publication, sequence);
        removed.extend(state.not_lingering(dropped));
        if let Some(key) = key
            && timestamp.saturating_add(window_ms) > now
        {
            let used = Used { fingerprint, position, at: timestamp };
            state.keys.get_or_insert_default().insert(key, used);
            let until = timestamp.saturating_add(window_ms);
            state.lingering.push_back(Lingering { until, sequence, position });
        }
        removed.extend(state.trim(now, window_ms));
        removed.sort_unstable();
        removed.dedup();
        let after = (state.stream.len(), state.stream.bytes());
        self.count(before, after);
        self.oldest.push_back((channel, sequence));
        self.compact();
        removed
    }

    /// What a reader at `since` missed.
    pub fn recover(
        &mut self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
        now: u64,
    ) -> (Recovery, Vec<u64>) {
        let removed = self.expire(channel, now);
        let recovery = match self.channels.get(channel) {
            Some(state) => state.stream.recover(since, limits),
            None => Stream::new(self.epoch).recover(since, limits),
        };
        (recovery, removed)
    }

    /// A part of a channel's history; empty for a channel on which nothing was published.
    ///
    /// # Errors
    /// As [`Stream::query`].
    pub fn query(
        &mut self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
        now: u64,
    ) -> (Result<Page, Reason>, Vec<u64>) {
        let removed = self.expire(channel, now);
        let page = match self.channels.get(channel) {
            Some(state) => state.stream.query(query, limits),
            None => Stream::new(self.epoch).query(query, limits),
        };
        (page, removed)
    }

    /// How much a channel keeps; nothing for a channel on which nothing was published.
    pub fn extent(&mut self, channel: &ChannelName, now: u64) -> (Extent, Vec<u64>) {
        let removed = self.expire(channel, now);
        let extent = match self.channels.get(channel) {
            Some(state) => state.stream.extent(),
            None => Stream::new(self.epoch).extent(),
        };
        (extent, removed)
    }

    /// Forgets the oldest entries of all until `excess` bytes are free; returns what the store is to
    /// remove.
    pub fn evict(&mut self, excess: usize) -> Vec<u64> {
        let target = self.bytes.saturating_sub(excess);
        let mut removed = Vec::new();
        while self.bytes > target
            && let Some((channel, sequence)) = self.oldest.pop_front()
        {
            let Some(state) = self.channels.get_mut(&channel) else { continue };
            let before = (state.stream.len(), state.stream.bytes());
            let evicted = state.stream.evict(sequence);
            removed.extend(state.not_lingering(evicted));
            let after = (state.stream.len(), state.stream.bytes());
            self.count(before, after);
        }
        removed
    }

    /// Goes over all channels: forgets what is beyond its time, and channels of which nothing is
    /// left, that were not used for `idle_ms` and are not `in_use`.
    pub fn sweep(
        &mut self,
        idle_ms: u64,
        now: u64,
        in_use: impl Fn(&ChannelName) -> bool,
    ) -> Swept {
        let (mut removed, mut forgotten) = (Vec::new(), false);
        let names: Vec<_> = self.channels.keys().cloned().collect();
        for name in names {
            removed.extend(self.expire(&name, now));
            let idle = |state: &mut Channel| {
                state.stream.is_empty()
                    && state.stream.is_settled()
                    && state.lingering.is_empty()
                    && state.keys.as_ref().is_none_or(|keys| keys.is_empty())
                    && (state.stream.head().offset == 0
                        || (state.used_at.saturating_add(idle_ms) <= now && !in_use(&name)))
            };
            if self.channels.get_mut(&name).is_some_and(idle)
                && let Some(state) = self.channels.remove(&name)
            {
                forgotten |= state.stream.head().offset > 0;
                removed.extend(state.stream.into_sequences());
            }
        }
        removed.sort_unstable();
        Swept { removed, forgotten }
    }

    /// Whether something of this channel is remembered.
    pub fn knows(&self, channel: &ChannelName) -> bool {
        self.channels.contains_key(channel)
    }

    /// Channels that are remembered.
    pub fn len(&self) -> usize {
        self.channels.len()
    }

    /// Whether no channel is remembered.
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    /// Entries that are kept.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Memory that the kept entries take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Channels of which something is kept, in any order.
    pub fn names(&self) -> impl Iterator<Item = &ChannelName> {
        self.channels.iter().filter(|(_, state)| !state.stream.is_empty()).map(|(name, _)| name)
    }

    /// Forgets the history of a channel; returns what the store is to remove. Its positions go on, so
    /// that a reader that has missed nothing is not disturbed. The store has nothing left that says
    /// so: the caller owes a new [`Streams::set_epoch`] for what is read after a restart.
    pub fn clear(&mut self, channel: &ChannelName) -> Vec<u64> {
        let Some(state) = self.channels.get_mut(channel) else { return Vec::new() };
        let before = (state.stream.len(), state.stream.bytes());
        let mut removed = state.stream.clear();
        // Those that are kept no more but for their keys go as well.
        removed.extend(state.lingering.drain(..).map(|lingering| lingering.sequence));
        removed.sort_unstable();
        removed.dedup();
        self.count(before, (0, 0));
        removed
    }

    fn expire(&mut self, channel: &ChannelName, now: u64) -> Vec<u64> {
        let Some(state) = self.channels.get_mut(channel) else { return Vec::new() };
        let before = (state.stream.len(), state.stream.bytes());
        let removed = state.trim(now, self.window_ms);
        let after = (state.stream.len(), state.stream.bytes());
        self.count(before, after);
        removed
    }

    fn channel(
        &mut self,
        name: &ChannelName,
        history: History,
        epoch: u32,
        now: u64,
    ) -> &mut Channel {
        let state = self.channels.entry(name.clone()).or_insert_with(|| Channel {
            stream: Stream::new(epoch),
            history,
            keys: None,
            lingering: VecDeque::new(),
            used_at: now,
        });
        // What is published without being kept does not say how much of the rest is.
        if history.size > 0 {
            state.history = history;
        }
        state.used_at = now;
        state
    }

    fn count(&mut self, before: (usize, usize), after: (usize, usize)) {
        self.entries = self.entries + after.0 - before.0;
        self.bytes = self.bytes + after.1 - before.1;
    }

    /// Keeps the list of entries in proportion to the entries.
    fn compact(&mut self) {
        if self.oldest.len() < 2 * self.entries + 1024 {
            return;
        }
        let channels = &self.channels;
        self.oldest.retain(|(channel, sequence)| {
            channels.get(channel).is_some_and(|state| state.stream.keeps(*sequence))
        });
    }
}

impl Channel {
    fn trim(&mut self, now: u64, window_ms: u64) -> Vec<u64> {
        if let Some(keys) = &mut self.keys {
            keys.expire(now, window_ms);
            if keys.is_empty() {
                self.keys = None;
            }
        }
        let trimmed = self.stream.trim(&self.history, now);
        let mut removed = self.not_lingering(trimmed);
        while let Some(Lingering { until, sequence, .. }) = self.lingering.front().copied()
            && until <= now
        {
            self.lingering.pop_front();
            if !self.stream.has(sequence) {
                removed.push(sequence);
            }
        }
        removed
    }

    /// What had this place, or one behind it, was taken back: a retry of it is the first. Returns what
    /// the store is to remove.
    fn supersede(&mut self, position: Position) -> Vec<u64> {
        if let Some(keys) = &mut self.keys {
            keys.remove_from(position);
        }
        let is_before = |at: Position| at.epoch != position.epoch || at.offset < position.offset;
        let mut superseded = Vec::new();
        self.lingering.retain(|lingering| {
            let stays = lingering.position.is_none_or(is_before);
            if !stays {
                superseded.push(lingering.sequence);
            }
            stays
        });
        superseded
    }

    /// A record that carries a remembered key stays in the store: after a restart a retry must still
    /// be known as one.
    fn not_lingering(&self, sequences: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let lingers = |sequence: &u64| {
            self.lingering.binary_search_by_key(sequence, |lingering| lingering.sequence).is_ok()
        };
        sequences.into_iter().filter(|sequence| !lingers(sequence)).collect()
    }
}

fn fingerprint(event: Option<&ByteString>, data: &Data) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.hash(&mut hasher);
    match data {
        Data::Json(text) => (0, text.as_bytes()).hash(&mut hasher),
        Data::Binary(bytes) => (1, &bytes[..]).hash(&mut hasher),
    }
    hasher.finish()
}
