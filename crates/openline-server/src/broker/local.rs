//! [`LocalBroker`]: the broker of a single node, in this process, with or without a store.

mod keeping;

use std::path::Path;
use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::{Draft, Extent, History, Ordered, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Publication, Reason};
use tokio::sync::oneshot;

use self::keeping::{Keeping, Kept};
use super::record::Record;
use super::stripes::{Stripe, Stripes, Ticket};
use super::{Answer, Broker, BrokerError, BrokerHealth, GiveError, Published, Tail};
use crate::clock::Clock;
use crate::store::{self, Level, OpenError, Opened, State, Store};

/// Removals are given to the store in pieces of this size.
const REMOVED_TOGETHER: usize = 256;

/// How a local broker works.
#[derive(Debug, Clone)]
pub(crate) struct LocalOptions {
    /// Memory for the entries of all channels. Beyond it the oldest are forgotten.
    pub(crate) bytes_max: usize,
    /// How long a key is remembered.
    pub(crate) window_ms: u64,
    /// Channels that something is remembered of.
    pub(crate) channels_max: usize,
}

/// A broker in this process.
pub(crate) struct LocalBroker {
    stripes: Arc<Stripes>,
    keeping: Keeping,
    level: &'static str,
}

impl LocalBroker {
    /// A broker that keeps entries in memory only.
    pub(crate) fn in_memory(options: LocalOptions, clock: Clock, tail: Arc<dyn Tail>) -> Self {
        let stripes = Arc::new(Stripes::new(options, clock, tail));
        Self { stripes, keeping: Keeping::in_memory(), level: "memory" }
    }

    /// A broker that keeps entries in a store as well. `history` tells how much is kept of a
    /// channel.
    pub(crate) fn open(
        dir: &Path,
        stored: store::Options,
        options: LocalOptions,
        clock: Clock,
        tail: Arc<dyn Tail>,
        history: impl Fn(&ChannelName) -> History,
    ) -> Result<(Self, Opened), OpenError> {
        let level = if stored.level == Level::Fsync { "fsync" } else { "os" };
        let stripes = Arc::new(Stripes::new(options, clock, tail));
        let mut epoch: Option<(u32, u64)> = None;
        let each = |sequence, bytes: bytes::Bytes| match Record::from_bytes(&bytes) {
            Some(Record::Epoch(number)) => {
                let before = epoch.replace((number, sequence));
                stripes.discard(before.map(|(_, before)| before));
            }
            Some(Record::Publication(stored)) => match stored.into_publication() {
                Some((publication, key)) => {
                    let history = history(&publication.channel);
                    stripes.restore(publication, key, history, sequence);
                }
                None => stripes.discard([sequence]),
            },
            None => stripes.discard([sequence]),
        };
        let (keeping, opened) = Keeping::open(dir, stored, &stripes, each)?;
        let broker = Self { stripes, keeping, level };
        match epoch {
            Some((epoch, sequence)) => {
                broker.stripes.set_epoch(epoch);
                broker.stripes.note().sequence = Some(sequence);
            }
            None => broker.set_epoch(&broker.keeping.kept(), rand::random()),
        }
        broker.remove(&broker.keeping.kept(), 1);
        Ok((broker, opened))
    }

    /// Names the streams that are made from here on: one that had entries is forgotten.
    fn set_epoch(&self, kept: &Kept, epoch: u32) {
        let mut note = self.stripes.note();
        self.stripes.set_epoch(epoch);
        if let Kept::InStore(store) = kept {
            note.owed = store.append(Record::Epoch(epoch).to_bytes(), Ticket::Epoch).is_err();
        }
    }

    fn remove(&self, kept: &Kept, least: usize) {
        let Kept::InStore(store) = kept else { return };
        let removed = self.stripes.take_removed(least);
        if !removed.is_empty() {
            store.remove(removed);
        }
    }

    /// Gives an ordered entry to the store, or makes it visible at once. The stripe is locked, so
    /// that the order in the store, and at the tail, is that of the channel.
    fn keep(
        &self,
        kept: &Kept,
        stripe: &mut Stripe,
        publication: Arc<Publication>,
        key: Option<ByteString>,
        except: Option<Arc<str>>,
        now: u64,
    ) -> (Answer<Published>, Vec<u64>) {
        let channel = publication.channel.clone();
        let Some((store, position)) = kept.store().zip(publication.position) else {
            let published = Published::first(&publication);
            let mut removed = Vec::new();
            if let Some(position) = publication.position {
                let sequence = Some(position.offset);
                let settled = stripe.streams.settle(&channel, sequence, key.as_deref(), now);
                removed = settled.map_or_else(Vec::new, |(_, removed)| removed);
            }
            self.stripes.tail.publish(publication, except);
            return (Answer::now(Ok(published)), removed);
        };
        let record = Record::publication(&publication, position, key.as_deref()).to_bytes();
        let (waiter, answer) = oneshot::channel();
        #[cfg(feature = "seeded-bugs")]
        if super::seeded::delivers_early() {
            self.stripes.tail.publish(publication.clone(), except.clone());
        }
        let ticket =
            Ticket::Publication { channel: channel.clone(), key: key.clone(), except, waiter };
        if store.append(record, ticket).is_ok() {
            #[cfg(feature = "seeded-bugs")]
            if super::seeded::acks_early() {
                return (Answer::now(Ok(Published::first(&publication))), Vec::new());
            }
            return (Answer::Later(answer), Vec::new());
        }
        stripe.streams.withdraw(&channel, key.as_deref());
        let error = match store.health().state {
            State::Failed(why) => BrokerError::StorageFailed(why),
            State::Full => BrokerError::StorageFull,
            State::Ok => BrokerError::Overloaded,
        };
        (Answer::now(Err(error)), Vec::new())
    }
}

impl Broker for LocalBroker {
    fn publish(&self, draft: Draft, except: Option<Arc<str>>) -> Answer<Published> {
        let kept = self.keeping.kept();
        if let Err(error) = kept.check() {
            return Answer::now(Err(error));
        }
        let (channel, key) = (draft.channel.clone(), draft.key.clone());
        let channels_max = self.stripes.options.channels_max;
        let full = self.stripes.channels() >= channels_max;
        let answer = self.stripes.with(&channel, |stripe, now| {
            if full && draft.is_remembered() && !stripe.streams.knows(&channel) {
                let error = BrokerError::Channels { most: channels_max };
                return (Answer::now(Err(error)), Vec::new());
            }
            let answer = match stripe.streams.order(draft, rand::random(), now) {
                Ordered::New(publication) => {
                    return self.keep(&kept, stripe, publication, key, except, now);
                }
                Ordered::Conflict { age_ms } => {
                    let key = key.unwrap_or_default().to_string();
                    Answer::now(Err(BrokerError::Conflict { key, age_ms }))
                }
                Ordered::Duplicate { position: Some(position), pending: true, .. } => {
                    let (waiter, answer) = oneshot::channel();
                    let retried = (channel.clone(), position.offset);
                    stripe.retries.entry(retried).or_default().push(waiter);
                    Answer::Later(answer)
                }
                Ordered::Duplicate { position, timestamp, .. } => {
                    Answer::now(Ok(Published { position, timestamp, duplicate: true }))
                }
            };
            (answer, Vec::new())
        });
        self.remove(&kept, REMOVED_TOGETHER);
        answer
    }

    fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> Answer<Recovery> {
        let recover =
            |stripe: &mut Stripe, now| stripe.streams.recover(channel, since, limits, now);
        let recovery = self.stripes.with(channel, recover);
        match recovery.missed {
            // The reader may know more than is known here by now.
            Err(_) if self.keeping.is_away() => Answer::now(Err(BrokerError::HandedOver)),
            _ => Answer::now(Ok(recovery)),
        }
    }

    fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Answer<Result<Page, Reason>> {
        let ask = |stripe: &mut Stripe, now| stripe.streams.query(channel, query, limits, now);
        match self.stripes.with(channel, ask) {
            Err(_) if self.keeping.is_away() => Answer::now(Err(BrokerError::HandedOver)),
            page => Answer::now(Ok(page)),
        }
    }

    fn extent(&self, channel: &ChannelName) -> Answer<Option<Extent>> {
        let extent = |stripe: &mut Stripe, now| stripe.streams.extent(channel, now);
        Answer::now(Ok(Some(self.stripes.with(channel, extent))))
    }

    fn clear(&self, channel: &ChannelName) -> Answer<()> {
        let kept = self.keeping.kept();
        if let Err(error) = kept.check() {
            return Answer::now(Err(error));
        }
        let clear = |stripe: &mut Stripe, _| (stripe.streams.clear(channel), Vec::new());
        let removed = self.stripes.with(channel, clear);
        if !removed.is_empty() {
            // First, or a kill between the two would leave the channel gone and its name in use.
            self.set_epoch(&kept, rand::random());
            self.stripes.discard(removed);
            self.remove(&kept, 1);
        }
        Answer::now(Ok(()))
    }

    fn sweep(&self) {
        let kept = self.keeping.kept();
        if kept.check().is_err() {
            return;
        }
        let epoch = rand::random();
        let swept = self.stripes.sweep(epoch);
        if swept.forgotten || self.stripes.note().owed {
            self.set_epoch(&kept, epoch);
        }
        self.stripes.discard(swept.removed);
        self.remove(&kept, 1);
    }

    fn give(&self) -> Result<(), GiveError> {
        self.keeping.give()
    }

    fn take_back(&self) -> Result<(), GiveError> {
        self.keeping.take_back(&self.stripes)
    }

    fn history_bytes(&self) -> usize {
        self.stripes.bytes()
    }

    fn shrink_history(&self, bytes_max: usize) {
        let kept = self.keeping.kept();
        self.stripes.shrink(bytes_max);
        self.remove(&kept, 1);
    }

    fn level(&self) -> &'static str {
        self.level
    }

    fn store(&self) -> Option<store::Health> {
        self.keeping.kept().store().map(Store::health)
    }

    fn health(&self) -> BrokerHealth {
        let (channels, entries, bytes) = self.stripes.size();
        let mut health = BrokerHealth { channels, entries, bytes, ..BrokerHealth::default() };
        let kept = self.keeping.kept();
        if let Kept::Lost(why) = &*kept {
            health.ailment = Some(why.clone());
        }
        if let Some(store) = kept.store() {
            let stored = store.health();
            health.queued_bytes = stored.queued_bytes;
            health.ailment = match stored.state {
                State::Ok => None,
                State::Full => Some("the disk is full".to_owned()),
                State::Failed(why) => Some(why),
            };
        }
        health
    }
}

impl Published {
    pub(super) fn first(publication: &Publication) -> Self {
        let Publication { position, timestamp, .. } = *publication;
        Self { position, timestamp, duplicate: false }
    }
}
