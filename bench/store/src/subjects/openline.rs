//! Openline's own store, as the server uses it.

use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};

use bytes::Bytes;

use super::{Level, Result, Subject};
use crate::store::{Committed, Level as StoreLevel, Options, Store, StoreError};

/// The store's thread waits in its report until a whole batch is queued, so that batches are as
/// large as those of the others.
pub struct Openline {
    store: Store<()>,
    go: Sender<()>,
    done: Receiver<std::result::Result<usize, StoreError>>,
    found: Vec<(u64, Bytes)>,
    /// The record that brings the thread into its first report has the sequence before the others.
    primed: bool,
}

impl Openline {
    pub fn open(dir: &Path, level: Level) -> Result<Self> {
        let level = match level {
            Level::Os => StoreLevel::Os,
            Level::Fsync => StoreLevel::Fsync,
        };
        let (go, gone) = mpsc::channel::<()>();
        let (report, done) = mpsc::channel();
        let committed = move |reports: Vec<Committed<()>>| {
            let count = reports.len();
            let failed = reports.into_iter().find_map(|report| report.result.err());
            let _ = report.send(failed.map_or(Ok(count), Err));
            let _ = gone.recv();
        };
        let mut found = Vec::new();
        let options = Options { level, reserve_bytes: 1 << 20, ..Options::default() };
        let each = |sequence, record| found.push((sequence, record));
        let (store, opened) = Store::open(dir, options, each, committed)?;
        if let Some(damage) = opened.damage {
            return Err(format!("set aside: {damage}").into());
        }
        Ok(Self { store, go, done, found, primed: false })
    }
}

impl Subject for Openline {
    fn commit(&mut self, first: u64, records: &[Vec<u8>], removed: Range<u64>) -> Result {
        if !self.primed {
            if first != 0 || !self.found.is_empty() {
                return Err("this subject is only written to when it is new".into());
            }
            self.store.append(Bytes::new(), ()).map_err(|_| "queue full")?;
            self.done.recv()??;
            self.primed = true;
        }
        self.store.remove(removed.map(|sequence| sequence + 1).collect());
        for record in records {
            self.store.append(Bytes::copy_from_slice(record), ()).map_err(|_| "queue full")?;
        }
        self.go.send(())?;
        let mut left = records.len();
        loop {
            let committed = self.done.recv()?;
            left -= *committed.as_ref().unwrap_or(&left);
            committed?;
            if left == 0 {
                return Ok(());
            }
            self.go.send(())?;
        }
    }

    fn read(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result {
        let records = self.found.iter().filter(|(_, record)| !record.is_empty());
        records.for_each(|(sequence, record)| each(sequence - 1, record));
        Ok(())
    }

    fn close(self: Box<Self>) -> Result {
        drop(self.go);
        Ok(self.store.close()?)
    }
}
