//! What waits for the writer.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::health::Meter;
use super::{Options, QueueFull};

/// A record's length is written in 32 bits, and a commit's too.
const QUEUE_BYTES_LIMIT: usize = 1 << 30;

/// What a waiting record counts beyond its bytes, so that empty ones are bounded too.
pub(super) const RECORD_OVERHEAD: usize = 64;

/// Removals that wait before they are committed without a record to go with.
const REMOVED_MAX: usize = 4096;

/// Records and removals on their way to the writer.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    ready: Condvar,
    meter: Arc<Meter>,
    queue_bytes_max: usize,
    commit_records_max: usize,
    commit_bytes_max: usize,
    linger: Duration,
}

#[derive(Debug)]
struct Waiting<T> {
    records: VecDeque<(Bytes, T)>,
    bytes: usize,
    removed: Vec<u64>,
    removed_since: Option<Instant>,
    closing: bool,
    /// What could not be written is just being reported.
    refusing: bool,
    /// The writer sleeps. Waking it is a system call, so it is done only then.
    asleep: bool,
    /// Whose turn ends with waking it.
    caller: Option<ThreadId>,
}

/// Wakes the writer when it is dropped, so also when the runtime ends before the task that holds it
/// has run. It does not keep the store open.
struct Call<T>(Arc<Queue<T>>);

impl<T> Drop for Call<T> {
    fn drop(&mut self) {
        let mut waiting = self.0.waiting();
        waiting.caller = None;
        self.0.wake(waiting);
    }
}

/// What the writer has to do next.
#[derive(Debug)]
pub(super) enum Work<T> {
    Commit(Batch<T>),
    /// Nothing came in the time given.
    Idle,
    /// Closed, and all was taken.
    Closed,
}

/// What goes into one commit.
#[derive(Debug)]
pub(super) struct Batch<T> {
    pub(super) records: Vec<Bytes>,
    pub(super) tickets: Vec<T>,
    pub(super) removed: Vec<u64>,
}

impl<T> Queue<T> {
    pub(super) fn new(options: &Options, meter: Arc<Meter>) -> Self {
        let waiting = Waiting {
            records: VecDeque::new(),
            bytes: 0,
            removed: Vec::new(),
            removed_since: None,
            closing: false,
            refusing: false,
            asleep: false,
            caller: None,
        };
        Self {
            waiting: Mutex::new(waiting),
            ready: Condvar::new(),
            meter,
            queue_bytes_max: options.queue_bytes_max.min(QUEUE_BYTES_LIMIT),
            commit_records_max: options.commit_records_max.max(1),
            commit_bytes_max: options.commit_bytes_max.min(QUEUE_BYTES_LIMIT),
            linger: options.linger,
        }
    }

    /// On a thread of a runtime the writer is woken when the tasks have run that are ready now: who
    /// appends often appends more than once in a turn, and a commit of many records costs about what
    /// one of a single record does.
    pub(super) fn push(self: &Arc<Self>, record: Bytes, ticket: T) -> Result<(), QueueFull<T>>
    where
        T: Send + 'static,
    {
        let mut waiting = self.waiting();
        let bytes = waiting.bytes.saturating_add(record.len() + RECORD_OVERHEAD);
        if waiting.closing || waiting.refusing || bytes > self.queue_bytes_max {
            return Err(QueueFull(ticket));
        }
        waiting.bytes = bytes;
        waiting.records.push_back((record, ticket));
        self.count(&waiting);
        self.wake_after_turn(waiting);
        Ok(())
    }

    pub(super) fn remove(&self, sequences: Vec<u64>) {
        if sequences.is_empty() {
            return;
        }
        let mut waiting = self.waiting();
        waiting.removed.extend(sequences);
        waiting.removed_since.get_or_insert_with(Instant::now);
        self.wake(waiting);
    }

    /// No more is taken in; the writer ends when it has written what waits.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.closing = true;
        self.wake(waiting);
    }

    /// Waits for the next batch, at most for `patience` if there is one.
    pub(super) fn take(&self, patience: Option<Duration>) -> Work<T> {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut waiting = self.waiting();
        loop {
            let now = Instant::now();
            let linger = waiting.removed_since.map(|since| since + self.linger);
            let removals_due = waiting.removed.len() >= REMOVED_MAX
                || linger.is_some_and(|due| due <= now)
                || (waiting.closing && !waiting.removed.is_empty());
            if !waiting.records.is_empty() || removals_due {
                return Work::Commit(self.batch(&mut waiting));
            }
            if waiting.closing {
                return Work::Closed;
            }
            if until.is_some_and(|until| until <= now) {
                return Work::Idle;
            }
            waiting.asleep = true;
            waiting = match [until, linger].into_iter().flatten().min() {
                Some(wake) => {
                    let woken = self.ready.wait_timeout(waiting, wake - now);
                    woken.expect("nothing under this lock panics").0
                }
                None => self.ready.wait(waiting).expect("nothing under this lock panics"),
            };
            waiting.asleep = false;
        }
    }

    /// Gives up what waits, and takes in no more before [`Queue::accept`].
    pub(super) fn refuse(&self) -> Vec<T> {
        let mut waiting = self.waiting();
        waiting.refusing = true;
        waiting.bytes = 0;
        let tickets = waiting.records.drain(..).map(|(_, ticket)| ticket).collect();
        self.count(&waiting);
        tickets
    }

    pub(super) fn accept(&self) {
        self.waiting().refusing = false;
    }

    fn batch(&self, waiting: &mut Waiting<T>) -> Batch<T> {
        let mut batch = Batch { records: Vec::new(), tickets: Vec::new(), removed: Vec::new() };
        let mut bytes = 0;
        while batch.records.len() < self.commit_records_max {
            let Some((record, _)) = waiting.records.front() else { break };
            if bytes > 0 && bytes + record.len() > self.commit_bytes_max {
                break;
            }
            bytes += record.len() + RECORD_OVERHEAD;
            let (record, ticket) = waiting.records.pop_front().expect("it was there just now");
            batch.records.push(record);
            batch.tickets.push(ticket);
        }
        waiting.bytes -= bytes;
        batch.removed = std::mem::take(&mut waiting.removed);
        waiting.removed_since = None;
        self.count(waiting);
        batch
    }

    fn count(&self, waiting: &Waiting<T>) {
        self.meter.queued_records.store(waiting.records.len() as u64, Ordering::Relaxed);
        self.meter.queued_bytes.store(waiting.bytes as u64, Ordering::Relaxed);
    }

    fn wake_after_turn(self: &Arc<Self>, mut waiting: MutexGuard<'_, Waiting<T>>)
    where
        T: Send + 'static,
    {
        let me = thread::current().id();
        if !waiting.asleep || waiting.caller == Some(me) {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) if waiting.caller.is_none() => {
                waiting.caller = Some(me);
                drop(waiting);
                let call = Call(self.clone());
                runtime.spawn(async move { drop(call) });
            }
            _ => self.wake(waiting),
        }
    }

    fn wake(&self, waiting: MutexGuard<'_, Waiting<T>>) {
        let asleep = waiting.asleep;
        drop(waiting);
        if asleep {
            self.ready.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().expect("nothing under this lock panics")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    fn queue() -> Arc<Queue<u32>> {
        Arc::new(Queue::new(&Options::default(), Arc::new(Meter::new())))
    }

    /// A writer that takes one batch, asleep.
    fn writer(queue: &Arc<Queue<u32>>) -> thread::JoinHandle<Vec<u32>> {
        let taking = queue.clone();
        let writer = thread::spawn(move || match taking.take(None) {
            Work::Commit(batch) => batch.tickets,
            other => panic!("{other:?}"),
        });
        while !queue.waiting().asleep {
            thread::yield_now();
        }
        writer
    }

    fn push(queue: &Arc<Queue<u32>>, tickets: std::ops::Range<u32>) {
        for ticket in tickets {
            queue.push(Bytes::from_static(b"x"), ticket).unwrap();
        }
    }

    fn runtime() -> Runtime {
        Builder::new_current_thread().build().unwrap()
    }

    #[test]
    fn what_is_appended_in_one_turn_is_one_batch() {
        let queue = queue();
        for _ in 0..3 {
            let writer = writer(&queue);
            runtime().block_on(async {
                push(&queue, 0..2);
                let other = queue.clone();
                tokio::spawn(async move { push(&other, 2..4) });
                push(&queue, 4..6);
                tokio::task::yield_now().await;
            });
            // The task that was spawned came behind the one that wakes.
            let taken = writer.join().unwrap();
            assert!(taken.starts_with(&[0, 1, 4, 5]), "{taken:?}");
            queue.refuse();
            queue.accept();
        }
    }

    #[test]
    fn the_writer_is_woken_though_the_runtime_ends_first() {
        let queue = queue();
        let writer = writer(&queue);
        let runtime = runtime();
        {
            let _entered = runtime.enter();
            push(&queue, 0..3);
        }
        drop(runtime);
        assert_eq!(writer.join().unwrap(), [0, 1, 2]);
    }

    #[test]
    fn another_thread_does_not_wait_for_the_turn_of_the_first() {
        let queue = queue();
        let writer = writer(&queue);
        let runtime = runtime();
        let entered = runtime.enter();
        push(&queue, 0..1);
        let other = queue.clone();
        let handle = runtime.handle().clone();
        let pushing = thread::spawn(move || {
            let _entered = handle.enter();
            push(&other, 1..2);
        });
        pushing.join().unwrap();
        // The runtime has run nothing.
        assert_eq!(writer.join().unwrap(), [0, 1]);
        drop(entered);
    }
}
