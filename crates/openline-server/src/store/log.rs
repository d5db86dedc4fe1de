//! The log: segments, what is live in them, and the writing of groups.
//!
//! Space comes back from the oldest segment alone. When nothing lives in it, it goes. When more than
//! half of the log is dead, what is live in the oldest is written again at the end, as part of the
//! groups that are written anyway, and then it goes. So a byte is moved for each that died at most,
//! and no segment is ever changed in the middle.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::Path;

use bytes::Bytes;

use super::disk::{Disk, OpenFile, failure};
use super::group::{Draft, KEPT_HEADER};
use super::segment::{SEGMENT_HEADER, Segment, path};
use super::sweep::Sweep;
use super::{Level, StoreError};

/// Dead bytes, in segments, that are left alone: a small log is not worth tidying.
const SLACK_SEGMENTS: u64 = 2;

/// Where a live record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) segment: u32,
    pub(super) bytes: u32,
}

impl Slot {
    /// What it takes to write the record again.
    pub(super) fn cost(self) -> u64 {
        u64::from(self.bytes) + KEPT_HEADER as u64
    }
}

/// What recovery hands over.
#[derive(Debug, Default)]
pub(super) struct LogState {
    /// Oldest first. The last one is written on.
    pub(super) segments: VecDeque<Segment>,
    pub(super) index: BTreeMap<u64, Slot>,
    pub(super) next_sequence: u64,
    pub(super) next_number: u64,
    pub(super) next_ordinal: u32,
}

#[derive(Debug)]
pub(super) struct Log {
    disk: Disk,
    segment_bytes: u64,
    state: LogState,
    /// The newest segment, if it can be written on.
    active: Option<OpenFile>,
    /// Older segments whose bytes the disk may not have yet.
    unsynced: Vec<u32>,
    /// Removed from the index, but not yet in the log.
    doomed: Vec<u64>,
    sweep: Option<Sweep>,
    /// Why no more space is given back.
    damage: Option<String>,
    /// Why nothing more can be written, found after a write.
    ended: Option<StoreError>,
    buffer: Vec<u8>,
}

/// What a commit wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Sequence of the first record.
    pub(super) first: u64,
    pub(super) bytes: u64,
}

impl Log {
    pub(super) fn new(disk: Disk, segment_bytes: u64, state: LogState) -> Self {
        Self {
            disk,
            segment_bytes: segment_bytes.max(SEGMENT_HEADER as u64 + 1),
            state,
            active: None,
            unsynced: Vec::new(),
            doomed: Vec::new(),
            sweep: None,
            damage: None,
            ended: None,
            buffer: Vec::new(),
        }
    }

    /// Takes records out of the index. The next group says so on the disk.
    pub(super) fn forget(&mut self, sequences: &[u64]) {
        for sequence in sequences {
            if let Some(slot) = self.state.index.remove(sequence) {
                self.settle(slot, false);
                self.doomed.push(*sequence);
            }
        }
    }

    /// Writes a group: the records, what was forgotten, and a part of what the oldest segment keeps.
    ///
    /// After `Full` nothing of it is in the log, and the same can be tried again. After `Failed` it
    /// must not be.
    pub(super) fn commit(&mut self, records: &[Bytes]) -> Result<Receipt, StoreError> {
        let kept = self.take_kept();
        let result = self.write(records, &kept, false);
        match (&result, &mut self.sweep) {
            (Ok(_), Some(sweep)) => sweep.advance(),
            (Err(_), Some(sweep)) => sweep.rewind(),
            (_, None) => {}
        }
        let receipt = result?;
        for (place, record) in (receipt.first..).zip(records) {
            self.place(place, record.len());
        }
        for (sequence, record) in &kept {
            self.place(*sequence, record.len());
        }
        if let Err(error) = self.drop_oldest() {
            // These records are in the log; it is the next that cannot be.
            self.ended = Some(error);
        }
        Ok(receipt)
    }

    /// Says in the log that it was closed, and syncs it at every level.
    pub(super) fn close(&mut self) -> Result<(), StoreError> {
        match self.write(&[], &[], true) {
            // Everything acked is there; the next start just looks closer.
            Ok(_) | Err(StoreError::Full) => self.sync_all(None),
            Err(error) => Err(error),
        }
    }

    /// Whether a commit without records would do something.
    pub(super) fn has_chores(&self) -> bool {
        !self.doomed.is_empty() || self.is_sweep_due()
    }

    /// Whether records would be written now, as far as space goes.
    pub(super) fn check_space(&mut self) -> Result<(), StoreError> {
        self.disk.check_space(1)
    }

    pub(super) fn live_records(&self) -> u64 {
        self.state.index.len() as u64
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.state.segments.iter().map(|segment| segment.bytes).sum()
    }

    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    fn write(
        &mut self,
        records: &[Bytes],
        kept: &[(u64, Bytes)],
        closed: bool,
    ) -> Result<Receipt, StoreError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        // Forgetting and moving may use the reserve: it is there for them.
        if !records.is_empty() {
            let bytes = records.iter().map(|record| record.len() as u64 + 4).sum();
            self.disk.check_space(bytes)?;
        }
        self.doomed.sort_unstable();
        let first = self.state.next_sequence;
        self.open_active()?;
        let segment = self.state.segments.back().expect("the active segment is in the list");
        let number = self.state.next_number;
        let draft = Draft { number, first, closed, kept, removed: &self.doomed, records };
        draft.encode(segment.salt, &mut self.buffer);
        self.append_buffer()?;
        self.doomed.clear();
        self.state.next_number += 1;
        self.state.next_sequence += records.len() as u64;
        let bytes = self.buffer.len() as u64;
        // One large group is not worth its memory until the next one.
        self.buffer.shrink_to(2 << 20);
        Ok(Receipt { first, bytes })
    }

    fn append_buffer(&mut self) -> Result<(), StoreError> {
        let segment = self.state.segments.back_mut().expect("the active segment is in the list");
        let file = self.active.as_mut().expect("the active segment is open");
        let path = segment.path(self.disk.dir());
        let written = self.disk.append(file, &self.buffer).map_err(|error| failure(&path, &error));
        let written = written.and_then(|()| match self.disk.level {
            // Whatever kind the error has: what the disk has now, nobody knows.
            Level::Fsync => self.disk.sync(file).map_err(|error| failed(&path, &error)),
            Level::Memory | Level::Os => Ok(()),
        });
        if let Err(error) = written {
            self.disk.look_again();
            // What was answered with an error must not be there after a restart.
            let cut = Disk::cut(file, segment.bytes);
            return Err(cut.err().map_or(error, |error| failed(&path, &error)));
        }
        segment.bytes += self.buffer.len() as u64;
        Ok(())
    }

    /// Sees to it that the newest segment can be written on.
    fn open_active(&mut self) -> Result<(), StoreError> {
        if let Some(segment) = self.state.segments.back()
            && segment.bytes < self.segment_bytes
        {
            if self.active.is_none() {
                let path = segment.path(self.disk.dir());
                let file = self.disk.open(&path).map_err(|e| failure(&path, &e))?;
                self.active = Some(file);
            }
            return Ok(());
        }
        let segment = Segment::new(self.state.next_ordinal, self.disk.salt());
        let file = self.make(&segment)?;
        if let Some(sealed) = self.state.segments.back()
            && self.disk.level != Level::Fsync
        {
            self.unsynced.push(sealed.ordinal);
        }
        self.active = Some(file);
        self.state.next_ordinal += 1;
        self.state.segments.push_back(segment);
        Ok(())
    }

    fn make(&self, segment: &Segment) -> Result<OpenFile, StoreError> {
        let path = segment.path(self.disk.dir());
        let mut file = self.disk.make(&path).map_err(|error| failure(&path, &error))?;
        let written = self.disk.append(&mut file, &segment.header());
        written.map_err(|error| failure(&path, &error))?;
        if self.disk.level == Level::Fsync {
            // Before any group: so a header that does not read back is damage if groups follow it.
            let synced = self.disk.sync(&file);
            let synced = synced.and_then(|()| self.disk.sync_dir(self.disk.dir()));
            synced.map_err(|error| failed(&path, &error))?;
        }
        Ok(file)
    }

    /// Counts a record in or out of its segment.
    fn settle(&mut self, slot: Slot, alive: bool) {
        let Some(oldest) = self.state.segments.front() else { return };
        let place = slot.segment.checked_sub(oldest.ordinal).map(|place| place as usize);
        let Some(segment) = place.and_then(|place| self.state.segments.get_mut(place)) else {
            return;
        };
        if alive {
            segment.live_bytes += slot.cost();
            segment.live_records += 1;
        } else {
            segment.live_bytes -= slot.cost();
            segment.live_records -= 1;
        }
    }

    /// Enters a record that the newest segment has now.
    fn place(&mut self, sequence: u64, bytes: usize) {
        let segment = self.state.segments.back().expect("it was just written to").ordinal;
        let bytes = u32::try_from(bytes).expect("the queue holds less than 4 GiB");
        let slot = Slot { segment, bytes };
        if let Some(old) = self.state.index.insert(sequence, slot) {
            self.settle(old, false);
        }
        self.settle(slot, true);
    }

    fn is_sweep_due(&self) -> bool {
        if self.sweep.is_some() {
            return true;
        }
        let Some(oldest) = self.state.segments.front() else { return false };
        let live: u64 = self.state.segments.iter().map(|segment| segment.live_bytes).sum();
        let dead_max = live + SLACK_SEGMENTS * self.segment_bytes;
        self.damage.is_none()
            && self.state.segments.len() > 1
            && (oldest.live_records == 0 || self.disk_bytes() > live + dead_max)
    }

    /// The next live records of the oldest segment, if it is to go.
    fn take_kept(&mut self) -> Vec<(u64, Bytes)> {
        if !self.is_sweep_due() {
            return Vec::new();
        }
        let oldest = self.state.segments.front().expect("there is more than one");
        let sweep = match &mut self.sweep {
            Some(sweep) => sweep,
            None => match Sweep::new(oldest, &self.disk) {
                Ok(sweep) => self.sweep.insert(sweep),
                Err(damage) => {
                    self.damage = Some(damage);
                    return Vec::new();
                }
            },
        };
        match sweep.next(&self.state.index) {
            Ok(kept) => kept,
            Err(damage) => {
                // The file stays as it is; the next start finds the same and sets it aside.
                self.sweep = None;
                self.damage = Some(damage);
                Vec::new()
            }
        }
    }

    /// Deletes the oldest segment when all that lived in it lives elsewhere.
    fn drop_oldest(&mut self) -> Result<(), StoreError> {
        let Some(sweep) = self.sweep.take_if(|sweep| sweep.is_done()) else { return Ok(()) };
        if sweep.has_moved() && self.disk.level != Level::Fsync {
            // The copies have to be on the disk before what they are copies of goes.
            self.sync_all(self.state.segments.front().map(|oldest| oldest.ordinal))?;
        }
        let oldest = self.state.segments.front().expect("it was swept");
        let path = oldest.path(self.disk.dir());
        if oldest.live_records > 0 {
            let live = oldest.live_records;
            self.damage = Some(format!("{}: {live} records did not turn up", path.display()));
            return Ok(());
        }
        if let Err(error) = self.disk.remove(&path) {
            self.damage = Some(format!("{}: {error}", path.display()));
            return Ok(());
        }
        self.state.segments.pop_front();
        if self.disk.level == Level::Fsync {
            // Before the next one goes: one that comes back without the next is taken for damage.
            let synced = self.disk.sync_dir(self.disk.dir());
            synced.map_err(|error| failed(self.disk.dir(), &error))?;
        }
        Ok(())
    }

    /// Makes all that was written last, but for one segment that is about to go.
    fn sync_all(&mut self, but: Option<u32>) -> Result<(), StoreError> {
        for ordinal in std::mem::take(&mut self.unsynced) {
            let path = path(self.disk.dir(), ordinal);
            if self.state.segments.front().is_some_and(|oldest| oldest.ordinal > ordinal) {
                continue;
            }
            if but == Some(ordinal) {
                self.unsynced.push(ordinal);
                continue;
            }
            let synced = self.disk.open(&path).and_then(|file| self.disk.sync(&file));
            synced.map_err(|error| failed(&path, &error))?;
        }
        let Some(file) = &self.active else { return Ok(()) };
        let synced = self.disk.sync(file).and_then(|()| self.disk.sync_dir(self.disk.dir()));
        synced.map_err(|error| failed(self.disk.dir(), &error))
    }
}

fn failed(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Failed(format!("{}: {error}", path.display()))
}
