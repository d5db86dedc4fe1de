//! [`Schedule`]: which line has its turn when. Times are counted from the schedule's beginning.

use std::collections::VecDeque;
use std::time::Duration;

use rand::Rng;
use rand::seq::SliceRandom as _;

/// What is to be done about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due<T> {
    /// It is to be told.
    Tell(T),
    /// It was told, and is to be closed.
    Close(T),
}

/// When lines are told and closed: in no order that a line could have, and evenly.
#[derive(Debug)]
pub(super) struct Schedule<T> {
    /// In the order of their turns.
    lines: Vec<T>,
    next: usize,
    duration: Duration,
    notice: Duration,
    /// When to close those that were told, the first first.
    told: VecDeque<(Duration, T)>,
}

impl<T: Copy> Schedule<T> {
    /// All lines of the node together are shuffled: were each thread to pace its own, their turns
    /// would fall together. Line `i` of `n` has its turn at `duration * i / n`, which no chance makes
    /// uneven.
    pub(super) fn new(
        mut lines: Vec<T>,
        duration: Duration,
        notice: Duration,
        random: &mut impl Rng,
    ) -> Self {
        lines.shuffle(random);
        Self { lines, next: 0, duration, notice, told: VecDeque::new() }
    }

    /// What is due by now, in its order.
    pub(super) fn poll(&mut self, now: Duration) -> Option<Due<T>> {
        // Who was told at the same time as another is to be closed comes behind it.
        let turn = self.turn().filter(|at| *at <= now);
        let close = self.told.front().map(|(at, _)| *at).filter(|at| *at <= now);
        match (turn, close) {
            (Some(turn), Some(close)) if turn < close => self.tell(turn),
            (_, Some(_)) => self.told.pop_front().map(|(_, line)| Due::Close(line)),
            (Some(turn), None) => self.tell(turn),
            (None, None) => None,
        }
    }

    /// When there is something to do next; None if all is done.
    pub(super) fn poll_deadline(&self) -> Option<Duration> {
        let close = self.told.front().map(|(at, _)| *at);
        self.turn().into_iter().chain(close).min()
    }

    /// A line that came too late for a turn of its own is told now.
    pub(super) fn handle_late(&mut self, now: Duration, line: T) {
        self.told.push_back((now + self.notice, line));
    }

    fn turn(&self) -> Option<Duration> {
        let count = u32::try_from(self.lines.len()).unwrap_or(u32::MAX);
        let next = u32::try_from(self.next).ok().filter(|next| *next < count)?;
        let share = f64::from(next) / f64::from(count);
        Some(self.duration.mul_f64(share))
    }

    fn tell(&mut self, turn: Duration) -> Option<Due<T>> {
        let line = *self.lines.get(self.next)?;
        self.next += 1;
        // By its turn, not by when it was asked for: a thread that was late is late once.
        self.told.push_back((turn + self.notice, line));
        Some(Due::Tell(line))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs it to its end by a clock that is looked at so often; says when what was done.
    fn run(mut schedule: Schedule<u32>, every: Duration) -> Vec<(Duration, Due<u32>)> {
        let (mut now, mut done) = (Duration::ZERO, Vec::new());
        while schedule.poll_deadline().is_some() {
            while let Some(due) = schedule.poll(now) {
                done.push((now, due));
            }
            now += every;
        }
        done
    }

    fn schedule(lines: u32, duration: Duration, notice: Duration, seed: u64) -> Schedule<u32> {
        let mut random = StdRng::seed_from_u64(seed);
        Schedule::new((0..lines).collect(), duration, notice, &mut random)
    }

    /// How many were closed in each second.
    fn closed_by_second(done: &[(Duration, Due<u32>)]) -> Vec<usize> {
        let mut counts = Vec::new();
        let closed = done.iter().filter(|(_, due)| matches!(due, Due::Close(_)));
        for (at, _) in closed {
            let second = usize::try_from(at.as_secs()).unwrap();
            counts.resize(counts.len().max(second + 1), 0);
            counts[second] += 1;
        }
        counts
    }

    #[test]
    fn five_thousand_lines_are_closed_evenly() {
        for seed in 0..20 {
            let schedule = schedule(5_000, SECOND * 20, SECOND * 5, seed);
            let counts = closed_by_second(&run(schedule, Duration::from_millis(7)));
            assert_eq!(counts[..5], [0; 5], "nobody is closed before its notice is over");
            let counts = &counts[5..];
            let mean = 5_000.0 / 20.0;
            let most = *counts.iter().max().unwrap() as f64;
            assert!(most / mean <= 1.01, "seed {seed}: {counts:?}");
            assert_eq!(counts.iter().sum::<usize>(), 5_000);
        }
    }

    #[test]
    fn each_line_is_told_once_and_closed_once_after_its_notice() {
        let done = run(schedule(1_000, SECOND * 3, SECOND, 1), Duration::from_millis(1));
        for line in 0..1_000 {
            let of_line: Vec<_> = done
                .iter()
                .filter(|(_, due)| matches!(due, Due::Tell(l) | Due::Close(l) if *l == line))
                .collect();
            let [(told, Due::Tell(_)), (closed, Due::Close(_))] = of_line[..] else {
                panic!("{of_line:?}")
            };
            let notice = *closed - *told;
            assert!(notice.abs_diff(SECOND) <= Duration::from_millis(1), "{notice:?}");
        }
    }

    #[test]
    fn turns_follow_no_order_of_the_lines() {
        let order = |seed| -> Vec<u32> {
            let done = run(schedule(2_000, SECOND, Duration::ZERO, seed), SECOND / 100);
            let told = |(_, due)| match due {
                Due::Tell(line) => Some(line),
                Due::Close(_) => None,
            };
            done.into_iter().filter_map(told).collect()
        };
        let first = order(1);
        assert_ne!(first, order(2));
        // Of the threads of a node, which have as many lines each, every part takes its share.
        let of_one_thread = first[..1_000].iter().filter(|line| **line < 1_000).count();
        assert!((400..600).contains(&of_one_thread), "{of_one_thread}");
        let rising = first.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((800..1_200).contains(&rising), "{rising}");
    }

    #[test]
    fn a_clock_that_stood_still_does_not_shift_what_comes_after() {
        let mut schedule = schedule(100, SECOND * 10, SECOND, 3);
        while schedule.poll(SECOND * 5).is_some() {}
        assert_eq!(schedule.poll_deadline(), Some(Duration::from_millis(5_100)));
        while schedule.poll(SECOND * 30).is_some() {}
        assert_eq!(schedule.poll_deadline(), None);
    }

    #[test]
    fn without_duration_and_notice_all_is_due_at_once() {
        let done = run(schedule(500, Duration::ZERO, Duration::ZERO, 4), SECOND);
        assert_eq!(done.len(), 1_000);
        assert!(done.iter().all(|(at, _)| at.is_zero()));
        assert_eq!(schedule(0, SECOND, SECOND, 5).poll_deadline(), None);
    }

    #[test]
    fn who_comes_late_has_its_notice_too() {
        let mut schedule = schedule(0, SECOND * 10, SECOND, 6);
        schedule.handle_late(SECOND * 12, 7);
        assert_eq!(schedule.poll(SECOND * 12), None);
        assert_eq!(schedule.poll_deadline(), Some(SECOND * 13));
        assert_eq!(schedule.poll(SECOND * 13), Some(Due::Close(7)));
    }
}
