//! A walk over the oldest segment for what is live in it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;

use super::disk::{Disk, OpenFile};
use super::group::{Entry, Group};
use super::log::Slot;
use super::segment::{SEGMENT_HEADER, Segment};

/// Bytes of live records in one step. A step delays the commit that it is part of.
const STEP_BYTES: usize = 256 << 10;

/// Bytes of groups that are read for one step, an only larger one excepted.
const READ_BYTES: u64 = 2 << 20;

#[derive(Debug)]
pub(super) struct Sweep {
    path: PathBuf,
    file: OpenFile,
    segment: Segment,
    /// Up to here all is elsewhere.
    done: u64,
    /// Up to here it is when the commit succeeds.
    read: u64,
    moved: bool,
}

impl Sweep {
    pub(super) fn new(segment: &Segment, disk: &Disk) -> Result<Self, String> {
        let path = segment.path(disk.dir());
        let file = disk.open_to_read(&path);
        let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
        // Nothing lives there: nothing to look for.
        let empty = segment.live_records == 0;
        let done = if empty { segment.bytes } else { SEGMENT_HEADER as u64 };
        let segment = segment.clone();
        Ok(Self { path, file, segment, done, read: done, moved: false })
    }

    /// The next live records. The caller writes them, then calls `advance` or `rewind`.
    pub(super) fn next(
        &mut self,
        index: &BTreeMap<u64, Slot>,
    ) -> Result<Vec<(u64, Bytes)>, String> {
        let mut kept = Vec::new();
        let mut bytes = 0;
        while self.read < self.segment.bytes
            && bytes < STEP_BYTES
            && self.read - self.done < READ_BYTES
        {
            let raw = self.read_group().map_err(|error| self.damage(&error.to_string()))?;
            let group = Group::decode(&raw, self.segment.salt)
                .ok_or_else(|| self.damage("does not read back"))?;
            for entry in group.entries {
                let (Entry::Kept(sequence, record) | Entry::Record(sequence, record)) = entry
                else {
                    continue;
                };
                if index.get(&sequence).is_some_and(|slot| slot.segment == self.segment.ordinal) {
                    bytes += record.len();
                    kept.push((sequence, Bytes::copy_from_slice(record)));
                }
            }
            self.read += raw.len() as u64;
        }
        self.moved |= !kept.is_empty();
        Ok(kept)
    }

    pub(super) fn advance(&mut self) {
        self.done = self.read;
    }

    pub(super) fn rewind(&mut self) {
        self.read = self.done;
    }

    pub(super) fn is_done(&self) -> bool {
        self.done >= self.segment.bytes
    }

    /// Whether anything was live.
    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    fn read_group(&mut self) -> std::io::Result<Vec<u8>> {
        let mut header = [0; 12];
        Disk::read_at(&mut self.file, self.read, &mut header)?;
        let left = self.segment.bytes - self.read;
        let length = Group::claimed_length(&header).filter(|length| *length as u64 <= left);
        let length = length.ok_or(std::io::ErrorKind::InvalidData)?;
        let mut raw = vec![0; length];
        raw[..12].copy_from_slice(&header);
        Disk::read_at(&mut self.file, self.read + 12, &mut raw[12..])?;
        Ok(raw)
    }

    fn damage(&self, what: &str) -> String {
        format!("{}: group at byte {}: {what}", self.path.display(), self.read)
    }
}
