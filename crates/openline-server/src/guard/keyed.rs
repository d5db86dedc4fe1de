//! [`Keyed`]: a bucket for each user or channel, for as many as there is room for.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::rate::{Bucket, Rate, RetryAfter};

/// Locks, so that threads seldom wait for one another.
const STRIPES_MAX: usize = 64;

/// A table is not searched for full buckets more often: what a flood of keys costs is bounded.
const SWEEP_EVERY_MS: u64 = 100;

/// Buckets by key. A bucket that is full again is forgotten when its room is needed.
///
/// Of a key only a 64-bit hash is kept, under a secret of the process: keys cannot be chosen to
/// collide, and by chance two of a million do once in 40 million processes; they would share a
/// bucket.
#[derive(Debug)]
pub(crate) struct Keyed {
    stripes: Box<[Mutex<Stripe>]>,
    stripe_keys_max: usize,
    /// Where there is no room for a key of its own: all such keys together get what one would.
    overflow: Mutex<Bucket>,
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Stripe {
    buckets: HashMap<u64, Bucket>,
    /// Nothing can be forgotten before.
    sweep_at_ms: u64,
}

impl Keyed {
    /// With room for about `keys_max` keys in use at a time, never more, at 17 to 37 bytes each.
    pub(crate) fn new(keys_max: usize) -> Self {
        let stripes = (keys_max / STRIPES_MAX).clamp(1, STRIPES_MAX);
        Self {
            stripes: (0..stripes).map(|_| Mutex::default()).collect(),
            stripe_keys_max: keys_max / stripes,
            overflow: Mutex::default(),
            hasher: RandomState::new(),
        }
    }

    /// Takes `count` tokens of the key's bucket. A key may be several things together: the kind of a
    /// command and the user.
    ///
    /// # Errors
    /// As [`Bucket::take_many`].
    pub(crate) fn take<K: Hash>(
        &self,
        key: &K,
        count: u32,
        rate: &Rate,
        now_ms: u64,
    ) -> Result<(), RetryAfter> {
        let key = self.hasher.hash_one(key);
        // The table takes the low bits of its own hash of this; any bits will do here.
        let mut stripe = lock(&self.stripes[(key % self.stripes.len() as u64) as usize]);
        if let Some(bucket) = stripe.buckets.get_mut(&key) {
            return bucket.take_many(count, rate, now_ms);
        }
        if stripe.make_room(self.stripe_keys_max, now_ms) {
            let mut bucket = Bucket::default();
            bucket.take_many(count, rate, now_ms)?;
            stripe.buckets.insert(key, bucket);
            return Ok(());
        }
        drop(stripe);
        lock(&self.overflow).take_many(count, rate, now_ms)
    }

    /// Keys that are remembered.
    #[cfg(test)]
    pub(crate) fn keys(&self) -> usize {
        self.stripes.iter().map(|stripe| lock(stripe).buckets.len()).sum()
    }
}

impl Stripe {
    /// Whether there is room for one more, if need be by forgetting those that are full.
    fn make_room(&mut self, keys_max: usize, now_ms: u64) -> bool {
        if self.buckets.len() >= keys_max && now_ms >= self.sweep_at_ms {
            self.buckets.retain(|_, bucket| !bucket.is_full(now_ms));
            let next = self.buckets.values().map(Bucket::full_at_ms).min().unwrap_or(0);
            self.sweep_at_ms = next.max(now_ms.saturating_add(SWEEP_EVERY_MS));
        }
        self.buckets.len() < keys_max
    }
}

/// A panic elsewhere leaves counts that are as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const RATE: Rate = rate(10, 2);

    const fn rate(per_second: u32, burst: u32) -> Rate {
        Rate {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[test]
    fn each_key_has_a_bucket_of_its_own() {
        let keyed = Keyed::new(1000);
        for user in ["ann", "bob"] {
            assert_eq!(keyed.take(&("publish", user), 2, &RATE, 0), Ok(()));
            assert_eq!(keyed.take(&("publish", user), 1, &RATE, 0), Err(RetryAfter(100)));
            assert_eq!(keyed.take(&("history", user), 1, &RATE, 0), Ok(()));
            assert_eq!(keyed.take(&("publish", user), 1, &RATE, 100), Ok(()));
        }
        assert_eq!(keyed.keys(), 4);
    }

    #[test]
    fn keys_without_room_share_what_one_would_get() {
        let keyed = Keyed::new(10);
        for key in 0..10 {
            assert_eq!(keyed.take(&key, 1, &RATE, 0), Ok(()));
        }
        let taken = (10..1000).filter(|key| keyed.take(key, 1, &RATE, 0).is_ok()).count();
        assert_eq!((taken, keyed.keys()), (2, 10));
        // Those that have a bucket are not hurt by those that have none.
        assert_eq!(keyed.take(&0, 1, &RATE, 0), Ok(()));
    }

    #[test]
    fn buckets_that_are_full_again_make_room() {
        let keyed = Keyed::new(10);
        for key in 0..10 {
            assert_eq!(keyed.take(&key, 1 + key % 2, &RATE, 0), Ok(()));
        }
        assert_eq!(keyed.take(&10, 1, &RATE, 100), Ok(()), "half are full again");
        assert_eq!(keyed.keys(), 6);
        // One that is not full stays as it is.
        assert_eq!(keyed.take(&1, 2, &RATE, 100), Err(RetryAfter(100)));
    }

    #[test]
    fn the_number_of_keys_never_passes_the_limit() {
        for keys_max in [0, 1, 5, 63, 64, 65, 1_000, 5_000] {
            let keyed = Keyed::new(keys_max);
            for key in 0..6_000 {
                let _ = keyed.take(&key, 1, &RATE, key / 50);
            }
            assert!(keyed.keys() <= keys_max, "{} of {keys_max}", keyed.keys());
        }
    }

    #[test]
    fn a_refused_newcomer_takes_no_room() {
        let keyed = Keyed::new(10);
        assert_eq!(keyed.take(&1, 3, &RATE, 0), Err(RetryAfter::NEVER));
        assert_eq!(keyed.keys(), 0);
    }

    #[test]
    fn threads_together_get_no_more_than_the_rate() {
        let keyed = Keyed::new(1000);
        let rate = rate(1, 500);
        let taken: usize = std::thread::scope(|scope| {
            let take = || (0..1000).filter(|_| keyed.take(&"one", 1, &rate, 0).is_ok()).count();
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(taken, 500);
    }
}
