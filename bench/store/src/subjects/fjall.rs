//! fjall: an LSM tree with a journal.

use std::ops::Range;
use std::path::Path;

use fjall::{CompressionType, Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Level, Result, Subject};

pub struct Fjall {
    database: Database,
    log: Keyspace,
    mode: PersistMode,
}

impl Fjall {
    pub fn open(dir: &Path, level: Level) -> Result<Self> {
        let database = Database::builder(dir).journal_compression(CompressionType::None).open()?;
        // The default of 64 MiB would keep the smaller runs from ever reaching a table.
        let options = || KeyspaceCreateOptions::default().max_memtable_size(16 << 20);
        let log = database.keyspace("log", options)?;
        let mode = match level {
            Level::Os => PersistMode::Buffer,
            Level::Fsync => PersistMode::SyncData,
        };
        Ok(Self { database, log, mode })
    }
}

impl Subject for Fjall {
    fn commit(&mut self, first: u64, records: &[Vec<u8>], removed: Range<u64>) -> Result {
        let mut batch = self.database.batch().durability(Some(self.mode));
        for sequence in removed {
            batch.remove(&self.log, sequence.to_be_bytes());
        }
        for (sequence, record) in (first..).zip(records) {
            batch.insert(&self.log, sequence.to_be_bytes(), record.as_slice());
        }
        Ok(batch.commit()?)
    }

    fn read(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result {
        for entry in self.log.iter() {
            let (key, value) = entry.into_inner()?;
            each(u64::from_be_bytes((*key).try_into()?), &value);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }
}
