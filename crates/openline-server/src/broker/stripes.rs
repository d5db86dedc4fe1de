//! [`Stripes`]: the streams of all channels, spread over locks.
//!
//! A channel's owner, who decides its order, is the stripe that it is in. Its lock is held for a
//! publication, not for its delivery.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytestring::ByteString;
use openline_engine::{History, Settled, Streams};
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
    stripes: Box<[Mutex<Stripe>]>,
    hasher: RandomState,
    /// Of all stripes.
    bytes: AtomicUsize,
    /// What the store is to remove; given to it in larger pieces.
    removed: Mutex<Vec<u64>>,
    options: LocalOptions,
    pub(super) clock: Clock,
    pub(super) tail: Arc<dyn Tail>,
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
    /// A record that nobody waits for.
    Note,
}

impl Stripes {
    pub(super) fn new(options: LocalOptions, clock: Clock, tail: Arc<dyn Tail>) -> Self {
        let epoch = rand::random();
        let stripe = || {
            let streams = Streams::new(options.window_ms, epoch);
            Mutex::new(Stripe { streams, retries: HashMap::new() })
        };
        Self {
            stripes: std::iter::repeat_with(stripe).take(STRIPES).collect(),
            hasher: RandomState::new(),
            bytes: AtomicUsize::new(0),
            removed: Mutex::default(),
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

    fn work<R>(
        &self,
        stripe: &Mutex<Stripe>,
        work: impl FnOnce(&mut Stripe, u64) -> (R, Vec<u64>),
    ) -> R {
        let mut stripe = lock(stripe);
        // Read under the lock, so that the entries of a channel are in the order of their times.
        let now = self.clock.now_ms();
        let before = stripe.streams.bytes();
        let (result, mut removed) = work(&mut stripe, now);
        let change = stripe.streams.bytes().wrapping_sub(before);
        let total = self.bytes.fetch_add(change, Ordering::Relaxed).wrapping_add(change);
        if total > self.options.bytes_max {
            let held = stripe.streams.bytes();
            removed.extend(stripe.streams.evict(total - self.options.bytes_max));
            self.bytes.fetch_sub(held - stripe.streams.bytes(), Ordering::Relaxed);
        }
        if !removed.is_empty() {
            lock(&self.removed).extend(removed);
        }
        result
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

    /// Marks a record for removal.
    pub(super) fn discard(&self, sequence: u64) {
        lock(&self.removed).push(sequence);
    }

    /// Makes visible what the store has committed, in its order.
    pub(super) fn commit(&self, group: Vec<Committed<Ticket>>) {
        for Committed { ticket, result } in group {
            if let Ticket::Publication { channel, key, except, waiter } = ticket {
                let retries = self.settle(&channel, key.as_deref(), except, &result);
                let Some((published, retries)) = retries else { continue };
                for (waiter, duplicate) in
                    [(waiter, false)].into_iter().chain(retries.into_iter().map(|w| (w, true)))
                {
                    let answer = published.clone();
                    // Who has gone meanwhile does not need to know.
                    let _ =
                        waiter.send(answer.map(|published| Published { duplicate, ..published }));
                }
            }
        }
    }

    fn settle(
        &self,
        channel: &ChannelName,
        key: Option<&str>,
        except: Option<Arc<str>>,
        result: &Result<u64, StoreError>,
    ) -> Option<(Result<Published, BrokerError>, Vec<Waiter>)> {
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
            let answer = match settled {
                Settled::Committed(publication) => {
                    let published = Published::first(&publication);
                    self.tail.publish(publication, except);
                    Ok(published)
                }
                Settled::TakenBack(_) => Err(match result {
                    Err(StoreError::Failed(why)) => BrokerError::StorageFailed(why.clone()),
                    // One that was stored behind one that was not is taken back with it.
                    Err(StoreError::Full) | Ok(_) => BrokerError::StorageFull,
                }),
            };
            (Some((answer, retries)), removed)
        })
    }

    /// Goes over all channels and forgets what is beyond its time. Returns whether a stream that had
    /// entries was forgotten.
    pub(super) fn sweep(&self) -> bool {
        let mut forgotten = false;
        for stripe in &self.stripes {
            forgotten |= self.work(stripe, |stripe, now| {
                let swept = stripe.streams.sweep(IDLE_MS, now);
                (swept.forgotten, swept.removed)
            });
        }
        forgotten
    }

    pub(super) fn set_epoch(&self, epoch: u32) {
        for stripe in &self.stripes {
            lock(stripe).streams.set_epoch(epoch);
        }
    }

    /// Channels, entries, and their bytes.
    pub(super) fn size(&self) -> (usize, usize, usize) {
        self.stripes.iter().map(lock).fold((0, 0, 0), |(channels, entries, bytes), stripe| {
            let streams = &stripe.streams;
            (channels + streams.len(), entries + streams.entries(), bytes + streams.bytes())
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing under this lock panics")
}
