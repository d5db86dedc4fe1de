//! [`Directory`]: where the files are, and all that touches the disk. Nothing here is called by a
//! thread that has lines.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use ring::digest::{Context, SHA256};

use super::record::Record;

/// The name of a record is that of its file with this behind it.
const RECORD: &str = ".json";
/// A record that is being written.
const UNFINISHED: &str = ".new";

/// What is read at a time to sum it up.
const READ_BYTES: usize = 256 << 10;

/// Bytes that may be written between two looks at the free space.
const LOOK_BYTES: u64 = 4 << 20;

/// The folder of the files. One for each process: the data directory is locked by the store, and a
/// temporary one has a name of its own.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    /// It goes with the program.
    temporary: bool,
    reserve_bytes: u64,
    #[cfg(test)]
    pub(super) faults: std::sync::Arc<super::faults::Faults>,
}

/// What was found on the disk.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) record: Record,
    pub(super) len: u64,
    /// When it was written to last, in milliseconds since 1970.
    pub(super) modified_ms: u64,
}

impl Directory {
    pub(super) fn new(path: PathBuf, temporary: bool, reserve_bytes: u64) -> Self {
        Self {
            path,
            temporary,
            reserve_bytes,
            #[cfg(test)]
            faults: std::sync::Arc::default(),
        }
    }

    #[cfg(test)]
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the empty file of a transfer.
    pub(super) fn begin(&self, id: &str, record: &Record) -> io::Result<()> {
        self.make()?;
        self.check_space(record.size.unwrap_or_default())?;
        self.write_record(id, record)?;
        private(OpenOptions::new().write(true).create_new(true)).open(self.file(id)).map(drop)
    }

    /// Writes at `offset`, where the file ends. After an error a part may be there.
    pub(super) fn write(&self, id: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        let bytes = self.faults.before_write(bytes)?;
        if offset / LOOK_BYTES != (offset + bytes.len() as u64) / LOOK_BYTES {
            self.check_space(0)?;
        }
        // Opened each time: there may be more transfers than the system allows open files.
        let mut file = OpenOptions::new().write(true).open(self.file(id))?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    /// Cuts off what a failed write left.
    pub(super) fn cut(&self, id: &str, len: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(self.file(id))?.set_len(len)
    }

    /// Sums up the first `len` bytes.
    pub(super) fn digest(&self, id: &str, len: u64) -> io::Result<Context> {
        let mut context = Context::new(&SHA256);
        let mut file = File::open(self.file(id))?.take(len);
        let mut buffer = vec![0; READ_BYTES];
        let mut left = len;
        while left != 0 {
            match file.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => {
                    context.update(&buffer[..read]);
                    left -= read as u64;
                }
            }
        }
        Ok(context)
    }

    /// Makes the file last, and then says that it is complete.
    pub(super) fn finish(&self, id: &str, record: &Record) -> io::Result<()> {
        if self.temporary {
            return self.write_record(id, record);
        }
        OpenOptions::new().write(true).open(self.file(id))?.sync_all()?;
        self.write_record(id, record)?;
        OpenOptions::new().write(true).open(self.record(id))?.sync_all()?;
        if cfg!(unix) { File::open(&self.path)?.sync_all() } else { Ok(()) }
    }

    /// Removes a file. The record goes first, so that what a crash leaves is a file without one,
    /// which the next start removes.
    pub(super) fn remove(&self, id: &str) -> io::Result<()> {
        let record = gone_is_fine(fs::remove_file(self.record(id)));
        record.and(gone_is_fine(fs::remove_file(self.file(id))))
    }

    /// Reads a part of a file, which may have been removed since.
    pub(super) fn read(&self, id: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.file(id))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = vec![0; len];
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads what there is, and removes what belongs to nothing.
    pub(super) fn scan(&self) -> io::Result<Vec<Found>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if let Some(id) = name.strip_suffix(RECORD) {
                if let Some(file) = self.look_at(id) {
                    found.push(file);
                    continue;
                }
                self.remove(id)?;
            } else if !self.record(name).exists() || name.ends_with(UNFINISHED) {
                gone_is_fine(fs::remove_file(&path))?;
            }
        }
        Ok(found)
    }

    fn look_at(&self, id: &str) -> Option<Found> {
        let record = serde_json::from_slice(&fs::read(self.record(id)).ok()?).ok()?;
        let file = fs::metadata(self.file(id)).ok()?;
        let modified = file.modified().ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        let modified_ms = u64::try_from(modified.as_millis()).unwrap_or(u64::MAX);
        Some(Found { id: id.to_owned(), record, len: file.len(), modified_ms })
    }

    /// A record is there in whole or not at all.
    fn write_record(&self, id: &str, record: &Record) -> io::Result<()> {
        let unfinished = self.path.join(format!("{id}{UNFINISHED}"));
        let text = serde_json::to_vec(record).map_err(io::Error::other)?;
        let mut file = private(OpenOptions::new().write(true).create(true).truncate(true))
            .open(&unfinished)?;
        file.write_all(&text)?;
        fs::rename(unfinished, self.record(id))
    }

    fn make(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.path)
    }

    fn check_space(&self, bytes: u64) -> io::Result<()> {
        if free_bytes(&self.path)? < self.reserve_bytes.saturating_add(bytes) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    /// The names are the server's own: `u-` and letters of base64url.
    fn file(&self, id: &str) -> PathBuf {
        self.path.join(id)
    }

    fn record(&self, id: &str) -> PathBuf {
        self.path.join(format!("{id}{RECORD}"))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.temporary {
            // It is not there if nobody sent a file.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// For nobody else to read.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

#[cfg(unix)]
fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(path)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Elsewhere the reserve is not kept; the error of a full disk is told from the write itself.
#[cfg(not(unix))]
fn free_bytes(_path: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}
