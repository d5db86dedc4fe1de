//! The disk as the store sees it, and where tests inject its faults.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
#[cfg(test)]
use std::sync::Arc;

#[cfg(test)]
pub(crate) mod simulated;

use super::{Level, Options, StoreError};

/// Bytes that may be written between two looks at the free space: a look is a system call, on some
/// file systems one over the network.
const LOOK_BYTES: u64 = 4 << 20;

#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    pub(super) level: Level,
    reserve_bytes: u64,
    /// What may be written before the next look.
    allowance: u64,
    #[cfg(test)]
    faults: Arc<Faults>,
    #[cfg(test)]
    simulated: Option<simulated::Simulated>,
}

/// A file that is open.
#[derive(Debug)]
pub(super) enum OpenFile {
    Real(File),
    #[cfg(test)]
    Simulated(simulated::Handle),
}

impl Disk {
    pub(super) fn new(dir: &Path, options: &Options) -> Self {
        Self {
            dir: dir.to_owned(),
            level: options.level,
            reserve_bytes: options.reserve_bytes,
            allowance: 0,
            #[cfg(test)]
            faults: options.faults.clone(),
            #[cfg(test)]
            simulated: options.simulated.clone(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether a write of records fits without touching the reserve.
    pub(super) fn check_space(&mut self, bytes: u64) -> Result<(), StoreError> {
        if self.allowance < bytes {
            let free = self.free_bytes().map_err(|error| failure(&self.dir, &error))?;
            let spare = free.saturating_sub(self.reserve_bytes);
            if spare < bytes {
                self.allowance = 0;
                return Err(StoreError::Full);
            }
            self.allowance = spare.min(LOOK_BYTES.max(bytes));
        }
        self.allowance -= bytes;
        Ok(())
    }

    /// Has the next check look at the disk, which turned out to be fuller than thought.
    pub(super) fn look_again(&mut self) {
        self.allowance = 0;
    }

    /// The paths of what is in the directory, in any order.
    pub(super) fn list(&self) -> io::Result<Vec<PathBuf>> {
        #[cfg(test)]
        if let Some(disk) = &self.simulated {
            return disk.list(&self.dir);
        }
        fs::read_dir(&self.dir)?.map(|entry| Ok(entry?.path())).collect()
    }

    /// Reads a whole file.
    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        #[cfg(test)]
        if let Some(disk) = &self.simulated {
            return disk.read(path);
        }
        fs::read(path)
    }

    /// Opens a file for appending.
    pub(super) fn open(&self, path: &Path) -> io::Result<OpenFile> {
        #[cfg(test)]
        if let Some(disk) = &self.simulated {
            return disk.open(path);
        }
        OpenOptions::new().append(true).open(path).map(OpenFile::Real)
    }

    /// Opens a file for reading.
    pub(super) fn open_to_read(&self, path: &Path) -> io::Result<OpenFile> {
        #[cfg(test)]
        if let Some(disk) = &self.simulated {
            return disk.open(path);
        }
        File::open(path).map(OpenFile::Real)
    }

    /// Makes an empty file and opens it for appending. An earlier try may have left it there.
    pub(super) fn make(&self, path: &Path) -> io::Result<OpenFile> {
        #[cfg(test)]
        if let Some(disk) = &self.simulated {
            return disk.make(path);
        }
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        file.set_len(0)?;
        Ok(OpenFile::Real(file))
    }

    /// Writes all at the end of a file. After an error a part may have been written.
    pub(super) fn append(&self, file: &mut OpenFile, bytes: &[u8]) -> io::Result<()> {
        match file {
            OpenFile::Real(file) => {
                #[cfg(test)]
                let _held = self.faults.write(file, bytes)?;
                file.write_all(bytes)
            }
            #[cfg(test)]
            OpenFile::Simulated(file) => file.append(bytes),
        }
    }

    /// Fills `bytes` from a place in a file.
    pub(super) fn read_at(file: &mut OpenFile, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        match file {
            OpenFile::Real(file) => {
                file.seek(SeekFrom::Start(at))?;
                file.read_exact(bytes)
            }
            #[cfg(test)]
            OpenFile::Simulated(file) => file.read_at(at, bytes),
        }
    }

    /// Leaves so many bytes of a file.
    pub(super) fn cut(file: &OpenFile, length: u64) -> io::Result<()> {
        match file {
            OpenFile::Real(file) => file.set_len(length),
            #[cfg(test)]
            OpenFile::Simulated(file) => file.cut(length),
        }
    }

    pub(super) fn sync(&self, file: &OpenFile) -> io::Result<()> {
        match file {
            OpenFile::Real(file) => {
                #[cfg(test)]
                if self.faults.sync()? {
                    return Ok(());
                }
                file.sync_data()
            }
            #[cfg(test)]
            OpenFile::Simulated(file) => file.sync(),
        }
    }

    /// Makes names of files in the directory last.
    pub(super) fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        #[cfg(test)]
        if let Some(disk) = &self.simulated {
            return disk.sync_dir(dir);
        }
        #[cfg(test)]
        if self.faults.sync()? {
            return Ok(());
        }
        if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
    }

    /// Makes a directory; it may be there.
    pub(super) fn make_dir(&self, path: &Path) -> io::Result<()> {
        #[cfg(test)]
        if self.simulated.is_some() {
            // A directory is there when something is in it.
            return Ok(());
        }
        fs::create_dir_all(path)
    }

    /// Gives a file or a directory another name.
    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        #[cfg(test)]
        if let Some(disk) = &self.simulated {
            return disk.rename(from, to);
        }
        fs::rename(from, to)
    }

    /// A number that whoever writes records cannot know.
    pub(super) fn salt(&self) -> u64 {
        RandomState::new().build_hasher().finish()
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        #[cfg(test)]
        if let Some(disk) = &self.simulated {
            return disk.remove(path);
        }
        #[cfg(test)]
        let _held = self.faults.remove()?;
        fs::remove_file(path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        #[cfg(test)]
        if self.simulated.is_some() {
            return Ok(u64::MAX);
        }
        #[cfg(test)]
        if let Some(free) = self.faults.free_bytes() {
            return Ok(free);
        }
        free_bytes(&self.dir)
    }
}

#[cfg(unix)]
fn free_bytes(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Elsewhere the reserve is not kept; the error of a full disk is told from the write itself.
#[cfg(not(unix))]
fn free_bytes(_dir: &Path) -> io::Result<u64> {
    Ok(u64::MAX)
}

/// What an error of a write means. It is not for errors of a sync: after one nobody knows what the
/// disk has.
pub(super) fn failure(path: &Path, error: &io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Failed(format!("{}: {error}", path.display())),
    }
}

#[cfg(test)]
pub(crate) use self::faults::Faults;

#[cfg(test)]
mod faults {
    use std::fs::File;
    use std::io::{self, Write};
    use std::sync::{Mutex, MutexGuard};

    /// Faults of a disk that a test asks for.
    #[derive(Debug, Default)]
    pub(crate) struct Faults {
        state: Mutex<Faulty>,
    }

    #[derive(Debug, Default)]
    pub(super) struct Faulty {
        free_bytes: Option<u64>,
        quota: Option<u64>,
        sync_fails: bool,
        sync_skipped: bool,
        frozen: bool,
    }

    impl Faults {
        /// What the system answers when asked for free space.
        pub(crate) fn set_free_bytes(&self, free: Option<u64>) {
            self.state.lock().unwrap().free_bytes = free;
        }

        /// Bytes that can be written before the disk is full. The last write is cut there.
        pub(crate) fn set_quota(&self, quota: Option<u64>) {
            self.state.lock().unwrap().quota = quota;
        }

        pub(crate) fn set_sync_fails(&self, fails: bool) {
            self.state.lock().unwrap().sync_fails = fails;
        }

        pub(super) fn free_bytes(&self) -> Option<u64> {
            self.state.lock().unwrap().free_bytes
        }

        /// Nothing changes on the disk until it thaws, as if the process had been killed.
        pub(crate) fn set_frozen(&self, frozen: bool) {
            let mut state = self.state.lock().unwrap();
            state.frozen = frozen;
            state.quota = frozen.then_some(0);
        }

        /// The guard is held while the disk is written to.
        pub(super) fn write(
            &self,
            file: &mut File,
            bytes: &[u8],
        ) -> io::Result<MutexGuard<'_, Faulty>> {
            let mut state = self.state.lock().unwrap();
            let Some(quota) = &mut state.quota else { return Ok(state) };
            let fits = (*quota).min(bytes.len() as u64);
            *quota -= fits;
            if fits == bytes.len() as u64 {
                return Ok(state);
            }
            file.write_all(&bytes[..usize::try_from(fits).unwrap()])?;
            Err(io::ErrorKind::StorageFull.into())
        }

        pub(super) fn remove(&self) -> io::Result<MutexGuard<'_, Faulty>> {
            let state = self.state.lock().unwrap();
            if state.frozen { Err(io::Error::other("frozen")) } else { Ok(state) }
        }

        /// Syncs say that they worked and do nothing: most tests need no disk that lasts.
        pub(crate) fn set_sync_skipped(&self, skipped: bool) {
            self.state.lock().unwrap().sync_skipped = skipped;
        }

        /// Whether a sync is done with by this.
        pub(super) fn sync(&self) -> io::Result<bool> {
            let state = self.state.lock().unwrap();
            if state.sync_fails {
                return Err(io::Error::other("injected"));
            }
            Ok(state.sync_skipped)
        }
    }
}
