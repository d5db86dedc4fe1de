//! Who is measured: one file each, all behind [`Subject`].

mod fjall;
mod openline;
mod redb;
mod sqlite;

use std::error::Error;
use std::ops::Range;
use std::path::Path;

pub type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

/// What a commit that returned has reached.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The system has it: it outlives the process.
    Os,
    /// The disk has it.
    Fsync,
}

/// An ordered log of records, kept by some store under keys in append order.
pub trait Subject {
    /// Appends records with the sequences from `first` on, removes others, and returns when the
    /// level is reached.
    fn commit(&mut self, first: u64, records: &[Vec<u8>], removed: Range<u64>) -> Result;

    /// Reads everything back in order.
    fn read(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result;

    /// Ends in order.
    fn close(self: Box<Self>) -> Result;
}

pub const NAMES: [&str; 4] = ["openline", "fjall", "redb", "sqlite"];

/// Opens the subject of that name. An error is a store that says that it cannot be read.
pub fn open(name: &str, dir: &Path, level: Level) -> Result<Box<dyn Subject>> {
    Ok(match name {
        "openline" => Box::new(openline::Openline::open(dir, level)?),
        "fjall" => Box::new(fjall::Fjall::open(dir, level)?),
        "redb" => Box::new(redb::Redb::open(dir, level)?),
        "sqlite" => Box::new(sqlite::Sqlite::open(dir, level)?),
        _ => return Err(format!("no subject {name}; there are {NAMES:?}").into()),
    })
}
