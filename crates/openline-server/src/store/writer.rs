//! The store's thread: takes batches, commits them, reports, and tries again on a full disk.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::health::{Meter, State};
use super::log::{Log, Receipt};
use super::queue::{Batch, Queue, Work};
use super::{Committed, StoreError};

/// Steps of upkeep in a row while the disk is full; records wait for them to be refused.
const CHORES_MAX: usize = 64;

pub(super) struct Writer<T, F> {
    queue: Arc<Queue<T>>,
    log: Log,
    meter: Arc<Meter>,
    /// How long a full disk is left alone.
    probes: RangeInclusive<Duration>,
    committed: F,
    mood: Mood,
}

/// Whether it is any use to write.
#[derive(Debug, Clone)]
enum Mood {
    Well,
    Full { probe_at: Instant, wait: Duration },
    Failed(String),
}

impl<T, F: FnMut(Vec<Committed<T>>)> Writer<T, F> {
    pub(super) fn new(
        queue: Arc<Queue<T>>,
        log: Log,
        meter: Arc<Meter>,
        probes: RangeInclusive<Duration>,
        committed: F,
    ) -> Self {
        Self { queue, log, meter, probes, committed, mood: Mood::Well }
    }

    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) -> Result<(), StoreError> {
        // Also when `committed` panics: nobody may go on queueing then.
        let _end = End { queue: self.queue.clone(), meter: self.meter.clone() };
        self.note();
        loop {
            match self.queue.take(self.patience()) {
                Work::Commit(batch) => self.commit(batch),
                Work::Idle => self.attend(),
                Work::Closed => return self.close(),
            }
        }
    }

    /// How long the queue may be waited for before there is something else to do.
    fn patience(&self) -> Option<Duration> {
        match &self.mood {
            Mood::Well => self.log.has_chores().then_some(Duration::ZERO),
            Mood::Full { probe_at, .. } => Some(probe_at.saturating_duration_since(Instant::now())),
            Mood::Failed(_) => None,
        }
    }

    fn commit(&mut self, batch: Batch<T>) {
        self.log.forget(&batch.removed);
        let result = match &self.mood {
            Mood::Failed(why) => Err(StoreError::Failed(why.clone())),
            Mood::Full { probe_at, .. } if Instant::now() < *probe_at => Err(StoreError::Full),
            // Chores come first: they may be what makes space.
            Mood::Full { .. } => self.chores(CHORES_MAX).and_then(|()| self.write(&batch.records)),
            Mood::Well => self.write(&batch.records),
        };
        self.note();
        let mut tickets = batch.tickets;
        if tickets.is_empty() {
            return;
        }
        if result.is_err() {
            tickets.extend(self.queue.refuse());
        }
        let result = |place: u64| match &result {
            Ok(receipt) => Ok(receipt.first + place),
            Err(error) => Err(error.clone()),
        };
        let report = (0..).zip(tickets);
        let report = report.map(|(place, ticket)| Committed { ticket, result: result(place) });
        (self.committed)(report.collect());
        self.queue.accept();
    }

    fn write(&mut self, records: &[Bytes]) -> Result<Receipt, StoreError> {
        #[cfg(feature = "seeded-bugs")]
        crate::broker::seeded::before_write();
        let began = Instant::now();
        let result = self.log.commit(records);
        match &result {
            Ok(receipt) => self.meter.commit(records.len(), receipt.bytes, began.elapsed()),
            Err(error) => self.suffer(error.clone()),
        }
        // Upkeep may use the reserve, so that it works says nothing about records.
        if result.is_ok() && !records.is_empty() {
            self.mood = Mood::Well;
        }
        result
    }

    /// What there is to do without records: upkeep, and a look whether a full disk still is.
    fn attend(&mut self) {
        let full = matches!(self.mood, Mood::Full { .. });
        let done = self.chores(if full { CHORES_MAX } else { 1 });
        if full && done.is_ok() {
            match self.log.check_space() {
                Ok(()) => self.mood = Mood::Well,
                Err(error) => self.suffer(error),
            }
        }
        self.note();
    }

    /// Removals and moves, some steps of them.
    fn chores(&mut self, steps: usize) -> Result<(), StoreError> {
        for _ in 0..steps {
            if self.log.has_chores() {
                self.write(&[])?;
            }
        }
        Ok(())
    }

    fn suffer(&mut self, error: StoreError) {
        let wait = match &self.mood {
            Mood::Full { wait, .. } => (*wait * 2).min(*self.probes.end()),
            Mood::Well | Mood::Failed(_) => *self.probes.start(),
        };
        self.mood = match error {
            StoreError::Failed(why) => Mood::Failed(why),
            StoreError::Full => Mood::Full { probe_at: Instant::now() + wait, wait },
        };
    }

    fn close(&mut self) -> Result<(), StoreError> {
        if let Mood::Failed(why) = &self.mood {
            return Err(StoreError::Failed(why.clone()));
        }
        self.log.close()
    }

    /// Tells the meter what only the log knows.
    fn note(&self) {
        self.meter.update(|health| {
            health.state = match &self.mood {
                Mood::Well => State::Ok,
                Mood::Full { .. } => State::Full,
                Mood::Failed(why) => State::Failed(why.clone()),
            };
            health.records = self.log.live_records();
            health.disk_bytes = self.log.disk_bytes();
            health.damage = self.log.damage().map(str::to_owned);
        });
    }
}

/// Closes the queue when the thread ends, in whatever way.
struct End<T> {
    queue: Arc<Queue<T>>,
    meter: Arc<Meter>,
}

impl<T> Drop for End<T> {
    fn drop(&mut self) {
        self.queue.close();
        if std::thread::panicking() {
            self.meter.update(|health| {
                health.state = State::Failed("the store's thread panicked".into())
            });
        }
    }
}
