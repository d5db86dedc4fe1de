//! Opening: reads the log back, cuts what a crash left at its end, and sets a damaged one aside.
//!
//! What does not read back is a torn end if it is in the newest segment and nothing written later is
//! behind it; a commit is one write, so only the last can be torn. All else is damage. Because one
//! cannot tell which streams it hit, the whole log is set aside, and the caller begins new epochs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::disk::Disk;
use super::group::{Entry, Group};
use super::log::{LogState, Slot};
use super::segment::{self, Header, SEGMENT_HEADER, Segment, VERSION};
use super::{OpenError, Opened};

/// What was in the directory.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) records: BTreeMap<u64, Bytes>,
    pub(super) state: LogState,
    pub(super) opened: Opened,
}

pub(super) fn recover(disk: &Disk) -> Result<Found, OpenError> {
    let listed = disk.list().map_err(OpenError::io(disk.dir()))?;
    let paths = segments(&listed);
    if let Some(part) = listed.iter().find(|path| path.extension().is_some_and(|e| e == PART)) {
        let damage = format!("{}: an earlier start did not end moving it there", part.display());
        return set_aside(disk, part, &paths, Scan::default(), damage);
    }
    let mut scan = Scan { clean: true, ..Scan::default() };
    for (place, (ordinal, path)) in paths.iter().enumerate() {
        let bytes = disk.read(path).map_err(OpenError::io(path))?;
        let last = place + 1 == paths.len();
        match scan.segment(*ordinal, &bytes, last) {
            Ok(()) => {}
            Err(Fault::Version(found)) => {
                return Err(OpenError::Version { path: path.clone(), found, known: VERSION });
            }
            Err(Fault::Damage(what)) => {
                let damage = format!("{}: {what}", path.display());
                return set_aside(disk, &unused(disk.dir(), &listed), &paths, scan, damage);
            }
        }
    }
    if let Some((_, newest)) = paths.last() {
        scan.cut(disk, newest).map_err(OpenError::io(newest))?;
    }
    // It is about to be taken for stored, and may never have reached the disk: not even when the log
    // was closed, for what says so is written first. What the disk has already takes no time.
    for segment in &scan.state.segments {
        let path = segment.path(disk.dir());
        let synced = disk.open(&path).and_then(|file| disk.sync(&file));
        synced.map_err(OpenError::io(&path))?;
    }
    disk.sync_dir(disk.dir()).map_err(OpenError::io(disk.dir()))?;
    let opened = Opened {
        torn_bytes: scan.torn_bytes,
        clean: scan.clean,
        records: scan.records.len(),
        ..Opened::default()
    };
    Ok(Found { records: scan.records, state: scan.state, opened })
}

/// The files of the log, oldest first.
fn segments(listed: &[PathBuf]) -> Vec<(u32, PathBuf)> {
    let numbered = |path: &PathBuf| Some((segment::ordinal(path)?, path.clone()));
    let mut segments: Vec<_> = listed.iter().filter_map(numbered).collect();
    segments.sort_unstable();
    segments
}

/// Of a directory that the log's files are being moved to.
const PART: &str = "part";

/// A name for such a directory that there is not yet, in either form.
fn unused(dir: &Path, listed: &[PathBuf]) -> PathBuf {
    let named = |number| dir.join(format!("damaged-{number}"));
    let part = (1u32..).map(named).find(|path| !listed.contains(path));
    part.expect("there are fewer than 2^32 directories").with_extension(PART)
}

/// Moves all files to a directory of their own, which gets its name when they are all there: those
/// that a start which is killed leaves behind would pass for a log.
fn set_aside(
    disk: &Disk,
    part: &Path,
    paths: &[(u32, PathBuf)],
    scan: Scan,
    damage: String,
) -> Result<Found, OpenError> {
    disk.make_dir(part).map_err(OpenError::io(part))?;
    for (_, path) in paths {
        let name = path.file_name().expect("a segment has a name");
        disk.rename(path, &part.join(name)).map_err(OpenError::io(path))?;
    }
    for dir in [part, disk.dir()] {
        disk.sync_dir(dir).map_err(OpenError::io(dir))?;
    }
    let aside = part.with_extension("");
    disk.rename(part, &aside).map_err(OpenError::io(part))?;
    disk.sync_dir(disk.dir()).map_err(OpenError::io(disk.dir()))?;
    // Sequences and files go on from what was seen, so that nothing is named twice.
    let next_ordinal = paths.last().map_or(0, |(ordinal, _)| ordinal + 1);
    let state =
        LogState { next_sequence: scan.state.next_sequence, next_ordinal, ..LogState::default() };
    let opened = Opened { set_aside: Some(aside), damage: Some(damage), ..Opened::default() };
    Ok(Found { records: BTreeMap::new(), state, opened })
}

enum Fault {
    Damage(String),
    Version(u32),
}

#[derive(Debug, Default)]
struct Scan {
    records: BTreeMap<u64, Bytes>,
    state: LogState,
    /// No group was read yet: the first may have any number, older segments being gone.
    started: bool,
    clean: bool,
    torn_bytes: u64,
}

impl Scan {
    fn segment(&mut self, ordinal: u32, bytes: &[u8], last: bool) -> Result<(), Fault> {
        self.state.next_ordinal = ordinal + 1;
        if self.state.segments.back().is_some_and(|before| before.ordinal + 1 != ordinal) {
            return Err(Fault::Damage("the segment before it is missing".into()));
        }
        let salt = match Header::decode(bytes) {
            Header::Known { salt, ordinal: known } if known == u64::from(ordinal) => salt,
            Header::Known { .. } => return Err(Fault::Damage("was renamed".into())),
            Header::Foreign { version } => return Err(Fault::Version(version)),
            // The header is written and, at `fsync`, synced before any group.
            Header::Broken if last && bytes.len() <= SEGMENT_HEADER => {
                self.state.next_ordinal = ordinal;
                self.torn_bytes = bytes.len() as u64;
                self.clean = false;
                return Ok(());
            }
            Header::Broken => return Err(Fault::Damage("its header does not read back".into())),
        };
        self.state.segments.push_back(Segment::new(ordinal, salt));
        let mut at = SEGMENT_HEADER;
        while at < bytes.len() {
            let Some(group) = Group::decode(&bytes[at..], salt) else {
                if !last || self.is_damage(&bytes[at..], salt) {
                    let what = format!("group at byte {at} does not read back");
                    return Err(Fault::Damage(what));
                }
                self.torn_bytes = (bytes.len() - at) as u64;
                self.clean = false;
                break;
            };
            at += group.length;
            self.group(&group)?;
        }
        if !last && at == SEGMENT_HEADER {
            // The next one began when this one was full. Where nothing older is left, the numbers of
            // the groups do not show that those of this one are missing.
            return Err(Fault::Damage("it has no group, and others follow it".into()));
        }
        self.state.segments.back_mut().expect("it was just added").bytes = at as u64;
        Ok(())
    }

    /// Whether a group after the one that comes next is in `bytes`.
    fn is_damage(&self, bytes: &[u8], salt: u64) -> bool {
        // Without a group before it, the number of the first is not known: any later one would do,
        // and the first place is not a group.
        let next = if self.started { self.state.next_number } else { 0 };
        Group::is_beyond(bytes.get(1..).unwrap_or_default(), salt, next)
    }

    fn group(&mut self, group: &Group<'_>) -> Result<(), Fault> {
        if self.started && group.number != self.state.next_number {
            let (expected, found) = (self.state.next_number, group.number);
            return Err(Fault::Damage(format!("group {expected} is missing before {found}")));
        }
        if group.first < self.state.next_sequence {
            return Err(Fault::Damage(format!("sequence {} comes again", group.first)));
        }
        self.started = true;
        self.clean = group.closed;
        self.state.next_number = group.number + 1;
        self.state.next_sequence = group.first;
        for entry in &group.entries {
            match *entry {
                Entry::Kept(sequence, record) => self.enter(sequence, record),
                Entry::Removed { first, count } => {
                    (first..).take(count as usize).for_each(|sequence| self.leave(sequence));
                }
                Entry::Record(sequence, record) => {
                    self.enter(sequence, record);
                    self.state.next_sequence = sequence + 1;
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, sequence: u64, record: &[u8]) {
        self.leave(sequence);
        let segment = self.state.segments.back_mut().expect("a group is in a segment");
        let bytes = u32::try_from(record.len()).expect("its length was read from 32 bits");
        let slot = Slot { segment: segment.ordinal, bytes };
        segment.live_bytes += slot.cost();
        segment.live_records += 1;
        self.state.index.insert(sequence, slot);
        self.records.insert(sequence, Bytes::copy_from_slice(record));
    }

    fn leave(&mut self, sequence: u64) {
        self.records.remove(&sequence);
        let Some(slot) = self.state.index.remove(&sequence) else { return };
        // From the newest on: most removals are of young records.
        let mut segments = self.state.segments.iter_mut().rev();
        let segment = segments.find(|segment| segment.ordinal == slot.segment);
        let segment = segment.expect("a slot's segment was scanned");
        segment.live_bytes -= slot.cost();
        segment.live_records -= 1;
    }

    /// Leaves the newest file as far as it reads back.
    fn cut(&self, disk: &Disk, path: &Path) -> std::io::Result<()> {
        let ordinal = segment::ordinal(path);
        match self.state.segments.back().filter(|s| Some(s.ordinal) == ordinal) {
            Some(newest) if self.torn_bytes > 0 => Disk::cut(&disk.open(path)?, newest.bytes),
            Some(_) => Ok(()),
            // It never had a group, and those of the segment before it were complete.
            None => disk.remove(path),
        }
    }
}
