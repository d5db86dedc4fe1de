//! Streams: order, recovery, retries, limits, and what the store is to remove.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

mod keys;
mod limits;
mod order;
mod query;
mod recovery;
mod restore;

use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::{Draft, History, Ordered, PageLimits, Recovery, Settled, Streams};
use openline_protocol::{ChannelName, Data, Position, Publication, Reason};

const WINDOW_MS: u64 = 1_000;
const EPOCH: u32 = 7;
const ALL: PageLimits = PageLimits { publications_max: usize::MAX, bytes_max: usize::MAX };

/// Streams, whose tags and sequences count up.
struct Given {
    streams: Streams,
    history: History,
    tag: u64,
    sequence: u64,
}

fn given(size: u32) -> Given {
    let history = History { size, ttl_ms: 10_000 };
    Given { streams: Streams::new(WINDOW_MS, EPOCH), history, tag: 100, sequence: 0 }
}

fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).unwrap()
}

impl Given {
    fn order(&mut self, channel: &str, value: &str, key: Option<&str>, now: u64) -> Ordered {
        self.tag += 1;
        let draft = Draft {
            channel: name(channel),
            event: None,
            data: Data::Json(ByteString::from(value)),
            from: None,
            key: key.map(ByteString::from),
            history: self.history,
        };
        self.streams.order(draft, self.tag, now)
    }

    fn new_order(
        &mut self,
        channel: &str,
        value: &str,
        key: Option<&str>,
        now: u64,
    ) -> Arc<Publication> {
        let ordered = self.order(channel, value, key, now);
        let Ordered::New(publication) = ordered else { panic!("{ordered:?}") };
        publication
    }

    /// The store has it; returns what it is to remove.
    fn stored(&mut self, channel: &str, key: Option<&str>, now: u64) -> Vec<u64> {
        self.sequence += 1;
        let settled = self.streams.settle(&name(channel), Some(self.sequence), key, now);
        let (settled, removed) = settled.unwrap();
        assert!(matches!(settled, Settled::Committed(_)), "{settled:?}");
        removed
    }

    /// Orders and stores; returns its position and what the store is to remove.
    fn publish(&mut self, value: &str, key: Option<&str>, now: u64) -> (Position, Vec<u64>) {
        let publication = self.new_order("c", value, key, now);
        (publication.position.unwrap(), self.stored("c", key, now))
    }

    fn recover(&mut self, since: Position, now: u64) -> Recovery {
        self.streams.recover(&name("c"), since, &ALL, now).0
    }

    fn reason(&mut self, since: Position, now: u64) -> Reason {
        self.recover(since, now).missed.unwrap_err()
    }

    fn head(&mut self, now: u64) -> Position {
        let query = openline_engine::Query { limit: Some(0), ..Default::default() };
        self.streams.query(&name("c"), &query, &ALL, now).0.unwrap().head
    }
}

fn values<'a>(publications: impl IntoIterator<Item = &'a Arc<Publication>>) -> Vec<String> {
    let value = |publication: &Arc<Publication>| match &publication.data {
        Data::Json(text) => text.to_string(),
        Data::Binary(_) => panic!("these tests publish JSON"),
    };
    publications.into_iter().map(value).collect()
}

fn beginning() -> Position {
    Position { epoch: EPOCH, offset: 0, tag: 0 }
}
