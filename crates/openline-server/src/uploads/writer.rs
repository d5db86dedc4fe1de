//! [`Writer`]: the thread that does what waits for the disk, one thing after the other.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use openline_protocol::{Complete, Fault, StoredFile};
use ring::digest::Context;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::label::label;
use super::record::{Finished, Record};
use super::table::Transfer;
use super::{Relabel, Shared, Stored, Tell, WINDOW, failure, stopping};

/// How much is stored at most before the client is told.
const ACKNOWLEDGE_BYTES: u64 = WINDOW / 4;

/// Something for the disk.
pub(super) enum Job {
    Begin {
        id: Arc<str>,
        record: Record,
        done: oneshot::Sender<Result<(), Fault>>,
    },
    Write(Write),
    Complete {
        complete: Complete,
        relabel: Option<Relabel>,
        done: oneshot::Sender<Result<StoredFile, Fault>>,
    },
    /// Of a transfer that is not in the table any more.
    Remove {
        id: Arc<str>,
        done: Option<oneshot::Sender<()>>,
    },
}

/// Bytes that stand where those before them ended.
pub(super) struct Write {
    pub(super) id: Arc<str>,
    /// Where the chunk ends that they are of.
    pub(super) end: u64,
    /// What of the chunk is new.
    pub(super) bytes: Bytes,
    /// How often a write of the transfer had failed.
    pub(super) failures: u32,
    pub(super) tell: Tell,
    pub(super) _permits: [OwnedSemaphorePermit; 2],
}

/// The thread, which begins with the first job.
pub(super) struct Writer {
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
    /// Another process may use the folder.
    paused: AtomicBool,
}

struct Running {
    jobs: mpsc::Sender<Job>,
    thread: JoinHandle<()>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, running: Mutex::new(None), paused: AtomicBool::new(false) }
    }

    /// Has something done. What waits is bounded: writes have permits, whoever begins, completes or
    /// cancels waits for it, and nothing is removed twice.
    pub(super) fn give(&self, job: Job) -> Result<(), Fault> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that nothing comes behind a pause.
        if self.is_paused() {
            return Err(stopping());
        }
        if running.is_none() {
            let (jobs, waiting) = mpsc::channel();
            let shared = self.shared.clone();
            let builder = thread::Builder::new().name("openline-uploads".to_owned());
            let thread = builder.spawn(move || run(&shared, &waiting));
            let thread = thread.map_err(|error| self.shared.fail("starting", &error))?;
            *running = Some(Running { jobs, thread });
        }
        let is_sent = running.as_ref().is_some_and(|running| running.jobs.send(job).is_ok());
        if is_sent { Ok(()) } else { Err(stopping()) }
    }

    /// Takes no more, and returns when all that waits is done.
    pub(super) fn pause(&self) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.paused.store(true, Ordering::Relaxed);
        let Some(Running { jobs, thread }) = running.take() else { return };
        drop(running);
        drop(jobs);
        let _ = thread.join();
    }

    pub(super) fn go_on(&self) {
        self.paused.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Relaxed);
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { jobs, thread }) = running else { return };
        drop(jobs);
        // It is this thread if what it told somebody was the last that held the node.
        if thread.thread().id() != thread::current().id() {
            let _ = thread.join();
        }
    }
}

fn run(shared: &Shared, jobs: &mpsc::Receiver<Job>) {
    let mut disk = Disk { shared, sums: HashMap::new() };
    for job in jobs {
        if shared.stopping.load(Ordering::Relaxed) {
            return;
        }
        // A bug in one job is not the end of the others. The panic hook has said where.
        let _ = catch_unwind(AssertUnwindSafe(|| disk.run(job)));
    }
}

struct Disk<'a> {
    shared: &'a Shared,
    /// The SHA-256 of what is stored, of transfers that something came of since the start.
    sums: HashMap<Arc<str>, Context>,
}

impl Disk<'_> {
    /// Whoever asked may be gone.
    fn run(&mut self, job: Job) {
        match job {
            Job::Begin { id, record, done } => drop(done.send(self.begin(&id, &record))),
            Job::Write(write) => self.write(write),
            Job::Complete { complete, relabel, done } => {
                drop(done.send(self.complete(&complete, relabel)));
            }
            Job::Remove { id, done } => {
                self.remove(&id);
                if let Some(done) = done {
                    let _ = done.send(());
                }
            }
        }
    }

    fn begin(&mut self, id: &Arc<str>, record: &Record) -> Result<(), Fault> {
        let begun = self.shared.directory.begin(id, record);
        begun.map_err(|error| {
            self.shared.table().remove(id);
            self.shared.counts.failed.add(1);
            self.remove(id);
            self.shared.fail("beginning a file", &error)
        })
    }

    fn write(&mut self, write: Write) {
        let told = self.store(&write);
        (write.tell)(told);
    }

    fn store(&mut self, write: &Write) -> Result<Stored, Fault> {
        let Write { id, end, bytes, failures, .. } = write;
        let no_such = || failure::no_such(id);
        let stored = {
            let mut table = self.shared.table();
            let transfer = table.find(id).ok_or_else(no_such)?;
            if transfer.failures != *failures {
                let begin = end.saturating_sub(bytes.len() as u64);
                return Err(failure::bad_offset(id, begin, transfer.stored));
            }
            transfer.stored
        };
        if !bytes.is_empty()
            && let Err(error) = self.append(id, stored, bytes)
        {
            return Err(self.write_failed(id, stored, &error));
        }
        self.shared.counts.received_bytes.add(bytes.len() as u64);
        let mut table = self.shared.table();
        let transfer = table.find(id).ok_or_else(no_such)?;
        transfer.stored += bytes.len() as u64;
        let stored = transfer.stored;
        let is_due = bytes.is_empty()
            || stored == transfer.accepted
            || stored - transfer.acknowledged >= ACKNOWLEDGE_BYTES;
        if is_due {
            transfer.acknowledged = stored;
        }
        Ok(Stored { end: *end, acknowledge: is_due.then_some(stored) })
    }

    fn append(&mut self, id: &Arc<str>, stored: u64, bytes: &[u8]) -> io::Result<()> {
        // First, because a sum that cannot be had is a write that cannot be done.
        let directory = &self.shared.directory;
        let sum = match self.sums.remove(id) {
            Some(sum) => sum,
            None => directory.digest(id, stored)?,
        };
        let sum = self.sums.entry(id.clone()).or_insert(sum);
        directory.write(id, stored, bytes)?;
        sum.update(bytes);
        Ok(())
    }

    /// What is on its way behind a write that failed is not written, and the client is told where to
    /// go on.
    fn write_failed(&self, id: &Arc<str>, stored: u64, error: &io::Error) -> Fault {
        if let Err(error) = self.shared.directory.cut(id, stored) {
            // What is there in excess is what the client sends next.
            self.shared.fail("cutting a file", &error);
        }
        if let Some(transfer) = self.shared.table().find(id) {
            transfer.accepted = stored;
            transfer.failures = transfer.failures.wrapping_add(1);
        }
        let fault = self.shared.fail("writing a file", error);
        fault.of_transfer((&**id).into(), Some(stored))
    }

    fn complete(
        &mut self,
        complete: &Complete,
        relabel: Option<Relabel>,
    ) -> Result<StoredFile, Fault> {
        let (id, mut record, stored) = {
            let mut table = self.shared.table();
            let id: Arc<str> = (&*complete.upload).into();
            let transfer = table.find(&id).ok_or_else(|| failure::no_such(&id))?;
            if let Some(file) = self.shared.stored_file(&id, transfer) {
                return Ok(file);
            }
            let all = transfer.record.size.unwrap_or_default().max(transfer.claimed);
            if transfer.stored < all {
                return Err(failure::incomplete(&id, transfer.stored, all));
            }
            (id, transfer.record.clone(), transfer.stored)
        };
        let failed = |error: io::Error| {
            let fault = self.shared.fail("completing a file", &error);
            fault.of_transfer(complete.upload.clone(), Some(stored))
        };
        let sum = match self.sums.get(&id) {
            Some(sum) => sum.clone(),
            None => self.shared.directory.digest(&id, stored).map_err(failed)?,
        };
        let sum = sum.finish();
        let sha256 = hexadecimal(sum.as_ref());
        if complete.sha256.is_some_and(|expected| expected != sum.as_ref()) {
            self.shared.table().remove(&id);
            self.shared.counts.failed.add(1);
            self.remove(&id);
            return Err(failure::checksum_mismatch(&id, &sha256));
        }
        if let Some(relabel) = relabel {
            record.name = label(&relabel.name);
            record.content_type = relabel.content_type.unwrap_or(record.content_type);
        }
        record.size = Some(stored);
        record.finished = Some(Finished { sha256, at: self.shared.clock.now_ms() });
        self.shared.directory.finish(&id, &record).map_err(failed)?;
        self.sums.remove(&id);
        let mut table = self.shared.table();
        let transfer = table.find(&id).ok_or_else(|| failure::no_such(&id))?;
        transfer.record = record;
        let file = self.shared.stored_file(&id, transfer);
        table.finished();
        self.shared.counts.completed.add(1);
        file.ok_or_else(|| failure::no_such(&id))
    }

    fn remove(&mut self, id: &str) {
        self.sums.remove(id);
        if let Err(error) = self.shared.directory.remove(id) {
            // The next start tries again.
            self.shared.fail("removing a file", &error);
        }
    }
}

impl Shared {
    /// The answer to `complete`, if it is.
    pub(super) fn stored_file(&self, id: &Arc<str>, transfer: &Transfer) -> Option<StoredFile> {
        let record = &transfer.record;
        let finished = record.finished.as_ref()?;
        Some(StoredFile {
            upload: id.clone(),
            name: record.name.clone(),
            size: transfer.stored,
            content_type: record.content_type.clone(),
            sha256: finished.sha256.clone(),
            url: format!("{}{id}", super::download::PREFIX),
            expires_at: transfer.expires_at(&self.options.load()),
        })
    }

    /// Notes what the disk said, and says what to tell the client.
    fn fail(&self, doing: &str, error: &io::Error) -> Fault {
        self.log.upload_failed(doing, error);
        failure::of_disk(error)
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
