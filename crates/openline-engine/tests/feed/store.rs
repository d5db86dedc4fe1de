//! The store that a feed is tried on.

use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::{Draft, History, Ordered, PageLimits, Recovery, Streams};
use openline_protocol::{ChannelName, Data, Position, Publication};

const READ: PageLimits = PageLimits { publications_max: 1000, bytes_max: 1 << 20 };

#[derive(Clone)]
pub(crate) struct Store {
    streams: Streams,
    /// Publications that a channel keeps.
    pub(crate) size: u32,
    tags: u64,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self { streams: Streams::new(0, 7), size: 1000, tags: 1000 }
    }

    pub(crate) fn publish(&mut self, channel: &str, text: &str) -> Arc<Publication> {
        self.tags += 1;
        let draft = Draft {
            channel: name(channel),
            event: None,
            data: Data::Json(ByteString::from(text)),
            from: None,
            key: None,
            history: History { size: self.size, ttl_ms: u64::MAX },
        };
        let Ordered::New(publication) = self.streams.order(draft, self.tags, 0) else {
            unreachable!("there are no keys")
        };
        if publication.position.is_some() {
            self.streams.settle(&publication.channel, Some(self.tags), None, 0).unwrap();
        }
        publication
    }

    pub(crate) fn recover(&mut self, channel: &ChannelName, since: Position) -> Recovery {
        self.streams.recover(channel, since, &READ, 0).0
    }

    pub(crate) fn head(&mut self, channel: &ChannelName) -> Option<Position> {
        let head = self.streams.extent(channel, 0).0.head;
        (head.offset > 0).then_some(head)
    }

    pub(crate) fn heads(&mut self, channels: &[ChannelName]) -> Vec<Option<Position>> {
        channels.iter().map(|channel| self.head(channel)).collect()
    }

    /// Has what an earlier one had. The tags go on: no entry gets one that another had.
    pub(crate) fn roll_back(&mut self, to: &Self) {
        self.streams = to.streams.clone();
    }

    pub(crate) fn forget(&mut self) {
        self.streams = Streams::new(0, 8);
    }
}

pub(crate) fn name(channel: &str) -> ChannelName {
    ChannelName::new(channel).unwrap()
}

pub(crate) fn text(publication: &Publication) -> String {
    match &publication.data {
        Data::Json(text) => text.to_string(),
        Data::Binary(_) => unreachable!("only text is published"),
    }
}
