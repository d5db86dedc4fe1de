//! Counters that threads add to without waiting for each other.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use super::families::{CELLS, Count, LATENCY_BOUNDS_MS};

/// Stripes at most, which is some 2 KiB each.
const STRIPES_MAX: usize = 64;

/// One set of counters for each core. A thread adds to its own, so no cache line goes from core to
/// core; where there are more threads than sets, some share one.
pub(super) struct Stripes {
    stripes: Box<[Stripe]>,
}

/// Aligned to what processors fetch at a time, two cache lines.
#[repr(align(128))]
struct Stripe {
    cells: [AtomicU64; CELLS],
    latencies: [AtomicU64; LATENCY_BOUNDS_MS.len() + 1],
    latency_sum_ms: AtomicU64,
}

/// How long publications took, in the buckets of [`LATENCY_BOUNDS_MS`] and one for the rest.
pub(super) struct Latencies {
    pub(super) buckets: [u64; LATENCY_BOUNDS_MS.len() + 1],
    pub(super) sum_ms: u64,
}

impl Default for Stripes {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let stripes = cores.next_power_of_two().min(STRIPES_MAX);
        Self { stripes: (0..stripes).map(|_| Stripe::new()).collect() }
    }
}

impl Stripes {
    /// Adds to the cell of the family's label value of this index.
    pub(super) fn add(&self, count: Count, index: usize, by: u64) {
        add(&self.own().cells[count.cell(index)], by);
    }

    pub(super) fn add_latency(&self, ms: u64) {
        let own = self.own();
        add(&own.latencies[LATENCY_BOUNDS_MS.partition_point(|bound| *bound < ms)], 1);
        add(&own.latency_sum_ms, ms);
    }

    pub(super) fn sum(&self, count: Count, index: usize) -> u64 {
        self.sum_of(|stripe| &stripe.cells[count.cell(index)])
    }

    pub(super) fn latencies(&self) -> Latencies {
        Latencies {
            buckets: std::array::from_fn(|index| self.sum_of(|stripe| &stripe.latencies[index])),
            sum_ms: self.sum_of(|stripe| &stripe.latency_sum_ms),
        }
    }

    fn own(&self) -> &Stripe {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        thread_local! {
            static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed);
        }
        // The number of stripes is a power of two.
        &self.stripes[NUMBER.with(|number| *number) & (self.stripes.len() - 1)]
    }

    fn sum_of(&self, cell: impl Fn(&Stripe) -> &AtomicU64) -> u64 {
        let values = self.stripes.iter().map(|stripe| cell(stripe).load(Ordering::Relaxed));
        values.fold(0, u64::wrapping_add)
    }
}

impl Stripe {
    fn new() -> Self {
        Self {
            cells: [const { AtomicU64::new(0) }; CELLS],
            latencies: [const { AtomicU64::new(0) }; LATENCY_BOUNDS_MS.len() + 1],
            latency_sum_ms: AtomicU64::new(0),
        }
    }
}

/// The counts are read for display alone, so no order among them is needed.
fn add(cell: &AtomicU64, by: u64) {
    cell.fetch_add(by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_when_threads_count_at_once() {
        let stripes = Stripes::default();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        stripes.add(Count::Panics, 0, 1);
                        stripes.add_latency(3);
                    }
                });
            }
        });
        assert_eq!(stripes.sum(Count::Panics, 0), 8_000);
        assert_eq!(stripes.sum(Count::UnknownFields, 0), 0);
        let latencies = stripes.latencies();
        assert_eq!(latencies.buckets.iter().sum::<u64>(), 8_000);
        assert_eq!(latencies.sum_ms, 24_000);
    }

    #[test]
    fn a_latency_counts_in_the_first_bucket_that_holds_it() {
        let stripes = Stripes::default();
        for ms in [0, 1, 2, 3, 10_000, 10_001] {
            stripes.add_latency(ms);
        }
        let buckets = stripes.latencies().buckets;
        assert_eq!(&buckets[..3], &[2, 1, 1], "up to 1 ms, 2 ms and 5 ms");
        assert_eq!(&buckets[buckets.len() - 2..], &[1, 1], "up to 10 s, and the rest");
    }
}
