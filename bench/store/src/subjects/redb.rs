//! redb: a copy-on-write B-tree in one file.

use std::fs::OpenOptions;
use std::io;
use std::ops::Range;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};

use super::{Level, Result, Subject};

const LOG: TableDefinition<u64, &[u8]> = TableDefinition::new("log");

pub struct Redb {
    database: Database,
}

/// redb has no level between memory and disk, so its syncs are left out.
#[derive(Debug)]
struct Unsynced(FileBackend);

impl StorageBackend for Unsynced {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.0.sync_data()?;
        self.0.close()
    }
}

impl Redb {
    pub fn open(dir: &Path, level: Level) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = dir.join("log.redb");
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let backend = FileBackend::new(file)?;
        let builder = Builder::new();
        let mut database = match level {
            Level::Os => builder.create_with_backend(Unsynced(backend))?,
            Level::Fsync => builder.create_with_backend(backend)?,
        };
        if !database.check_integrity()? {
            return Err("redb repaired a damaged file".into());
        }
        Ok(Self { database })
    }
}

impl Subject for Redb {
    fn commit(&mut self, first: u64, records: &[Vec<u8>], removed: Range<u64>) -> Result {
        let transaction = self.database.begin_write()?;
        {
            let mut log = transaction.open_table(LOG)?;
            for sequence in removed {
                log.remove(sequence)?;
            }
            for (sequence, record) in (first..).zip(records) {
                log.insert(sequence, record.as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result {
        let transaction = self.database.begin_read()?;
        for entry in transaction.open_table(LOG)?.iter()? {
            let (key, value) = entry?;
            each(key.value(), value.value());
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result {
        Ok(())
    }
}
