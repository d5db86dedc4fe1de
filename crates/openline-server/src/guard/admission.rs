//! How fast new lines may come: what keeps a node alive when all its clients come at once.

use std::ops::RangeInclusive;

use super::rate::Rate;

/// A token in the smallest unit there is: a quarter of what a rate of 1/s brings in a millisecond,
/// so that both lanes fill by whole units.
const TOKEN: u64 = 4_000;

/// Nobody is told to wait longer, jitter aside: by then things have changed.
const WAIT_MS_MAX: u64 = 30_000;

/// A kind that nobody asked for during this time leaves its share to the other.
const QUIET_MS: u64 = 1_000;

/// How many lines a second a node takes in without trouble, whatever the machine.
const RETURNS_PER_SECOND: u64 = 1_000;

/// Between these, clients are told to spread over their first attempt to come back.
const RETRY_SPREAD_MS: RangeInclusive<u64> = 1_000..=30_000;

/// Over how long so many clients are to spread their first attempt to come back: for as long as it
/// takes to let them in.
pub(crate) fn retry_spread_ms(lines: u32, admission: Option<Rate>) -> u64 {
    let admitted = admission.map_or(u64::MAX, |rate| rate.per_second.get().into());
    let per_second = admitted.min(RETURNS_PER_SECOND);
    let spread_ms = u64::from(lines) * 1_000 / per_second;
    spread_ms.clamp(*RETRY_SPREAD_MS.start(), *RETRY_SPREAD_MS.end())
}

/// Who wants to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    New,
    /// A client that was here before, shows who it is, and goes on where it was: it costs little,
    /// and somebody misses it.
    Resume,
}

/// A token bucket with two lanes. While both kinds come, three resumed lines get in for each new
/// one; while one kind comes, it has the whole rate.
#[derive(Debug)]
pub(crate) struct Admission {
    per_second: u64,
    lanes: [Lane; 2],
    filled_ms: u64,
}

#[derive(Debug)]
struct Lane {
    /// How many of four.
    share: u64,
    tokens: u64,
    tokens_max: u64,
    asked_ms: Option<u64>,
    /// The turn of the last one that was told when to come back: those who are refused are given
    /// one turn after the other, rather than the same.
    turn_us: u64,
}

impl Admission {
    pub(crate) fn new(rate: Rate) -> Self {
        let burst = u64::from(rate.burst.get());
        let lane = |share: u64| {
            let tokens_max = (burst * share * TOKEN / 4).max(TOKEN);
            Lane { share, tokens: tokens_max, tokens_max, asked_ms: None, turn_us: 0 }
        };
        Self { per_second: rate.per_second.get().into(), lanes: [lane(1), lane(3)], filled_ms: 0 }
    }

    /// Goes on at another rate. What was saved stays, as far as it fits.
    pub(crate) fn set_rate(&mut self, rate: Rate) {
        let new = Self::new(rate);
        self.per_second = new.per_second;
        for (lane, new) in self.lanes.iter_mut().zip(new.lanes) {
            lane.tokens_max = new.tokens_max;
            lane.tokens = lane.tokens.min(new.tokens_max);
        }
    }

    /// Lets one in.
    ///
    /// # Errors
    /// When to try again, in milliseconds from now: its turn, and up to half as much and a second
    /// more by `random`.
    pub(crate) fn take(&mut self, kind: Kind, now_ms: u64, random: u64) -> Result<(), u64> {
        self.fill(now_ms);
        let now_ms = self.filled_ms;
        let [new, resume] = &mut self.lanes;
        let (lane, other) = match kind {
            Kind::New => (new, resume),
            Kind::Resume => (resume, new),
        };
        lane.asked_ms = Some(now_ms);
        let alone = other.asked_ms.is_none_or(|asked| now_ms - asked > QUIET_MS);
        let own = lane.tokens.min(TOKEN);
        let borrowed = TOKEN - own;
        if borrowed == 0 || (alone && other.tokens >= borrowed) {
            lane.tokens -= own;
            other.tokens -= borrowed;
            return Ok(());
        }
        let share = if alone { 4 } else { lane.share };
        let turn_us = 4_000_000_u64.div_ceil(self.per_second * share);
        let now_us = now_ms.saturating_mul(1_000);
        let latest_us = now_us.saturating_add(WAIT_MS_MAX * 1_000);
        lane.turn_us = lane.turn_us.max(now_us).saturating_add(turn_us).min(latest_us);
        let wait_ms = (lane.turn_us - now_us).div_ceil(1_000);
        Err(wait_ms + random % (wait_ms / 2 + 1_000))
    }

    /// What a full lane cannot hold goes to the other.
    fn fill(&mut self, now_ms: u64) {
        let elapsed = now_ms.saturating_sub(self.filled_ms);
        self.filled_ms = self.filled_ms.max(now_ms);
        let units = elapsed.saturating_mul(self.per_second);
        let [new, resume] = &mut self.lanes;
        let over_new = new.add(units.saturating_mul(new.share));
        let over_resume = resume.add(units.saturating_mul(resume.share));
        new.add(over_resume);
        resume.add(over_new);
    }
}

impl Lane {
    /// Returns what does not fit.
    fn add(&mut self, units: u64) -> u64 {
        let added = units.min(self.tokens_max - self.tokens);
        self.tokens += added;
        units - added
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn admission(per_second: u32) -> Admission {
        let per_second = NonZeroU32::new(per_second).unwrap();
        Admission::new(Rate { per_second, burst: per_second })
    }

    /// How many of each kind get in at one moment of `ask` tries in turn.
    fn admitted(admission: &mut Admission, kinds: &[Kind], asks: usize, now_ms: u64) -> [usize; 2] {
        let mut admitted = [0, 0];
        for kind in kinds.iter().cycle().take(asks) {
            let took = admission.take(*kind, now_ms, 0).is_ok();
            admitted[usize::from(*kind == Kind::Resume)] += usize::from(took);
        }
        admitted
    }

    #[test]
    fn one_kind_alone_has_the_whole_rate_and_what_was_saved() {
        for (kind, lane) in [(Kind::New, 0), (Kind::Resume, 1)] {
            let mut admission = admission(100);
            assert_eq!(admitted(&mut admission, &[kind], 1000, 0)[lane], 100);
            let total: usize =
                (1..=10_000).map(|now| admitted(&mut admission, &[kind], 3, now)[lane]).sum();
            assert!((999..=1_000).contains(&total), "{kind:?} {total}");
        }
    }

    #[test]
    fn of_both_three_resumed_lines_come_in_for_each_new_one() {
        let mut admission = admission(100);
        let both = [Kind::New, Kind::Resume];
        admitted(&mut admission, &both, 1000, 0);
        let mut total = [0, 0];
        for now in 1..=10_000 {
            let [new, resume] = admitted(&mut admission, &both, 6, now);
            total = [total[0] + new, total[1] + resume];
        }
        assert!((249..=250).contains(&total[0]), "{total:?}");
        assert!((749..=750).contains(&total[1]), "{total:?}");
    }

    #[test]
    fn who_is_refused_gets_a_turn_of_its_own() {
        let mut admission = admission(100);
        admitted(&mut admission, &[Kind::New], 100, 0);
        assert_eq!(admission.take(Kind::New, 0, 0), Err(10));
        assert_eq!(admission.take(Kind::New, 0, 0), Err(20));
        assert_eq!(admission.take(Kind::New, 5, 0), Err(25));
        assert_eq!(admission.take(Kind::New, 5, 7), Err(35 + 7));
        for _ in 0..100_000 {
            let wait = admission.take(Kind::New, 6, u64::MAX).unwrap_err();
            assert!(wait <= WAIT_MS_MAX + WAIT_MS_MAX / 2 + 1_000);
        }
    }

    #[test]
    fn who_comes_back_at_its_turn_gets_in() {
        for kind in [Kind::New, Kind::Resume] {
            let mut admission = admission(7);
            let mut now_ms = 1;
            for _ in 0..100 {
                if let Err(wait_ms) = admission.take(kind, now_ms, 0) {
                    now_ms += wait_ms;
                    assert_eq!(admission.take(kind, now_ms, 0), Ok(()));
                }
            }
        }
    }

    /// The storm: everybody was cut at once and comes back at once. Each comes again when it was
    /// told to, and all are in within twice the time that the rate alone would take.
    #[test]
    fn all_of_15_000_clients_are_back_within_twice_the_ideal_time() {
        let ideal_ms = (15_000 - 500) * 1_000 / 500;
        let mut admission = admission(500);
        let mut seed = 1_u64;
        let mut coming: std::collections::BinaryHeap<_> =
            (0..15_000_u64).map(|client| std::cmp::Reverse((0, client))).collect();
        let (mut last_ms, mut refusals) = (0, 0);
        while let Some(std::cmp::Reverse((now_ms, client))) = coming.pop() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            match admission.take(Kind::Resume, now_ms, seed >> 33) {
                Ok(()) => last_ms = now_ms,
                Err(wait_ms) => {
                    refusals += 1;
                    // As Retry-After says it.
                    coming.push(std::cmp::Reverse((
                        now_ms + wait_ms.div_ceil(1_000) * 1_000,
                        client,
                    )));
                }
            }
        }
        assert!(last_ms <= 2 * ideal_ms, "{last_ms} ms, ideal {ideal_ms} ms");
        assert!(refusals <= 2 * 15_000, "{refusals} refusals");
    }

    #[test]
    fn the_spread_grows_with_the_lines_and_with_a_slow_admission() {
        let rate = |per_second| {
            let per_second = NonZeroU32::new(per_second).unwrap();
            Some(Rate { per_second, burst: per_second })
        };
        for (lines, admission, spread_ms) in [
            (0, None, 1_000),
            (1_000, None, 1_000),
            (4_200, None, 4_200),
            (30_000, None, 30_000),
            (u32::MAX, None, 30_000),
            (4_200, rate(500), 8_400),
            (4_200, rate(5_000), 4_200),
            (100, rate(1), 30_000),
            (0, rate(1), 1_000),
        ] {
            assert_eq!(retry_spread_ms(lines, admission), spread_ms, "{lines} {admission:?}");
        }
    }

    #[test]
    fn another_rate_holds_at_once_and_gives_nothing_away() {
        let mut admission = admission(100);
        assert_eq!(admitted(&mut admission, &[Kind::New], 1000, 0), [100, 0]);
        let fast = NonZeroU32::new(1000).unwrap();
        admission.set_rate(Rate { per_second: fast, burst: fast });
        assert_eq!(admitted(&mut admission, &[Kind::New], 1000, 0), [0, 0], "it saved nothing");
        assert_eq!(admitted(&mut admission, &[Kind::New], 1000, 100), [100, 0]);
        admission.set_rate(Rate { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN });
        assert_eq!(admitted(&mut admission, &[Kind::New], 1000, 200), [0, 0]);
    }

    #[test]
    fn extremes_do_not_panic() {
        for per_second in [1, u32::MAX] {
            let mut admission = admission(per_second);
            for now_ms in [0, 5, 3, u64::MAX, 1] {
                for random in [0, u64::MAX] {
                    let _ = admission.take(Kind::New, now_ms, random);
                    let _ = admission.take(Kind::Resume, now_ms, random);
                }
            }
        }
    }
}
