//! SQLite with a write-ahead log, through rusqlite.

use std::ops::Range;
use std::path::Path;

use rusqlite::Connection;

use super::{Level, Result, Subject};

pub struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    pub fn open(dir: &Path, level: Level) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let connection = Connection::open(dir.join("log.sqlite"))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        // NORMAL syncs at checkpoints only, so that a kill loses nothing.
        let synchronous = match level {
            Level::Os => "normal",
            Level::Fsync => "full",
        };
        connection.pragma_update(None, "synchronous", synchronous)?;
        let create = "create table if not exists log (sequence integer primary key, record blob)";
        connection.execute(create, [])?;
        let sound: String = connection.query_row("pragma integrity_check", [], |row| row.get(0))?;
        if sound == "ok" { Ok(Self { connection }) } else { Err(sound.into()) }
    }
}

impl Subject for Sqlite {
    fn commit(&mut self, first: u64, records: &[Vec<u8>], removed: Range<u64>) -> Result {
        let transaction = self.connection.transaction()?;
        if !removed.is_empty() {
            let remove = "delete from log where sequence >= ? and sequence < ?";
            transaction
                .prepare_cached(remove)?
                .execute((removed.start as i64, removed.end as i64))?;
        }
        {
            let mut insert = transaction.prepare_cached("insert into log values (?, ?)")?;
            for (sequence, record) in (first..).zip(records) {
                insert.execute((sequence as i64, record))?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn read(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result {
        let mut select = self.connection.prepare("select * from log order by sequence")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            each(row.get::<_, i64>(0)? as u64, row.get_ref(1)?.as_blob()?);
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result {
        self.connection.close().map_err(|(_, error)| error.into())
    }
}
