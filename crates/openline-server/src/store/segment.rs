//! A segment: one file of the log, a header and groups behind it.
//!
//! The header is 32 bytes: `SEGMENT_MAGIC` (8), version (4), CRC-32 of the version and what
//! follows (4), salt (8), ordinal (8).

use std::path::{Path, PathBuf};

use super::group::checksum;

const SEGMENT_MAGIC: [u8; 8] = *b"openline";

/// The format that is written, and the only one that is read.
pub(super) const VERSION: u32 = 1;

pub(super) const SEGMENT_HEADER: usize = 32;

const EXTENSION: &str = "log";

/// A segment as the log knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) ordinal: u32,
    pub(super) salt: u64,
    /// Length of the file.
    pub(super) bytes: u64,
    /// What its live records would take elsewhere.
    pub(super) live_bytes: u64,
    pub(super) live_records: u64,
}

impl Segment {
    pub(super) fn new(ordinal: u32, salt: u64) -> Self {
        Self { ordinal, salt, bytes: SEGMENT_HEADER as u64, live_bytes: 0, live_records: 0 }
    }

    pub(super) fn header(&self) -> [u8; SEGMENT_HEADER] {
        let mut header = [0; SEGMENT_HEADER];
        header[..8].copy_from_slice(&SEGMENT_MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[16..24].copy_from_slice(&self.salt.to_le_bytes());
        header[24..].copy_from_slice(&u64::from(self.ordinal).to_le_bytes());
        let crc = checksum(VERSION.into(), &header[16..]);
        header[12..16].copy_from_slice(&crc.to_le_bytes());
        header
    }

    pub(super) fn path(&self, dir: &Path) -> PathBuf {
        path(dir, self.ordinal)
    }
}

pub(super) fn path(dir: &Path, ordinal: u32) -> PathBuf {
    dir.join(format!("{ordinal:010}.{EXTENSION}"))
}

/// The ordinal in the name of a segment's file; `None` if it is not one.
pub(super) fn ordinal(path: &Path) -> Option<u32> {
    let stem = path.file_stem()?.to_str()?;
    let ours = path.extension().is_some_and(|e| e == EXTENSION)
        && stem.len() == 10
        && stem.bytes().all(|b| b.is_ascii_digit());
    // The one after it has to have a name too.
    if ours { stem.parse().ok().filter(|ordinal| *ordinal < u32::MAX) } else { None }
}

/// What a file begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    Known {
        salt: u64,
        ordinal: u64,
    },
    /// Written by another version of the server.
    Foreign {
        version: u32,
    },
    Broken,
}

impl Header {
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let Some(header) = bytes.first_chunk::<SEGMENT_HEADER>() else { return Self::Broken };
        let half = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|i| header[at + i]));
        let whole = |at: usize| u64::from(half(at)) | u64::from(half(at + 4)) << 32;
        let version = half(8);
        if header[..8] != SEGMENT_MAGIC || checksum(version.into(), &header[16..]) != half(12) {
            return Self::Broken;
        }
        match version {
            VERSION => Self::Known { salt: whole(16), ordinal: whole(24) },
            version => Self::Foreign { version },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_a_changed_one_does_not() {
        let segment = Segment::new(3, 99);
        let header = segment.header();
        assert_eq!(Header::decode(&header), Header::Known { salt: 99, ordinal: 3 });
        assert_eq!(Header::decode(&header[..31]), Header::Broken);
        for at in 0..header.len() {
            let mut header = header;
            header[at] ^= 1;
            assert_eq!(Header::decode(&header), Header::Broken, "byte {at}");
        }
        let mut later = header;
        later[8] = 2;
        let crc = checksum(2, &later[16..]);
        later[12..16].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&later), Header::Foreign { version: 2 });
    }

    #[test]
    fn names_are_told_from_other_files() {
        let dir = Path::new("d");
        assert_eq!(ordinal(&path(dir, 7)), Some(7));
        for other in ["LOCK", "7.log", "0000000007.old", "00000000x7.log", "+000000007.log"] {
            assert_eq!(ordinal(&dir.join(other)), None, "{other}");
        }
    }
}
