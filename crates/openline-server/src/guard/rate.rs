//! [`Bucket`]: what was used of a [`Rate`].

use serde::{Deserialize, Serialize};

pub(crate) use crate::config::Rate;

/// How long to wait until it may happen, in milliseconds; [`RetryAfter::NEVER`] if waiting is in
/// vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RetryAfter(pub(crate) u64);

/// What was taken of a rate: a token bucket that stores the one moment at which it is full again.
///
/// It does not hold its rate, so a rate can change under it; it is full to begin with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bucket {
    full_at_ns: u64,
}

impl RetryAfter {
    /// More than a burst was asked for.
    pub(crate) const NEVER: Self = Self(u64::MAX);
}

impl Bucket {
    /// Takes one token.
    ///
    /// # Errors
    /// When there will be one; nothing is taken.
    pub(crate) fn take(&mut self, rate: &Rate, now_ms: u64) -> Result<(), RetryAfter> {
        self.take_many(1, rate, now_ms)
    }

    /// Takes `count` tokens or none: a command that counts for several, such as a list of channels.
    ///
    /// # Errors
    /// As [`Bucket::take`].
    pub(crate) fn take_many(
        &mut self,
        count: u32,
        rate: &Rate,
        now_ms: u64,
    ) -> Result<(), RetryAfter> {
        if count > rate.burst.get() {
            return Err(RetryAfter::NEVER);
        }
        let now_ns = now_ms.saturating_mul(1_000_000);
        // What one token takes to come back: no product with it overflows.
        let interval_ns = 1_000_000_000 / u64::from(rate.per_second.get());
        let taken_ns = interval_ns * u64::from(count);
        let full_at_ns = self.full_at_ns.max(now_ns).saturating_add(taken_ns);
        let allowed_ns = now_ns.saturating_add(interval_ns * u64::from(rate.burst.get()));
        if full_at_ns > allowed_ns {
            return Err(RetryAfter((full_at_ns - allowed_ns).div_ceil(1_000_000)));
        }
        self.full_at_ns = full_at_ns;
        Ok(())
    }

    /// Whether forgetting it changes nothing.
    pub(crate) fn is_full(&self, now_ms: u64) -> bool {
        self.full_at_ms() <= now_ms
    }

    /// When it is full again if nothing more is taken.
    pub(crate) fn full_at_ms(&self) -> u64 {
        self.full_at_ns.div_ceil(1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const RATE: Rate = rate(20, 40);

    const fn rate(per_second: u32, burst: u32) -> Rate {
        Rate {
            per_second: NonZeroU32::new(per_second).unwrap(),
            burst: NonZeroU32::new(burst).unwrap(),
        }
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let mut bucket = Bucket::default();
        let taken = (0..100).filter(|_| bucket.take(&RATE, 5_000).is_ok()).count();
        assert_eq!(taken, 40);
        assert_eq!(bucket.take(&RATE, 5_000), Err(RetryAfter(50)));
        assert_eq!(bucket.take(&RATE, 5_049), Err(RetryAfter(1)));
        assert_eq!(bucket.take(&RATE, 5_050), Ok(()));
        assert_eq!(bucket.take(&RATE, 5_050), Err(RetryAfter(50)));
        // A refusal costs nothing: ten seconds at the rate, whoever hammers.
        let taken = (5_050..15_050).filter(|now| bucket.take(&RATE, *now).is_ok()).count();
        assert!((199..=200).contains(&taken), "{taken}");
    }

    #[test]
    fn who_waits_as_long_as_told_is_served() {
        for per_second in [1, 3, 7, 20, 999, 1_000_000] {
            let rate = rate(per_second, 2);
            let (mut bucket, mut now) = (Bucket::default(), 123);
            for _ in 0..50 {
                if let Err(RetryAfter(wait)) = bucket.take(&rate, now) {
                    assert!(wait >= 1);
                    now += wait;
                    assert_eq!(bucket.take(&rate, now), Ok(()), "{per_second} per second");
                }
            }
        }
    }

    #[test]
    fn a_quiet_time_fills_it_and_no_more() {
        let mut bucket = Bucket::default();
        assert!(bucket.is_full(0));
        assert_eq!(bucket.take_many(40, &RATE, 0), Ok(()));
        assert!(!bucket.is_full(1_999));
        assert!(bucket.is_full(2_000));
        assert_eq!(bucket.full_at_ms(), 2_000);
        assert_eq!(bucket.take_many(40, &RATE, 1_000_000), Ok(()));
        assert!(bucket.take(&RATE, 1_000_000).is_err());
    }

    #[test]
    fn many_are_taken_together_or_not_at_all() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take_many(30, &RATE, 0), Ok(()));
        assert_eq!(bucket.take_many(30, &RATE, 0), Err(RetryAfter(1_000)));
        assert_eq!(bucket.take_many(10, &RATE, 0), Ok(()));
        assert_eq!(bucket.take_many(41, &RATE, 60_000), Err(RetryAfter::NEVER));
        assert_eq!(bucket.take_many(0, &RATE, 0), Ok(()));
    }

    #[test]
    fn extremes_do_not_panic() {
        for rate in [rate(1, u32::MAX), rate(u32::MAX, 1), rate(u32::MAX, u32::MAX)] {
            for now_ms in [0, u64::MAX, 5] {
                let mut bucket = Bucket::default();
                assert_eq!(bucket.take_many(rate.burst.get(), &rate, now_ms), Ok(()));
                let _ = bucket.take(&rate, now_ms);
            }
        }
    }

    #[test]
    fn a_clock_that_stands_back_a_little_does_no_harm() {
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take_many(39, &RATE, 1_000), Ok(()));
        assert_eq!(bucket.take(&RATE, 990), Err(RetryAfter(10)));
        assert_eq!(bucket.take(&RATE, 1_000), Ok(()));
    }

    #[test]
    fn a_line_holds_a_word_for_each_rate() {
        assert_eq!(size_of::<Bucket>(), 8);
    }
}
