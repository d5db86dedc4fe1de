//! [`Stream`]: what was published on a channel with history, in its one order.
//!
//! An entry goes through two steps. [`Stream::order`] gives it its place; [`Stream::settle`] makes it
//! visible once the store has it, or takes it back. Between the two nobody reads it, so nothing is
//! told that a crash could make untrue.

use std::collections::VecDeque;
use std::sync::Arc;

use openline_protocol::{Position, Publication, Reason};

use crate::judge;

/// How much of a channel is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Publications; 0 keeps none, and gives none a position.
    pub size: u32,
    /// Milliseconds.
    pub ttl_ms: u64,
}

/// How much one answer may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PageLimits {
    /// Publications.
    pub publications_max: usize,
    /// Bytes of their data.
    pub bytes_max: usize,
}

/// A part of a stream that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Query {
    /// What came after this position.
    pub since: Option<Position>,
    /// What came before this position.
    pub before: Option<Position>,
    /// What was published at this time or later, in milliseconds since 1970.
    pub since_time: Option<u64>,
    /// How many at most; the newest of them, unless `since` or `since_time` says where to begin.
    pub limit: Option<usize>,
    /// The newest first.
    pub reverse: bool,
}

impl Query {
    /// Whether it begins with the oldest of what it asks for, or else with the newest.
    pub fn is_forward(&self) -> bool {
        !self.reverse && (self.since.is_some() || self.since_time.is_some())
    }
}

/// A part of a stream.
#[derive(Debug, Clone)]
pub struct Page {
    /// In order, or in the reverse order if that was asked for.
    pub publications: Vec<Arc<Publication>>,
    /// Where the stream is.
    pub head: Position,
    /// There is more in that direction.
    pub more: bool,
}

/// How much of a stream is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Publications.
    pub entries: usize,
    /// Memory that they take, about.
    pub bytes: usize,
    /// Where the stream is.
    pub head: Position,
    /// When the newest of them was published, in milliseconds since 1970.
    pub newest_ms: Option<u64>,
}

/// What a reader that was away missed.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// What was missed, all of it, or why it cannot be had.
    pub missed: Result<Vec<Arc<Publication>>, Reason>,
    /// From where the reader goes on.
    pub head: Position,
}

/// What became of an entry that was ordered.
#[derive(Debug, Clone)]
pub enum Settled {
    /// It is visible from here on.
    Committed(Arc<Publication>),
    /// It is not, and its place is given to another. If the store has it nevertheless, it is to be
    /// removed there.
    TakenBack(Arc<Publication>),
}

/// The entries of one channel.
///
/// *Invariant:* of two neighbours in `kept`, and then in `pending` unless taken back, the later one's
/// `prev_tag` is the tag of the earlier, and its offset the next.
#[derive(Debug, Clone)]
pub struct Stream {
    epoch: u32,
    kept: VecDeque<Kept>,
    pending: VecDeque<Pending>,
    /// The last visible entry, kept or not.
    head: Point,
    /// The last ordered entry.
    last: Point,
    bytes: usize,
    /// Why the entries before the first kept one are gone.
    gone: Reason,
    /// Where the store has the last visible entry when no entry is kept: it stays there, or after a
    /// restart a reader that has missed nothing could not be told so.
    head_sequence: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Point {
    offset: u64,
    tag: u64,
}

#[derive(Debug, Clone)]
struct Kept {
    publication: Arc<Publication>,
    /// Where the store has it.
    sequence: u64,
}

#[derive(Debug, Clone)]
struct Pending {
    publication: Arc<Publication>,
    /// An entry before it was not stored, so it follows on nothing.
    taken_back: bool,
}

/// What an entry costs beside its data: its place in the queues and the publication's fields.
const ENTRY_BYTES: usize = 200;

impl Stream {
    /// A stream in which nothing was published yet.
    pub fn new(epoch: u32) -> Self {
        Self {
            epoch,
            kept: VecDeque::new(),
            pending: VecDeque::new(),
            head: Point::default(),
            last: Point::default(),
            bytes: 0,
            gone: Reason::Trimmed,
            head_sequence: None,
        }
    }

    /// Puts an entry back that the store had, in the store's order. `publication` has a position.
    ///
    /// An entry that follows on none takes the place of those before it: the store lost what was
    /// between them. One that follows on an earlier one takes the place of those behind that: they
    /// were taken back. Returns what the store is to remove.
    pub fn restore(&mut self, publication: Arc<Publication>, sequence: u64) -> Vec<u64> {
        let Some(position) = publication.position else { return vec![sequence] };
        let mut dropped = Vec::new();
        let follows = |kept: &Kept| {
            kept.publication.position.is_some_and(|at| {
                at.epoch == position.epoch
                    && at.offset + 1 == position.offset
                    && at.tag == publication.prev_tag
            })
        };
        let keep = self.kept.iter().rposition(follows).map_or(0, |index| index + 1);
        for kept in self.kept.drain(keep..) {
            self.bytes -= cost(&kept.publication);
            dropped.push(kept.sequence);
        }
        self.epoch = position.epoch;
        self.head = Point { offset: position.offset, tag: position.tag };
        self.last = self.head;
        self.bytes += cost(&publication);
        self.kept.push_back(Kept { publication, sequence });
        dropped
    }

    /// The position that the next entry takes, and the tag of the one before it. `tag` is a random
    /// number.
    pub fn next(&self, tag: u64) -> (Position, u64) {
        (Position { epoch: self.epoch, offset: self.last.offset + 1, tag }, self.last.tag)
    }

    /// Takes an entry in whose position and `prev_tag` are those of [`Stream::next`]. The caller owes
    /// a [`Stream::settle`] for each, in the same order.
    pub fn order(&mut self, publication: Arc<Publication>) {
        if let Some(position) = publication.position {
            self.last = Point { offset: position.offset, tag: position.tag };
        }
        self.pending.push_back(Pending { publication, taken_back: false });
    }

    /// Takes back the entry that was ordered last, which was not given to the store.
    pub fn withdraw(&mut self) -> Option<Arc<Publication>> {
        let Pending { publication, .. } = self.pending.pop_back()?;
        let before = self.pending.back().filter(|pending| !pending.taken_back);
        let position = before.and_then(|pending| pending.publication.position);
        self.last = position.map_or(self.head, |at| Point { offset: at.offset, tag: at.tag });
        Some(publication)
    }

    /// What became of the oldest entry that is ordered and not settled: the store has it at
    /// `sequence`, or has it not.
    pub fn settle(&mut self, sequence: Option<u64>) -> Option<Settled> {
        let Pending { publication, taken_back } = self.pending.pop_front()?;
        let stored = sequence.filter(|_| !taken_back);
        let Some((sequence, position)) = stored.zip(publication.position) else {
            if !taken_back {
                // What was ordered behind it names it as its predecessor.
                self.pending.iter_mut().for_each(|pending| pending.taken_back = true);
                self.last = self.head;
            }
            return Some(Settled::TakenBack(publication));
        };
        self.head = Point { offset: position.offset, tag: position.tag };
        self.bytes += cost(&publication);
        self.kept.push_back(Kept { publication: publication.clone(), sequence });
        Some(Settled::Committed(publication))
    }

    /// Forgets what is beyond the limits; returns what the store is to remove.
    pub fn trim(&mut self, history: &History, now: u64) -> Vec<u64> {
        let mut removed = Vec::new();
        if !self.kept.is_empty() {
            removed.extend(self.head_sequence.take());
        }
        while let Some(front) = self.kept.front() {
            let reason = if self.kept.len() > history.size as usize {
                Reason::Trimmed
            } else if front.publication.timestamp.saturating_add(history.ttl_ms) <= now {
                Reason::Expired
            } else {
                break;
            };
            removed.extend(self.forget_first(reason));
        }
        removed
    }

    /// Forgets the first entry, if it is the one that the store has at `sequence`; for a limit over
    /// many streams.
    pub fn evict(&mut self, sequence: u64) -> Option<u64> {
        let front = self.kept.front()?;
        (front.sequence == sequence).then(|| self.forget_first(Reason::Trimmed)).flatten()
    }

    /// Forgets all entries, but not where the stream is; returns what the store is to remove.
    pub fn clear(&mut self) -> Vec<u64> {
        self.bytes = 0;
        self.gone = Reason::Trimmed;
        let kept = self.kept.drain(..).map(|kept| kept.sequence);
        kept.chain(self.head_sequence.take()).collect()
    }

    fn forget_first(&mut self, reason: Reason) -> Option<u64> {
        let kept = self.kept.pop_front()?;
        self.bytes -= cost(&kept.publication);
        self.gone = reason;
        if self.kept.is_empty() {
            self.head_sequence = Some(kept.sequence);
            return None;
        }
        Some(kept.sequence)
    }

    /// What the store is to remove when the stream is forgotten altogether.
    pub fn into_sequences(self) -> Vec<u64> {
        self.kept.iter().map(|kept| kept.sequence).chain(self.head_sequence).collect()
    }

    /// What a reader at `since` missed. All of it or nothing: a reader that gets a part could not
    /// tell it from the whole.
    pub fn recover(&self, since: Position, limits: &PageLimits) -> Recovery {
        Recovery { missed: self.missed(since, limits), head: self.head() }
    }

    fn missed(
        &self,
        since: Position,
        limits: &PageLimits,
    ) -> Result<Vec<Arc<Publication>>, Reason> {
        let missed = self.kept.range(self.start(since)?..).map(|kept| &kept.publication);
        judge::whole(missed, limits)
    }

    /// Where what a reader at `since` missed begins among the kept entries.
    fn start(&self, since: Position) -> Result<usize, Reason> {
        let next = self.index_after(since.offset);
        let prev_tag = next.map(|next| self.kept[next].publication.prev_tag);
        judge::since(since, self.head(), prev_tag.ok_or(self.gone))?;
        Ok(next.unwrap_or(self.kept.len()))
    }

    /// Where the kept entries end that stand before `before`; nothing is before one that is gone.
    fn end(&self, before: Position) -> Result<usize, Reason> {
        let first = self.kept.front().and_then(|kept| kept.publication.position);
        let index = first.and_then(|first| before.offset.checked_sub(first.offset));
        let end = index.and_then(|index| usize::try_from(index).ok()).unwrap_or(0);
        let kept = self.kept.get(end).and_then(|kept| kept.publication.position);
        judge::before(before, self.head(), kept)?;
        Ok(end)
    }

    /// Where the entry behind `offset` is kept.
    fn index_after(&self, offset: u64) -> Option<usize> {
        let first = self.kept.front()?.publication.position?.offset;
        let index = offset.checked_add(1)?.checked_sub(first)?;
        usize::try_from(index).ok().filter(|index| *index < self.kept.len())
    }

    /// A part of what is kept.
    ///
    /// # Errors
    /// When `since` or `before` is no position of this stream, or what came after `since` is gone.
    pub fn query(&self, query: &Query, limits: &PageLimits) -> Result<Page, Reason> {
        let mut range = 0..self.kept.len();
        if let Some(since) = query.since {
            range.start = self.start(since)?;
        }
        if let Some(before) = query.before {
            range.end = self.end(before)?;
        }
        if let Some(time) = query.since_time {
            let from = self.kept.partition_point(|kept| kept.publication.timestamp < time);
            range.start = range.start.max(from);
        }
        range.start = range.start.min(range.end);
        Ok(self.page(range, query.is_forward(), query, limits))
    }

    fn page(
        &self,
        range: std::ops::Range<usize>,
        forward: bool,
        query: &Query,
        limits: &PageLimits,
    ) -> Page {
        let total = range.len();
        let entries = self.kept.range(range).map(|kept| &kept.publication);
        let mut publications = match forward {
            true => judge::page(entries, query, limits),
            false => judge::page(entries.rev(), query, limits),
        };
        let more = publications.len() < total;
        if !forward && !query.reverse {
            publications.reverse();
        }
        Page { publications, head: self.head(), more }
    }

    /// The position of the last visible entry; before the first it has offset and tag 0.
    pub fn head(&self) -> Position {
        let Point { offset, tag } = self.head;
        Position { epoch: self.epoch, offset, tag }
    }

    /// The last visible entry, if it is kept.
    pub fn newest(&self) -> Option<&Arc<Publication>> {
        self.kept.back().map(|kept| &kept.publication)
    }

    /// How much is kept.
    pub fn extent(&self) -> Extent {
        Extent {
            entries: self.kept.len(),
            bytes: self.bytes,
            head: self.head(),
            newest_ms: self.newest().map(|newest| newest.timestamp),
        }
    }

    /// Whether the entry is kept that the store has at `sequence`.
    pub fn keeps(&self, sequence: u64) -> bool {
        self.kept.binary_search_by_key(&sequence, |kept| kept.sequence).is_ok()
    }

    /// Whether the store is to keep what it has at `sequence`: an entry, or the head's place.
    pub fn has(&self, sequence: u64) -> bool {
        self.head_sequence == Some(sequence) || self.keeps(sequence)
    }

    /// Entries that are kept.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether no entry is kept.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether no entry waits to be settled.
    pub fn is_settled(&self) -> bool {
        self.pending.is_empty()
    }

    /// Whether the entry at `position` waits to be settled.
    pub fn awaits(&self, position: Position) -> bool {
        self.pending.iter().any(|pending| pending.publication.position == Some(position))
    }

    /// Memory that the kept entries take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

fn cost(publication: &Publication) -> usize {
    publication.data.len() + ENTRY_BYTES
}
