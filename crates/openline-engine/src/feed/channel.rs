//! A channel that is listened to: how far it was handed on, and what is held meanwhile.

use std::collections::HashMap;
use std::sync::Arc;

use openline_protocol::{Position, Publication};

/// An entry, and the client that does not get it.
pub(super) type Entry = (Arc<Publication>, Option<Arc<str>>);

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) phase: Phase,
    /// Its head was told once, so `at` says what listeners have.
    pub(super) joined: bool,
    /// What was handed on last, or where the channel was when it was joined; none while nothing was
    /// published to it that has a position.
    pub(super) at: Option<Position>,
    /// What arrived last, from when all that arrived followed one on the other.
    arrived: Option<Position>,
    held: Vec<Entry>,
    held_bytes: usize,
    /// More arrived than is held: it was dropped, and has to be read.
    overflowed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not subscribed yet, or not any more.
    Subscribing,
    /// Its head is to be compared before anything more is handed on.
    Locating,
    Live,
    /// It is to be read.
    Due,
    Reading {
        number: u64,
        /// How many entries were held when it began.
        known: usize,
    },
}

/// How an entry follows on those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    Next,
    Seen,
    Gap,
}

/// What an entry costs beside its data.
const ENTRY_BYTES: usize = 200;

impl Channel {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Subscribing,
            joined: false,
            at: None,
            arrived: None,
            held: Vec::new(),
            held_bytes: 0,
            overflowed: false,
        }
    }

    /// Looks whether an entry is the next one, and if so takes note of it.
    pub(super) fn follow(&mut self, position: Position, prev_tag: u64) -> Follows {
        let at = *self.at.get_or_insert(beginning(position.epoch));
        let offset = position.offset.saturating_sub(1);
        let prev = Position { epoch: position.epoch, offset, tag: prev_tag };
        if prev == at && position.offset > 0 {
            (self.at, self.arrived) = (Some(position), Some(position));
            return Follows::Next;
        }
        // What was on its way when the head was read comes in its order. What does not follow on
        // what came before it may be of a store that lost what is here.
        let on_its_way = self.arrived.is_none_or(|arrived| arrived == prev || arrived == position);
        let had = position == at || position.offset < at.offset;
        if on_its_way && had && position.epoch == at.epoch {
            self.arrived = Some(position);
            return Follows::Seen;
        }
        Follows::Gap
    }

    /// Where to read from.
    pub(super) fn place(&self) -> Position {
        self.at.unwrap_or(beginning(0))
    }

    /// Takes note that the channel has a beginning now, if it had none.
    pub(super) fn begin(&mut self, head: Option<Position>) {
        self.at = self.at.or(head.map(|head| beginning(head.epoch)));
    }

    /// Whether the head may be of entries that are on their way.
    pub(super) fn is_behind(&self, head: Option<Position>) -> bool {
        let ahead =
            |(at, head): (Position, Position)| at.epoch == head.epoch && at.offset < head.offset;
        self.at.zip(head).is_some_and(ahead)
    }

    /// Whether an entry that the store has was handed on.
    pub(super) fn has(&self, entry: Position) -> bool {
        self.at
            .is_some_and(|at| at == entry || (at.epoch == entry.epoch && at.offset > entry.offset))
    }

    /// Holds an entry until what is before it was read.
    pub(super) fn hold(&mut self, entry: Entry, room: &mut Room) {
        let bytes = entry.0.data.len() + ENTRY_BYTES;
        if self.overflowed {
            return;
        }
        if self.held.len() >= room.entries_max || room.bytes + bytes > room.bytes_max {
            self.release(room);
            self.overflowed = true;
            if let Phase::Reading { known, .. } = &mut self.phase {
                *known = 0;
            }
            return;
        }
        room.bytes += bytes;
        self.held_bytes += bytes;
        self.held.push(entry);
    }

    pub(super) fn held_entries(&self) -> &[Entry] {
        &self.held
    }

    /// Takes what is held, and whether there was more.
    pub(super) fn release(&mut self, room: &mut Room) -> (Vec<Entry>, bool) {
        room.bytes -= self.held_bytes;
        (self.held_bytes, self.arrived) = (0, None);
        (std::mem::take(&mut self.held), std::mem::take(&mut self.overflowed))
    }
}

/// What all channels together may hold.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) entries_max: usize,
    pub(super) bytes_max: usize,
    pub(super) bytes: usize,
}

/// Who does not get entries, of those that are held: a store does not say it.
pub(super) fn excepted(held: &[Entry]) -> HashMap<Position, Arc<str>> {
    let excepted = held
        .iter()
        .filter_map(|(publication, except)| Some((publication.position?, except.clone()?)));
    excepted.collect()
}

/// Whether entries follow one on the other from one position to another.
pub(super) fn joins(since: Position, missed: &[Arc<Publication>], head: Position) -> bool {
    let next = |at: Position, publication: &Arc<Publication>| {
        let position = publication.position?;
        let follows = position.epoch == at.epoch
            && position.offset == at.offset + 1
            && publication.prev_tag == at.tag;
        follows.then_some(position)
    };
    missed.iter().try_fold(since, next) == Some(head)
}

/// Where a channel is before its first entry.
fn beginning(epoch: u32) -> Position {
    Position { epoch, offset: 0, tag: 0 }
}
