//! [`Stripes`]: the streams of all channels, spread over locks.
//!
//! A channel's owner, who decides its order, is the stripe that it is in. Its lock is held for a
//! publication, not for its delivery.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytestring::ByteString;
use openline_engine::{History, Settled, Streams, Swept};
use openline_protocol::{ChannelName, Publication};
use tokio::sync::oneshot;

use super::{BrokerError, LocalOptions, Published, Tail};
use crate::clock::Clock;
use crate::store::{Committed, StoreError};

const STRIPES: usize = 32;

/// How long the head of a channel is remembered that keeps no entry and is not used: a reader that
/// was away longer is told `epoch`.
const IDLE_MS: u64 = 24 * 60 * 60 * 1000;

pub(super) struct Stripes {
    stripes: Box<[Slot]>,
    hasher: RandomState,
    /// Of all stripes.
    bytes: AtomicUsize,
    channels: AtomicUsize,
    /// What the store is to remove; given to it in larger pieces.
    removed: Mutex<Vec<u64>>,
    note: Mutex<Note>,
    pub(super) options: LocalOptions,
    pub(super) clock: Clock,
    pub(super) tail: Arc<dyn Tail>,
}

struct Slot {
    stripe: Mutex<Stripe>,
    /// Of its entries, for those who do not hold the lock.
    bytes: AtomicUsize,
}

/// What the store knows of the name of new streams.
#[derive(Debug, Default)]
pub(super) struct Note {
    /// Where the newest record of it is; the ones before are to be removed.
    pub(super) sequence: Option<u64>,
    /// The newest could not be written. It is to be tried again: without it readers of a channel
    /// that was forgotten could take the next one for it after a restart.
    pub(super) owed: bool,
}

#[derive(Default)]
pub(super) struct Stripe {
    pub(super) streams: Streams,
    /// Retries of publications that are not settled, by channel and offset.
    pub(super) retries: HashMap<(ChannelName, u64), Vec<Waiter>>,
}

pub(super) type Waiter = oneshot::Sender<Result<Published, BrokerError>>;

/// What goes with a record to the store and comes back.
pub(super) enum Ticket {
    Publication {
        channel: ChannelName,
        key: Option<ByteString>,
        except: Option<Arc<str>>,
        waiter: Waiter,
    },
    /// The name of new streams.
    Epoch,
}

/// What became of an entry that was with the store.
struct Settlement {
    /// The entry, if it has become visible.
    publication: Option<Arc<Publication>>,
    answer: Result<Published, BrokerError>,
    /// Who waits for the same answer.
    retries: Vec<Waiter>,
}

impl Stripes {
    pub(super) fn new(options: LocalOptions, clock: Clock, tail: Arc<dyn Tail>) -> Self {
        let epoch = rand::random();
        let stripe = || {
            let streams = Streams::new(options.window_ms, epoch);
            let stripe = Mutex::new(Stripe { streams, retries: HashMap::new() });
            Slot { stripe, bytes: AtomicUsize::new(0) }
        };
        Self {
            stripes: std::iter::repeat_with(stripe).take(STRIPES).collect(),
            hasher: RandomState::new(),
            bytes: AtomicUsize::new(0),
            channels: AtomicUsize::new(0),
            removed: Mutex::default(),
            note: Mutex::default(),
            options,
            clock,
            tail,
        }
    }

    /// Works on the stripe of a channel, with the time. What `work` returns beside its result is to
    /// be removed from the store.
    pub(super) fn with<R>(
        &self,
        channel: &ChannelName,
        work: impl FnOnce(&mut Stripe, u64) -> (R, Vec<u64>),
    ) -> R {
        let index = self.hasher.hash_one(channel) as usize % STRIPES;
        self.work(&self.stripes[index], work)
    }

    fn work<R>(&self, slot: &Slot, work: impl FnOnce(&mut Stripe, u64) -> (R, Vec<u64>)) -> R {
        let mut stripe = lock(&slot.stripe);
        // Read under the lock, so that the entries of a channel are in the order of their times.
        let now = self.clock.now_ms();
        let (before, known) = (stripe.streams.bytes(), stripe.streams.len());
        let (result, removed) = work(&mut stripe, now);
        let more = stripe.streams.len().wrapping_sub(known);
        self.channels.fetch_add(more, Ordering::Relaxed);
        self.count(slot, before, &stripe);
        drop(stripe);
        self.discard(removed);
        self.shrink(self.options.bytes_max);
        result
    }

    fn count(&self, slot: &Slot, before: usize, stripe: &Stripe) {
        let bytes = stripe.streams.bytes();
        slot.bytes.store(bytes, Ordering::Relaxed);
        self.bytes.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
    }

    /// Forgets what is over the bound: the oldest entries of the stripe that holds the most, so that
    /// a channel that fills the memory pays for it and not those that have little.
    pub(super) fn shrink(&self, bytes_max: usize) {
        let excess = || self.bytes().saturating_sub(bytes_max);
        while excess() > 0 {
            let largest = self.stripes.iter().max_by_key(|slot| slot.bytes.load(Ordering::Relaxed));
            let Some(slot) = largest else { return };
            let mut stripe = lock(&slot.stripe);
            let before = stripe.streams.bytes();
            // Another thread may have done it meanwhile.
            let removed = stripe.streams.evict(excess());
            self.count(slot, before, &stripe);
            let is_done = stripe.streams.bytes() == before;
            drop(stripe);
            self.discard(removed);
            if is_done {
                return;
            }
        }
    }

    /// What all entries take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Channels that something is remembered of.
    pub(super) fn channels(&self) -> usize {
        self.channels.load(Ordering::Relaxed)
    }

    /// What the store is to remove, once it is worth a call.
    pub(super) fn take_removed(&self, least: usize) -> Vec<u64> {
        let mut removed = lock(&self.removed);
        if removed.len() < least { Vec::new() } else { std::mem::take(&mut *removed) }
    }

    /// Puts back what the store had, in its order.
    pub(super) fn restore(
        &self,
        publication: Publication,
        key: Option<ByteString>,
        history: History,
        sequence: u64,
    ) {
        let channel = publication.channel.clone();
        self.with(&channel, |stripe, now| {
            let publication = Arc::new(publication);
            ((), stripe.streams.restore(publication, key, history, sequence, now))
        });
    }

    /// Marks records for removal.
    pub(super) fn discard(&self, sequences: impl IntoIterator<Item = u64>) {
        let mut sequences = sequences.into_iter().peekable();
        if sequences.peek().is_some() {
            lock(&self.removed).extend(sequences);
        }
    }

    /// What the store knows of the name of new streams. Held while it changes, so that the newest
    /// record is of the newest name.
    pub(super) fn note(&self) -> MutexGuard<'_, Note> {
        lock(&self.note)
    }

    fn noted(&self, result: Result<u64, StoreError>) {
        let mut note = self.note();
        match result {
            Ok(sequence) => self.discard(note.sequence.replace(sequence)),
            Err(_) => note.owed = true,
        }
    }

    /// Makes visible what the store has committed, in its order. The tail gets it in one piece when all
    /// of it is settled: a thread that was woken for the first of a burst would go through all its
    /// lines for that one. The acks come last.
    pub(super) fn commit(&self, group: Vec<Committed<Ticket>>) {
        let mut visible = Vec::with_capacity(group.len());
        let mut answers = Vec::with_capacity(group.len());
        for Committed { ticket, result } in group {
            let Ticket::Publication { channel, key, except, waiter } = ticket else {
                self.noted(result);
                continue;
            };
            let settled = self.settle(&channel, key.as_deref(), &result);
            let Some(Settlement { publication, answer, retries }) = settled else { continue };
            visible.extend(publication.map(|publication| (publication, except)));
            let retries = retries.into_iter().map(|waiter| {
                let again = answer.clone();
                (waiter, again.map(|published| Published { duplicate: true, ..published }))
            });
            answers.extend(retries);
            answers.push((waiter, answer));
        }
        if !visible.is_empty() {
            self.tail.publish_all(visible);
        }
        for (waiter, answer) in answers {
            // Who has gone meanwhile does not need to know.
            let _ = waiter.send(answer);
        }
    }

    fn settle(
        &self,
        channel: &ChannelName,
        key: Option<&str>,
        result: &Result<u64, StoreError>,
    ) -> Option<Settlement> {
        self.with(channel, |stripe, now| {
            let sequence = result.as_ref().ok().copied();
            let Some((settled, removed)) = stripe.streams.settle(channel, sequence, key, now)
            else {
                return (None, Vec::new());
            };
            let (Settled::Committed(publication) | Settled::TakenBack(publication)) = &settled;
            let offset = publication.position.map_or(0, |position| position.offset);
            let retries = match stripe.retries.is_empty() {
                true => Vec::new(),
                false => stripe.retries.remove(&(channel.clone(), offset)).unwrap_or_default(),
            };
            let (publication, answer) = match settled {
                Settled::Committed(publication) => {
                    let published = Published::first(&publication);
                    (Some(publication), Ok(published))
                }
                Settled::TakenBack(_) => {
                    let error = match result {
                        Err(StoreError::Failed(why)) => BrokerError::StorageFailed(why.clone()),
                        // One that was stored behind one that was not is taken back with it.
                        Err(StoreError::Full) | Ok(_) => BrokerError::StorageFull,
                    };
                    (None, Err(error))
                }
            };
            (Some(Settlement { publication, answer, retries }), removed)
        })
    }

    /// Goes over all channels and forgets what is beyond its time. Where a stream is forgotten that
    /// had entries, `epoch` names the next ones at once, and the caller owes the rest of
    /// [`Stripes::set_epoch`]. What it returns is to be removed from the store after that.
    pub(super) fn sweep(&self, epoch: u32) -> Swept {
        let mut all = Swept { removed: Vec::new(), forgotten: false };
        for slot in &self.stripes {
            let swept = self.work(slot, |stripe, now| {
                let swept =
                    stripe.streams.sweep(IDLE_MS, now, |channel| self.tail.is_heard(channel));
                if swept.forgotten {
                    stripe.streams.set_epoch(epoch);
                }
                (swept, Vec::new())
            });
            all.forgotten |= swept.forgotten;
            all.removed.extend(swept.removed);
        }
        all
    }

    pub(super) fn set_epoch(&self, epoch: u32) {
        for slot in &self.stripes {
            lock(&slot.stripe).streams.set_epoch(epoch);
        }
    }

    /// Channels, entries, and their bytes.
    pub(super) fn size(&self) -> (usize, usize, usize) {
        self.stripes.iter().fold((0, 0, 0), |(channels, entries, bytes), slot| {
            let streams = &lock(&slot.stripe).streams;
            (channels + streams.len(), entries + streams.entries(), bytes + streams.bytes())
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing under this lock panics")
}
