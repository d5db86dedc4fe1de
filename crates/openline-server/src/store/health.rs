//! What the store tells about itself.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Upper bounds of the buckets of [`Health::commit_times`]; a last one takes the rest.
pub(crate) const COMMIT_BOUNDS: [Duration; 9] = [
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// The store at a moment. Counters begin when it is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Health {
    pub(crate) state: State,
    /// Records and their bytes that wait for the disk.
    pub(crate) queued_records: u64,
    pub(crate) queued_bytes: u64,
    /// Records written, and all bytes written for them and for upkeep.
    pub(crate) records_written: u64,
    pub(crate) bytes_written: u64,
    /// Live records, and the bytes of all files.
    pub(crate) records: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) commits: u64,
    /// Commits by how long they took: see [`COMMIT_BOUNDS`].
    pub(crate) commit_times: [u64; COMMIT_BOUNDS.len() + 1],
    pub(crate) commit_time_sum: Duration,
    /// Why space is not given back any more: a segment that is kept as it is, because it does not
    /// read back. The next start sets it aside.
    pub(crate) damage: Option<String>,
}

/// Whether the store takes records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Ok,
    /// Answers `storage_full` until there is space.
    Full,
    /// Answers `storage_failed` until the process is restarted.
    Failed(String),
}

/// Where the queue and the writer count.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) queued_records: AtomicU64,
    pub(super) queued_bytes: AtomicU64,
    rest: Mutex<Health>,
}

impl Meter {
    pub(super) fn new() -> Self {
        let rest = Health {
            state: State::Ok,
            queued_records: 0,
            queued_bytes: 0,
            records_written: 0,
            bytes_written: 0,
            records: 0,
            disk_bytes: 0,
            commits: 0,
            commit_times: [0; COMMIT_BOUNDS.len() + 1],
            commit_time_sum: Duration::ZERO,
            damage: None,
        };
        Self { queued_records: 0.into(), queued_bytes: 0.into(), rest: Mutex::new(rest) }
    }

    pub(super) fn health(&self) -> Health {
        let mut health = self.rest().clone();
        health.queued_records = self.queued_records.load(Ordering::Relaxed);
        health.queued_bytes = self.queued_bytes.load(Ordering::Relaxed);
        health
    }

    pub(super) fn update(&self, with: impl FnOnce(&mut Health)) {
        with(&mut self.rest());
    }

    pub(super) fn commit(&self, records: usize, bytes: u64, took: Duration) {
        let mut health = self.rest();
        health.records_written += records as u64;
        health.bytes_written += bytes;
        health.commits += 1;
        health.commit_time_sum += took;
        let bucket = COMMIT_BOUNDS.partition_point(|bound| *bound < took);
        health.commit_times[bucket] += 1;
    }

    fn rest(&self) -> MutexGuard<'_, Health> {
        self.rest.lock().expect("nothing under this lock panics")
    }
}
