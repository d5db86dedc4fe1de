//! [`Uploads`]: files that clients send, from the first chunk to the day they are forgotten.
//!
//! A transfer belongs to the node and not to a line. What is known of it is in `table`, behind one
//! lock that is never held while the disk works. All that touches the disk is done by one thread
//! (`writer`), in order; what waits for it is bounded by permits, which whoever brings bytes waits
//! for, so that a slow disk slows those who send files and nobody else.
//!
//! - *Invariant:* a client's text is never a part of a path. Files are named by their transfer.

mod counters;
mod directory;
mod download;
mod failure;
#[cfg(test)]
mod faults;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod label;
mod options;
mod owner;
mod permission;
mod raw;
mod record;
mod table;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use openline_protocol::{Chunk, Complete, ErrorCode, Fault, NewFile, StoredFile};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::clock::Clock;
use crate::log::Log;

pub(crate) use counters::Counters;
pub(crate) use download::{PREFIX, answer};
pub(crate) use options::Options;
pub(crate) use owner::{Network, Owner};
pub(crate) use permission::may_upload;
pub(crate) use raw::{
    Guest, PATH as RAW_PATH, enter as enter_raw, serve as serve_raw, settings as raw_settings,
};

use counters::Counts;
use directory::Directory;
use label::label;
use record::Record;
use table::{Table, Transfer};
use writer::{Job, Write, Writer};

/// Bytes of one line that may wait for the disk, which is what a client may have on its way.
pub(crate) const WINDOW: u64 = 1 << 20;
/// Bytes of all lines that may wait for the disk.
const WAITING_BYTES_MAX: usize = 64 << 20;
/// What a chunk counts for at least among those.
const WAITING_BYTES_MIN: usize = 1 << 10;

/// What a file is of which nobody said it.
const CONTENT_TYPE: &str = "application/octet-stream";

/// The files of a node.
pub(crate) struct Uploads {
    shared: Arc<Shared>,
    writer: Writer,
    waiting: Arc<Semaphore>,
    /// Parts of files being read for downloads.
    reads: Arc<Semaphore>,
}

/// What the disk's thread knows too.
struct Shared {
    options: ArcSwap<Options>,
    clock: Clock,
    directory: Directory,
    table: Mutex<Table>,
    counts: Counts,
    log: Log,
    stopping: AtomicBool,
}

/// A transfer that may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) upload: Arc<str>,
    pub(crate) offset: u64,
    pub(crate) expires_at: u64,
}

/// A chunk is on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Where it ends.
    pub(crate) end: u64,
    /// What the client is to be told now, if anything: all before this is stored.
    pub(crate) acknowledge: Option<u64>,
}

/// Is told what became of a chunk.
pub(crate) type Tell = Box<dyn FnOnce(Result<Stored, Fault>) + Send>;

/// What a file is called in the end.
#[derive(Debug)]
pub(crate) struct Relabel {
    pub(crate) name: String,
    pub(crate) content_type: Option<String>,
}

impl Uploads {
    /// Looks at what is on the disk, and forgets what is beyond its time.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(crate) fn open(options: Options, clock: Clock, log: Log) -> io::Result<Self> {
        let directory = match &options.folder {
            Some(folder) => Directory::new(folder.clone(), false, options.reserve_bytes),
            None => {
                let name = format!("openline-{}", new_id());
                let path = std::env::temp_dir().join(name);
                Directory::new(path, true, options.reserve_bytes)
            }
        };
        let mut table = Table::default();
        let found = if options.enabled { directory.scan()? } else { Vec::new() };
        for file in found {
            let Some(owner) = file.record.owner() else {
                directory.remove(&file.id)?;
                continue;
            };
            let transfer = Transfer::new(owner, file.record, file.len, file.modified_ms);
            table.add_found(file.id.into(), transfer);
        }
        let shared = Arc::new(Shared {
            options: ArcSwap::from_pointee(options),
            clock,
            directory,
            table: Mutex::new(table),
            counts: Counts::default(),
            log,
            stopping: AtomicBool::new(false),
        });
        let writer = Writer::new(shared.clone());
        let waiting = Arc::new(Semaphore::new(WAITING_BYTES_MAX));
        let reads = Arc::new(Semaphore::new(download::READS_MAX));
        let uploads = Self { shared, writer, waiting, reads };
        uploads.sweep();
        Ok(uploads)
    }

    pub(crate) fn options(&self) -> Arc<Options> {
        self.shared.options.load_full()
    }

    /// Goes by other bounds. Whether files are taken at all, and where they are, stays as it is; and
    /// lines that are open may not have room for longer chunks.
    pub(crate) fn set_options(&self, options: Options) {
        let before = self.options();
        self.shared.options.store(Arc::new(Options {
            enabled: before.enabled,
            folder: before.folder.clone(),
            chunk_max: options.chunk_max.min(before.chunk_max),
            ..options
        }));
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.shared.options.load().enabled
    }

    /// Begins a transfer, or finds the one of the same key.
    pub(crate) async fn begin(&self, owner: Owner, file: NewFile) -> Result<Opened, Fault> {
        let options = &*self.options();
        if file.size.is_some_and(|size| size > options.size_max) {
            return Err(failure::over_size_max(None, options.size_max));
        }
        let content_type = file.content_type.as_deref().unwrap_or(CONTENT_TYPE).to_owned();
        let mut record = Record::new(&owner, label(&file.name), content_type);
        record.size = file.size;
        record.key = file.key.as_deref().map(str::to_owned);
        let now = self.shared.clock.now_ms();
        let id = {
            let mut table = self.shared.table();
            let known = record.key.as_ref().and_then(|key| table.with_key(&owner, key));
            if let Some(id) = known {
                let is_same = |transfer: &mut Transfer| transfer.record.is_same_file(&record);
                if table.find(&id).is_some_and(is_same) {
                    return self.shared.go_on(&mut table, &id, now);
                }
                let message = "another file was sent under this `key`; use a fresh one";
                return Err(Fault::new(ErrorCode::IdempotencyConflict, message));
            }
            let id = new_id();
            let transfer = Transfer::new(owner, record.clone(), 0, now);
            let added = table.add(id.clone(), transfer, options);
            added.map_err(|room| failure::no_room(room, options))?;
            id
        };
        self.shared.counts.started.add(1);
        let (done, made) = oneshot::channel();
        let begun = self.writer.give(Job::Begin { id: id.clone(), record, done });
        begun.inspect_err(|_| drop(self.shared.table().remove(&id)))?;
        made.await.map_err(|_| stopping())??;
        self.resume(&id)
    }

    /// Goes on with a transfer: the client may have forgotten what it had said of it.
    pub(crate) fn resume(&self, id: &str) -> Result<Opened, Fault> {
        let now = self.shared.clock.now_ms();
        self.shared.go_on(&mut self.shared.table(), id, now)
    }

    /// The transfer that this file would go on with.
    pub(crate) fn with_key(&self, owner: &Owner, file: &NewFile) -> Option<Arc<str>> {
        self.shared.table().with_key(owner, file.key.as_deref()?)
    }

    /// A file that is complete.
    fn file(&self, id: &str) -> Option<StoredFile> {
        let mut table = self.shared.table();
        self.shared.stored_file(&id.into(), table.find(id)?)
    }

    /// Whether there is such a transfer and it is not complete.
    pub(crate) fn is_open(&self, id: &str) -> bool {
        self.shared.table().find(id).is_some_and(|transfer| transfer.record.finished.is_none())
    }

    /// Takes bytes in. Waits while as many wait for the disk as may: of the line, which has `WINDOW`
    /// permits of its own, and of all.
    pub(crate) async fn chunk(
        &self,
        line: &Arc<Semaphore>,
        chunk: Chunk,
        tell: Tell,
    ) -> Result<(), Fault> {
        if chunk.data.len() as u64 > self.options().chunk_max {
            return Err(self.shared.refuse_long(&chunk));
        }
        let permits = self.permits(line, chunk.data.len()).await?;
        let write = self.shared.accept(chunk, tell, permits)?;
        self.writer.give(Job::Write(write))
    }

    async fn permits(
        &self,
        line: &Arc<Semaphore>,
        bytes: usize,
    ) -> Result<[OwnedSemaphorePermit; 2], Fault> {
        // A chunk is far smaller than what may wait.
        let count = bytes.max(WAITING_BYTES_MIN) as u32;
        let line = line.clone().acquire_many_owned(count).await.map_err(|_| stopping())?;
        let all = self.waiting.clone().acquire_many_owned(count).await.map_err(|_| stopping())?;
        Ok([line, all])
    }

    /// Ends a transfer of which all was sent.
    pub(crate) async fn complete(
        &self,
        complete: Complete,
        relabel: Option<Relabel>,
    ) -> Result<StoredFile, Fault> {
        let (done, completed) = oneshot::channel();
        self.writer.give(Job::Complete { complete, relabel, done })?;
        completed.await.map_err(|_| stopping())?
    }

    /// Ends a transfer and forgets its file. There may be none.
    pub(crate) async fn cancel(&self, id: &str) {
        if self.drop_transfer(id) {
            let (done, removed) = oneshot::channel();
            if self.writer.give(Job::Remove { id: id.into(), done: Some(done) }).is_ok() {
                let _ = removed.await;
            }
        }
    }

    /// As [`Uploads::cancel`], by whoever cannot wait.
    fn abandon(&self, id: &Arc<str>) {
        if self.drop_transfer(id) {
            let _ = self.writer.give(Job::Remove { id: id.clone(), done: None });
        }
    }

    fn drop_transfer(&self, id: &str) -> bool {
        let removed = self.shared.table().remove(id);
        if removed.as_ref().is_some_and(|transfer| transfer.record.finished.is_none()) {
            self.shared.counts.cancelled.add(1);
        }
        removed.is_some()
    }

    /// Forgets what is beyond its time.
    pub(crate) fn sweep(&self) {
        if self.writer.is_paused() {
            return;
        }
        let now = self.shared.clock.now_ms();
        let mut table = self.shared.table();
        for id in table.expired(now, &self.options()) {
            let Some(transfer) = table.remove(&id) else { continue };
            if transfer.record.finished.is_none() {
                self.shared.counts.expired.add(1);
            }
            let _ = self.writer.give(Job::Remove { id, done: None });
        }
    }

    /// Leaves the folder to another process, which goes on with the transfers. Blocks until what came
    /// is on the disk.
    pub(crate) fn pause(&self) {
        self.writer.pause();
    }

    /// Goes on, if the other process did not.
    pub(crate) fn go_on(&self) {
        if self.writer.is_paused() {
            self.shared.table().forget_unwritten();
            self.writer.go_on();
        }
    }

    /// None where no files are taken.
    pub(crate) fn counters(&self) -> Option<Counters> {
        if !self.is_enabled() {
            return None;
        }
        let (open, bytes) = self.shared.table().load();
        let counts = &self.shared.counts;
        Some(Counters {
            open: open as u64,
            bytes,
            bytes_max: self.options().total_max,
            started: counts.started.now(),
            completed: counts.completed.now(),
            cancelled: counts.cancelled.now(),
            expired: counts.expired.now(),
            failed: counts.failed.now(),
            received_bytes: counts.received_bytes.now(),
        })
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn go_on(&self, table: &mut Table, id: &str, now_ms: u64) -> Result<Opened, Fault> {
        let transfer = table.find(id).ok_or_else(|| failure::no_such(id))?;
        transfer.touched_ms = now_ms;
        transfer.claimed = transfer.accepted;
        let expires_at = transfer.expires_at(&self.options.load());
        Ok(Opened { upload: id.into(), offset: transfer.stored, expires_at })
    }

    /// Checks a chunk, and says what of it is to be written.
    fn accept(
        &self,
        chunk: Chunk,
        tell: Tell,
        permits: [OwnedSemaphorePermit; 2],
    ) -> Result<Write, Fault> {
        let Chunk { upload, offset, data } = chunk;
        let id = &*upload;
        let mut table = self.table();
        let transfer = table.find(id).ok_or_else(|| failure::no_such(id))?;
        let end = offset.saturating_add(data.len() as u64);
        let size = transfer.record.size;
        if let Some(size) = size.filter(|size| end > *size) {
            let message = format!("the chunk ends at {end}, the file at {size}");
            return Err(failure::too_large(Some(id), message));
        }
        transfer.claimed = transfer.claimed.max(end);
        if end > self.options.load().size_max {
            return Err(failure::over_size_max(Some(id), self.options.load().size_max));
        }
        if transfer.record.finished.is_some() && end > transfer.stored {
            let message = format!("the file is complete and ends at {}", transfer.stored);
            return Err(failure::too_large(Some(id), message));
        }
        let accepted = transfer.accepted;
        if offset > accepted {
            return Err(failure::bad_offset(id, offset, accepted));
        }
        let known = usize::try_from(accepted - offset).unwrap_or(usize::MAX).min(data.len());
        // A copy: as a part of its message it would hold the whole for as long as it waits.
        let bytes = Bytes::copy_from_slice(&data[known..]);
        table.grow(id, end, &self.options.load()).map_err(|room| {
            let fault = failure::no_room(room, &self.options.load());
            fault.of_transfer(upload.clone(), Some(accepted))
        })?;
        let transfer = table.find(id).ok_or_else(|| failure::no_such(id))?;
        transfer.accepted += bytes.len() as u64;
        transfer.touched_ms = self.clock.now_ms();
        let failures = transfer.failures;
        Ok(Write { id: id.into(), end, bytes, failures, tell, _permits: permits })
    }

    /// A chunk that is too long stays to be sent in shorter ones.
    fn refuse_long(&self, chunk: &Chunk) -> Fault {
        let Chunk { upload, offset, data } = chunk;
        if let Some(transfer) = self.table().find(upload) {
            let end = offset.saturating_add(data.len() as u64);
            transfer.claimed = transfer.claimed.max(end);
        }
        let (most, len) = (self.options.load().chunk_max, data.len());
        let message = format!("a chunk may have at most {most} bytes, got {len}");
        failure::too_large(Some(upload), message)
    }
}

/// 128 random bits: whoever has it may have the file.
fn new_id() -> Arc<str> {
    format!("u-{}", crate::session::new_client_id()).into()
}

fn stopping() -> Fault {
    Fault::new(ErrorCode::ShuttingDown, "the server stops; go on when it is there again")
}
