//! A disk in memory that loses what was not synced.
//!
//! What is written is there for whoever reads it, and lasts once it was synced; names of files last
//! once their directory was. When the power goes, of each write that was not synced some sectors are
//! there, or a part of one, or the length of it without its bytes; and of what was done to names
//! some is.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::OpenFile;

/// Smaller than those of disks, so that small files have some.
const SECTOR: usize = 64;

/// A disk; clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Simulated(Arc<Mutex<State>>);

/// An open file.
#[derive(Debug)]
pub(crate) struct Handle {
    disk: Simulated,
    file: usize,
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The process is killed: all that was written is there, but for a part of the last write.
    Kill,
    /// The power goes.
    PowerLoss,
}

#[derive(Debug)]
struct State {
    random: u64,
    orders_names: bool,
    files: Vec<Contents>,
    names: BTreeMap<PathBuf, usize>,
    /// As they are after a loss of power, before `renamed`.
    lasting: BTreeMap<PathBuf, usize>,
    /// What was done to names since their directory was synced.
    renamed: Vec<Renaming>,
    /// Changes until the end.
    fuse: Option<u64>,
    is_off: bool,
    changes: u64,
}

#[derive(Debug, Default)]
struct Contents {
    bytes: Vec<u8>,
    lasting: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write { at: usize, bytes: Vec<u8> },
    Cut(usize),
}

#[derive(Debug)]
enum Renaming {
    Made(PathBuf, usize),
    Moved(PathBuf, PathBuf),
    Removed(PathBuf),
}

impl Simulated {
    /// An empty disk; what becomes of what was not synced is drawn from `seed`.
    /// `orders_names` says that what was done to names lasts in the order in which it was done, as
    /// file systems with a journal have it.
    pub(crate) fn new(seed: u64, orders_names: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: seed,
            orders_names,
            files: Vec::new(),
            names: BTreeMap::new(),
            lasting: BTreeMap::new(),
            renamed: Vec::new(),
            fuse: None,
            is_off: false,
            changes: 0,
        })))
    }

    /// Everything ends with the change after so many.
    pub(crate) fn end_after(&self, changes: Option<u64>) {
        self.state().fuse = changes;
    }

    /// Whether it has ended: nothing works until [`Simulated::restart`].
    pub(crate) fn is_off(&self) -> bool {
        self.state().is_off
    }

    /// What is there when the machine, or the process, runs again.
    pub(crate) fn restart(&self, end: End) {
        let mut state = self.state();
        (state.is_off, state.fuse) = (false, None);
        if end == End::PowerLoss {
            state.lose_power();
        }
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.running()?;
        let inside = state.names.keys().filter_map(|path| path.strip_prefix(dir).ok());
        let mut paths: Vec<_> =
            inside.filter_map(|path| Some(dir.join(path.components().next()?))).collect();
        paths.dedup();
        Ok(paths)
    }

    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.running()?;
        Ok(state.files[state.find(path)?].bytes.clone())
    }

    pub(super) fn open(&self, path: &Path) -> io::Result<OpenFile> {
        let file = self.running()?.find(path)?;
        Ok(OpenFile::Simulated(Handle { disk: self.clone(), file }))
    }

    pub(super) fn make(&self, path: &Path) -> io::Result<OpenFile> {
        let mut state = self.running()?;
        let known = state.find(path).ok();
        let file = known.unwrap_or_else(|| {
            let file = state.files.len();
            state.files.push(Contents::default());
            state.names.insert(path.to_owned(), file);
            state.renamed.push(Renaming::Made(path.to_owned(), file));
            file
        });
        state.burn()?;
        drop(state);
        let handle = Handle { disk: self.clone(), file };
        if known.is_some() {
            handle.cut(0)?;
        }
        Ok(OpenFile::Simulated(handle))
    }

    pub(super) fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut state = self.running()?;
        if state.burn().is_err() {
            return Err(off());
        }
        state.lasting = state.names.clone();
        state.renamed.clear();
        Ok(())
    }

    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.running()?;
        state.find(path)?;
        state.names.remove(path);
        state.renamed.push(Renaming::Removed(path.to_owned()));
        state.burn()
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.running()?;
        rename(&mut state.names, from, to);
        state.renamed.push(Renaming::Moved(from.to_owned(), to.to_owned()));
        state.burn()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test panics with it")
    }

    fn running(&self) -> io::Result<MutexGuard<'_, State>> {
        let state = self.state();
        if state.is_off { Err(off()) } else { Ok(state) }
    }
}

impl Handle {
    pub(super) fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.running()?;
        let ends = state.burn().is_err();
        // A write that is interrupted has a beginning.
        let written = if ends { state.below(bytes.len() as u64 + 1) } else { bytes.len() };
        let contents = &mut state.files[self.file];
        let at = contents.bytes.len();
        contents.bytes.extend_from_slice(&bytes[..written]);
        contents.unsynced.push(Change::Write { at, bytes: bytes[..written].to_vec() });
        if ends { Err(off()) } else { Ok(()) }
    }

    pub(super) fn read_at(&self, at: u64, bytes: &mut [u8]) -> io::Result<()> {
        let state = self.disk.running()?;
        let at = usize::try_from(at).map_err(io::Error::other)?;
        let end = at + bytes.len();
        let found = state.files[self.file].bytes.get(at..end);
        bytes.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    pub(super) fn cut(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.running()?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let contents = &mut state.files[self.file];
        contents.bytes.resize(length, 0);
        contents.unsynced.push(Change::Cut(length));
        state.burn()
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.running()?;
        state.burn()?;
        let contents = &mut state.files[self.file];
        contents.lasting.clone_from(&contents.bytes);
        contents.unsynced.clear();
        Ok(())
    }
}

impl State {
    fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Counts a change, or ends it all.
    fn burn(&mut self) -> io::Result<()> {
        self.changes += 1;
        match &mut self.fuse {
            None => Ok(()),
            Some(0) => {
                self.is_off = true;
                Err(off())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn lose_power(&mut self) {
        for file in 0..self.files.len() {
            let Contents { mut lasting, unsynced, .. } = std::mem::take(&mut self.files[file]);
            // Often a disk has written all, or nothing.
            let mood = self.below(4);
            for change in unsynced {
                match change {
                    Change::Write { .. } | Change::Cut(_) if mood == 0 => {}
                    Change::Cut(length) => {
                        if mood == 1 || self.below(2) == 0 {
                            lasting.resize(length, 0);
                        }
                    }
                    Change::Write { at, bytes } => self.write_some(&mut lasting, at, &bytes, mood),
                }
            }
            self.files[file] = Contents { bytes: lasting.clone(), lasting, unsynced: Vec::new() };
        }
        let mut renamed = std::mem::take(&mut self.renamed);
        let mood = self.below(4);
        if mood < 2 {
            renamed.truncate(mood * renamed.len());
        } else if self.orders_names {
            renamed.truncate(self.below(renamed.len() as u64 + 1));
        }
        for renaming in renamed {
            if mood > 1 && !self.orders_names && self.below(2) == 0 {
                continue;
            }
            match renaming {
                Renaming::Made(path, file) => _ = self.lasting.insert(path, file),
                Renaming::Removed(path) => _ = self.lasting.remove(&path),
                Renaming::Moved(from, to) => rename(&mut self.lasting, &from, &to),
            }
        }
        self.names = self.lasting.clone();
    }

    /// What of a write is there.
    fn write_some(&mut self, lasting: &mut Vec<u8>, at: usize, bytes: &[u8], mood: usize) {
        let way = if mood == 1 { 0 } else { self.below(4) };
        let end = match way {
            0 | 3 => bytes.len(),
            1 => return,
            _ => self.below(bytes.len() as u64 + 1),
        };
        if lasting.len() < at + end {
            lasting.resize(at + end, 0);
        }
        let mut from = 0;
        while from < end {
            // Sectors begin where the file's do.
            let to = (from + SECTOR - (at + from) % SECTOR).min(end);
            if way != 3 || self.below(2) == 0 {
                lasting[at + from..at + to].copy_from_slice(&bytes[from..to]);
            }
            from = to;
        }
    }

    fn below(&mut self, end: u64) -> usize {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end).expect("it is small")
    }
}

/// Gives a file, or all that is in a directory, another name.
fn rename(names: &mut BTreeMap<PathBuf, usize>, from: &Path, to: &Path) {
    let moved = names.extract_if(.., |path, _| path.starts_with(from));
    let moved: Vec<_> = moved.collect();
    for (path, file) in moved {
        let inside = path.strip_prefix(from).unwrap_or(&path);
        let to = if inside.as_os_str().is_empty() { to.to_owned() } else { to.join(inside) };
        names.insert(to, file);
    }
}

fn off() -> io::Error {
    io::Error::other("the power is off")
}
