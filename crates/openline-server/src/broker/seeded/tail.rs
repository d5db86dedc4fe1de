//! Bugs between the broker and the threads.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use openline_protocol::{ChannelName, Position, Publication};

use super::{Bug, State};
use crate::broker::{Ear, NodeId, Tail};

/// The tag of all entries where they have none of their own.
const NO_TAG: u64 = 1;

type Entry = (Arc<Publication>, Option<Arc<str>>);

pub(super) struct SeededTail {
    tail: Arc<dyn Tail>,
    bug: Bug,
    state: Arc<State>,
}

impl SeededTail {
    pub(super) fn new(tail: Arc<dyn Tail>, bug: Bug, state: Arc<State>) -> Self {
        Self { tail, bug, state }
    }

    fn is_deaf(&self, channel: &ChannelName) -> bool {
        self.state.listening().get(channel).copied().unwrap_or_default()
    }

    fn seed(&self, (publication, except): Entry) -> Option<Entry> {
        match self.bug {
            Bug::ReuseOffset => Some((untagged(&publication), except)),
            Bug::ForgetResubscribe if self.is_deaf(&publication.channel) => None,
            _ => Some((publication, except)),
        }
    }
}

impl Tail for SeededTail {
    fn publish(&self, publication: Arc<Publication>, except: Option<Arc<str>>) {
        if let Some((publication, except)) = self.seed((publication, except)) {
            self.tail.publish(publication, except);
        }
    }

    fn publish_all(&self, entries: Vec<Entry>) {
        // What comes in groups from the embedded broker is what was written: it was handed on before.
        if self.bug == Bug::EarlyDelivery && self.state.embedded.load(Ordering::Relaxed) {
            return;
        }
        self.tail.publish_all(entries.into_iter().filter_map(|entry| self.seed(entry)).collect());
    }

    fn lost(&self, channel: &ChannelName, head: Position) {
        if !self.is_deaf(channel) {
            self.tail.lost(channel, head);
        }
    }

    fn is_heard(&self, channel: &ChannelName) -> bool {
        self.tail.is_heard(channel)
    }
}

/// As it would be if entries had no tags.
pub(super) fn untagged(publication: &Publication) -> Arc<Publication> {
    let mut publication = publication.clone();
    publication.position = publication.position.map(without_tag);
    publication.prev_tag = NO_TAG;
    Arc::new(publication)
}

pub(super) fn without_tag(position: Position) -> Position {
    openline_protocol::Position { tag: NO_TAG, ..position }
}

/// Takes note of lost connections.
pub(super) struct SeededEar {
    ear: Arc<dyn Ear>,
    state: Arc<State>,
}

impl SeededEar {
    pub(super) fn new(ear: Arc<dyn Ear>, state: Arc<State>) -> Self {
        Self { ear, state }
    }
}

impl Ear for SeededEar {
    fn emitted(&self, from: NodeId, channel: ChannelName, said: Bytes) {
        self.ear.emitted(from, channel, said);
    }

    fn told(&self, from: NodeId, said: Bytes) {
        self.ear.told(from, said);
    }

    fn interrupted(&self) {
        self.state.listening().values_mut().for_each(|deaf| *deaf = true);
        self.ear.interrupted();
    }
}
