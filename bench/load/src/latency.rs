//! A histogram of durations whose buckets are at most 1/32 wide.

use std::time::Duration;

const STEPS_LOG2: u32 = 5;
const STEPS: usize = 1 << STEPS_LOG2;

pub(crate) struct Latency {
    counts: Vec<u64>,
    total: u64,
}

impl Latency {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; STEPS * 64], total: 0 }
    }

    pub(crate) fn record(&mut self, taken: Duration, times: u64) {
        self.counts[bucket(taken.as_nanos() as u64)] += times;
        self.total += times;
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }

    /// Microseconds below which `share` of the durations lie.
    pub(crate) fn quantile_us(&self, share: f64) -> f64 {
        let rank = (self.total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank.max(1) {
                return middle_ns(bucket) / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(ns: u64) -> usize {
    if ns < STEPS as u64 {
        return ns as usize;
    }
    let shift = ns.ilog2() - STEPS_LOG2;
    (shift as usize + 1) * STEPS + (ns >> shift) as usize - STEPS
}

fn middle_ns(bucket: usize) -> f64 {
    if bucket < STEPS {
        return bucket as f64;
    }
    let shift = bucket / STEPS - 1;
    ((STEPS + bucket % STEPS) as f64 + 0.5) * (shift as f64).exp2()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_within_three_percent() {
        for ns in [1, 31, 32, 33, 1_000, 54_321, 7_000_000_000] {
            let middle = middle_ns(bucket(ns));
            assert!((middle - ns as f64).abs() <= ns as f64 * 0.03, "{ns} became {middle}");
        }
    }

    #[test]
    fn half_lies_below_the_median() {
        let mut latency = Latency::new();
        (1..=1000).for_each(|us| latency.record(Duration::from_micros(us), 1));
        assert!((latency.quantile_us(0.5) - 500.0).abs() < 15.0);
        assert!((latency.quantile_us(0.99) - 990.0).abs() < 30.0);
    }
}
