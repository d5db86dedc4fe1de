//! The feed: what is handed on of channels that are ordered elsewhere, whatever is lost on the way.

#![allow(missing_docs, clippy::unwrap_used, reason = "a test fails by panicking")]

mod entries;
mod links;
mod random;
mod store;

use std::sync::Arc;

use openline_engine::{Feed, FeedEffect, FeedLimits, NoAnswer};
use openline_protocol::{ChannelName, Position, Publication};
use store::{Store, name, text};

const LIMITS: FeedLimits = FeedLimits {
    held_max: 100,
    held_bytes_max: 1 << 20,
    batch_max: 10,
    reads_max: 2,
    probe_interval_ms: 5000,
};

/// A feed, the store that it listens to, and what it did.
struct Trial {
    feed: Feed,
    store: Store,
    now: u64,
    /// What it handed on, lost and so on, as texts.
    did: Vec<String>,
    handed_on: Vec<Arc<Publication>>,
    /// What it asked for that was not answered.
    asked: Vec<FeedEffect>,
    reads: usize,
}

impl Trial {
    fn new() -> Self {
        Self::with(LIMITS)
    }

    fn with(limits: FeedLimits) -> Self {
        let feed = Feed::new(limits);
        let (did, handed_on, asked) = (Vec::new(), Vec::new(), Vec::new());
        Self { feed, store: Store::new(), now: 0, did, handed_on, asked, reads: 0 }
    }

    /// A link is there, and `room` is listened to.
    fn listening() -> Self {
        Self::listening_with(LIMITS)
    }

    fn listening_with(limits: FeedLimits) -> Self {
        let mut trial = Self::with(limits);
        trial.feed.handle_up();
        trial.feed.want(&name("room"));
        trial.settle();
        assert_eq!(trial.take(), ["whole", "ready room"]);
        trial
    }

    /// Publishes to `room`; returns what the store reports.
    fn publish(&mut self, text: &str) -> Arc<Publication> {
        self.store.publish("room", text)
    }

    /// Publishes to `room`, and it arrives.
    fn put(&mut self, text: &str) {
        let publication = self.publish(text);
        self.arrive(&publication);
    }

    fn arrive(&mut self, publication: &Arc<Publication>) {
        self.feed.handle_arrived(publication.clone(), None);
        self.look();
    }

    /// Time goes on to the next probe, and until what was on its way then would have come.
    fn probe(&mut self) {
        self.tick(LIMITS.probe_interval_ms);
        self.settle();
        self.tick(100);
        self.settle();
    }

    fn tick(&mut self, passes_ms: u64) {
        self.feed.tick(self.now);
        self.now += passes_ms;
        self.feed.tick(self.now);
        self.look();
    }

    /// Notes what the feed does and asks.
    fn look(&mut self) {
        while let Some(effect) = self.feed.poll_effect() {
            match effect {
                FeedEffect::HandOn { publication, except } => {
                    let but = except.map_or(String::new(), |except| format!(" but {except}"));
                    self.did.push(format!("{}{but}", text(&publication)));
                    self.handed_on.push(publication);
                }
                FeedEffect::Lost { channel, head } => {
                    assert!(head.offset == 0 || Some(head) == self.store.head(&channel));
                    self.did.push(format!("lost {channel}"));
                }
                FeedEffect::Ready(channel) => self.did.push(format!("ready {channel}")),
                FeedEffect::Whole => self.did.push("whole".to_owned()),
                asked => {
                    self.reads += usize::from(matches!(asked, FeedEffect::Read { .. }));
                    self.asked.push(asked);
                }
            }
        }
    }

    /// Answers what was asked first.
    fn answer(&mut self) {
        let asked = self.asked.remove(0);
        self.answer_with(asked);
    }

    fn answer_with(&mut self, asked: FeedEffect) {
        match asked {
            FeedEffect::Subscribe(channels) => {
                let heads = self.store.heads(&channels);
                self.feed.handle_subscribed(Ok(heads));
            }
            FeedEffect::Unsubscribe(_) => self.feed.handle_unsubscribed(),
            FeedEffect::Locate(channels) => {
                let heads = self.store.heads(&channels);
                self.feed.handle_heads(Ok(heads));
            }
            FeedEffect::Read { number, channel, since } => {
                let recovery = self.store.recover(&channel, since);
                self.feed.handle_read(number, &channel, Ok(recovery));
            }
            _ => unreachable!("nothing else is asked"),
        }
        self.look();
    }

    /// The store does not answer what was asked first.
    fn refuse(&mut self) {
        match self.asked.remove(0) {
            FeedEffect::Subscribe(_) => self.feed.handle_subscribed(Err(NoAnswer)),
            FeedEffect::Unsubscribe(_) => self.feed.handle_unsubscribed(),
            FeedEffect::Locate(_) => self.feed.handle_heads(Err(NoAnswer)),
            FeedEffect::Read { number, channel, .. } => {
                self.feed.handle_read(number, &channel, Err(NoAnswer));
            }
            _ => unreachable!("nothing else is asked"),
        }
        self.look();
    }

    /// Answers all that is asked.
    #[track_caller]
    fn settle(&mut self) {
        self.look();
        for _ in 0..10_000 {
            if self.asked.is_empty() {
                return;
            }
            self.answer();
        }
        panic!("it asks without end");
    }

    /// What it did since this was asked last.
    fn take(&mut self) -> Vec<String> {
        self.look();
        std::mem::take(&mut self.did)
    }

    /// What is asked now, as texts.
    fn asks(&mut self) -> Vec<String> {
        self.look();
        let names = |channels: &[ChannelName]| {
            channels.iter().map(ChannelName::as_str).collect::<Vec<_>>().join(" ")
        };
        let text = |asked: &FeedEffect| match asked {
            FeedEffect::Subscribe(channels) => format!("subscribe {}", names(channels)),
            FeedEffect::Unsubscribe(channels) => format!("unsubscribe {}", names(channels)),
            FeedEffect::Locate(channels) => format!("locate {}", names(channels)),
            FeedEffect::Read { channel, since: Position { offset, .. }, .. } => {
                format!("read {channel} after {offset}")
            }
            _ => unreachable!("nothing else is asked"),
        };
        self.asked.iter().map(text).collect()
    }
}
