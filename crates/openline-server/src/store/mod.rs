//! The embedded durable store: an ordered log of opaque records, with group commit.
//!
//! [`Store::append`] queues a record and returns; one thread (`writer`) takes whatever waits, writes
//! it as one group (`group`) at the end of the newest segment file (`log`), and reports the tickets
//! back in the order of the calls. At [`Level::Os`] a group is acked when the system has it, at
//! [`Level::Fsync`] when the disk has it; the time of the sync is what gathers the next group.
//!
//! # Promises
//! - *Invariant:* an acked record is in the log, in the order of the calls, until it is removed.
//!   What was answered with an error is not, and nothing is that was appended behind it before that
//!   answer was reported: it may build on what is not there.
//! - *Invariant:* what a crash leaves at the end of the log is cut. Anything else that does not read
//!   back is damage: the files are set aside whole, and none is deleted (`recovery`).
//! - A full disk answers [`StoreError::Full`] and heals by itself. A write or sync that fails
//!   otherwise ends all writing: a sync that failed must not be tried again on the same file.
//! - One process for each directory (`lock`).

mod disk;
mod group;
mod health;
mod lock;
mod log;
mod queue;
mod recovery;
mod segment;
mod sweep;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;

pub(crate) use self::health::{COMMIT_BOUNDS, Health, State};

use self::disk::Disk;
use self::health::Meter;
use self::lock::Lock;
use self::log::Log;
use self::queue::Queue;
use self::writer::Writer;

/// What an ack means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing outlives the process. Such records never reach the store.
    Memory,
    /// The record outlives the process, killed or not.
    Os,
    /// The record outlives a loss of power.
    Fsync,
}

/// How a store works. All limits are finite.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// What an ack means. `Memory` is taken for `Os`.
    pub(crate) level: Level,
    /// Free space that new records leave on the disk, so that forgetting old ones, which has to be
    /// written too, still works on a full disk. Default 64 MiB.
    pub(crate) reserve_bytes: u64,
    /// Records in one commit. Default 4096.
    pub(crate) commit_records_max: usize,
    /// Bytes in one commit, a larger single record excepted. Default 1 MiB.
    pub(crate) commit_bytes_max: usize,
    /// Bytes that wait for the disk; beyond it `append` refuses. It is also the largest record.
    /// Default 64 MiB, at most 1 GiB.
    pub(crate) queue_bytes_max: usize,
    /// Size at which a segment file ends and the next begins. Space is given back by segments, so
    /// smaller ones follow the live records more closely and cost more files. Default 16 MiB.
    pub(crate) segment_bytes: u64,
    /// How long a removal waits for a record to be committed with. Default 1 s.
    pub(crate) linger: Duration,
    /// How long a full disk is left alone before it is tried again, doubled from the first to the
    /// last. Default 100 ms and 2 s.
    pub(crate) probe_min: Duration,
    pub(crate) probe_max: Duration,
    /// Faults that a test injects.
    #[cfg(test)]
    pub(crate) faults: Arc<disk::Faults>,
    /// A disk to use instead of the machine's.
    #[cfg(test)]
    pub(crate) simulated: Option<disk::simulated::Simulated>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            level: Level::Os,
            reserve_bytes: 64 << 20,
            commit_records_max: 4096,
            commit_bytes_max: 1 << 20,
            queue_bytes_max: 64 << 20,
            segment_bytes: 16 << 20,
            linger: Duration::from_secs(1),
            probe_min: Duration::from_millis(100),
            probe_max: Duration::from_secs(2),
            #[cfg(test)]
            faults: Arc::default(),
            #[cfg(test)]
            simulated: None,
        }
    }
}

/// An open store. Dropping it flushes too, but does not say whether that worked: see
/// [`Store::close`].
pub(crate) struct Store<T> {
    queue: Arc<Queue<T>>,
    meter: Arc<Meter>,
    writer: Option<JoinHandle<Result<(), StoreError>>>,
    /// Given back last, when the writer is done.
    _lock: Lock,
}

impl<T: Send + 'static> Store<T> {
    /// Opens or makes the store in `dir` and takes its lock. `each` gets what is in it, in the order
    /// of appends. `committed` is called on the store's own thread, once for each commit; while it
    /// runs nothing is written, and it must not drop the store, which would wait for it.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub(crate) fn open(
        dir: &Path,
        options: Options,
        mut each: impl FnMut(u64, Bytes),
        committed: impl FnMut(Vec<Committed<T>>) + Send + 'static,
    ) -> Result<(Self, Opened), OpenError> {
        fs::create_dir_all(dir).map_err(OpenError::io(dir))?;
        let lock = Lock::take(dir)?;
        let disk = Disk::new(dir, &options);
        let found = recovery::recover(&disk)?;
        for (sequence, record) in found.records {
            each(sequence, record);
        }
        let meter = Arc::new(Meter::new());
        let queue = Arc::new(Queue::new(&options, meter.clone()));
        let log = Log::new(disk, options.segment_bytes, found.state);
        let probes = options.probe_min..=options.probe_max;
        let writer = Writer::new(queue.clone(), log, meter.clone(), probes, committed);
        let writer = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || writer.run())
            .map_err(OpenError::io(dir))?;
        Ok((Self { queue, meter, writer: Some(writer), _lock: lock }, found.opened))
    }

    /// Queues a record. The order of calls is the order in the log and of `committed`, where the
    /// ticket comes back with the record's sequence or the error. Never waits for the disk. On a thread
    /// of a tokio runtime the writer hears of it when the tasks have run that are ready now, so such a
    /// thread must not block until the ticket comes back.
    ///
    /// # Errors
    /// [`QueueFull`] gives the ticket back when more bytes wait than `queue_bytes_max`, when the store
    /// is just reporting that it could not write, or has stopped.
    pub(crate) fn append(&self, record: Bytes, ticket: T) -> Result<(), QueueFull<T>> {
        self.queue.push(record, ticket)
    }

    /// Forgets records. It is done with one of the next commits and not acked: after a crash some
    /// may be back. Sequences that are not in the store are passed over.
    pub(crate) fn remove(&self, sequences: Vec<u64>) {
        self.queue.remove(sequences);
    }

    /// Writes what waits, syncs at every level, and gives the lock back.
    ///
    /// # Errors
    /// What kept the last records from the disk.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        self.finish()
    }

    /// How the store is.
    pub(crate) fn health(&self) -> Health {
        self.meter.health()
    }
}

impl<T> Store<T> {
    fn finish(&mut self) -> Result<(), StoreError> {
        self.queue.close();
        match self.writer.take().map(JoinHandle::join) {
            None => Ok(()),
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(StoreError::Failed("the store's thread panicked".into())),
        }
    }
}

impl<T> Drop for Store<T> {
    fn drop(&mut self) {
        // Whoever wants to know calls `close`.
        let _ = self.finish();
    }
}

impl<T> fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("health", &self.meter.health()).finish_non_exhaustive()
    }
}

/// What became of a record.
#[derive(Debug)]
pub(crate) struct Committed<T> {
    pub(crate) ticket: T,
    /// The record's sequence: larger than all before it, not always by one.
    pub(crate) result: Result<u64, StoreError>,
}

/// Why a record was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreError {
    /// No space, but for the reserve. The store tries again by itself. Code `storage_full`.
    Full,
    /// Writing has ended until the process is restarted. Code `storage_failed`.
    Failed(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the disk is full; free some space, no restart is needed"),
            Self::Failed(why) => {
                write!(f, "the store does not write any more, restart the server: {why}")
            }
        }
    }
}

impl std::error::Error for StoreError {}

/// Too much waits for the disk, or the store does not write. The ticket is given back.
#[derive(Debug)]
pub(crate) struct QueueFull<T>(pub(crate) T);

/// What opening found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// The store was damaged elsewhere than at its end. Its files were moved here, none was deleted,
    /// and the store is empty: streams need new epochs.
    pub(crate) set_aside: Option<PathBuf>,
    /// Where the damage is, for the log.
    pub(crate) damage: Option<String>,
    /// Bytes of an unfinished write that were cut from the end. Nothing acked was in them, unless
    /// the machine went down at `Level::Os`.
    pub(crate) torn_bytes: u64,
    /// The store had been closed in order, or is new.
    pub(crate) clean: bool,
    /// Live records.
    pub(crate) records: usize,
}

/// Why a store cannot be opened.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// Another process has it.
    Locked { pid: Option<u32>, dir: PathBuf },
    /// A later version of the server wrote it.
    Version { path: PathBuf, found: u32, known: u32 },
    /// The system refused.
    Io { path: PathBuf, error: io::Error },
}

impl OpenError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked { pid, dir } => {
                write!(f, "{} is in use by ", dir.display())?;
                match pid {
                    Some(pid) => write!(f, "process {pid}")?,
                    None => f.write_str("another process")?,
                }
                f.write_str("; stop it or choose another directory")
            }
            Self::Version { path, found, known } => write!(
                f,
                "{} has format {found}, this version knows {known}; use the server that wrote it \
                 or another directory",
                path.display()
            ),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {}
