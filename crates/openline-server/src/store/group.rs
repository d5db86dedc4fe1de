//! A group: what one commit writes, in one piece. Numbers are little endian.
//!
//! | Bytes | |
//! |---|---|
//! | 4 | `GROUP_MAGIC` |
//! | 4 | CRC-32 of the segment's salt and all that follows |
//! | 4 | length of the group |
//! | 4 | 1 if the store was closed after it, else 0 |
//! | 8 | number of the group: one more than that of the group before |
//! | 8 | sequence of its first record |
//! | 4 + 4 + 4 | how many kept, removed and new records follow |
//! | … | kept: sequence (8), length (4), bytes |
//! | … | removed: first sequence (8), how many (4) |
//! | … | new: length (4), bytes |
//!
//! *Kept* records were in an older segment, which goes. A group that was cut in the middle of
//! writing does not read back, so a group is there whole or not at all.

use bytes::Bytes;

const GROUP_MAGIC: [u8; 4] = *b"olg\x01";

/// Bytes before the entries.
pub(super) const GROUP_HEADER: usize = 44;

/// Bytes of a kept record beside its own.
pub(super) const KEPT_HEADER: usize = 12;

/// A group to be written.
#[derive(Debug, Default)]
pub(super) struct Draft<'a> {
    pub(super) number: u64,
    pub(super) first: u64,
    pub(super) closed: bool,
    pub(super) kept: &'a [(u64, Bytes)],
    /// In ascending order.
    pub(super) removed: &'a [u64],
    pub(super) records: &'a [Bytes],
}

impl Draft<'_> {
    pub(super) fn encode(&self, salt: u64, out: &mut Vec<u8>) {
        let ranges = ranges(self.removed);
        out.clear();
        out.extend(GROUP_MAGIC);
        out.extend([0; 8]);
        out.extend(u32::from(self.closed).to_le_bytes());
        out.extend(self.number.to_le_bytes());
        out.extend(self.first.to_le_bytes());
        for count in [self.kept.len(), ranges.len(), self.records.len()] {
            out.extend(length(count));
        }
        for (sequence, record) in self.kept {
            out.extend(sequence.to_le_bytes());
            out.extend(length(record.len()));
            out.extend_from_slice(record);
        }
        for (first, count) in ranges {
            out.extend(first.to_le_bytes());
            out.extend(count.to_le_bytes());
        }
        for record in self.records {
            out.extend(length(record.len()));
            out.extend_from_slice(record);
        }
        let bytes = length(out.len());
        out[8..12].copy_from_slice(&bytes);
        let crc = checksum(salt, &out[8..]);
        out[4..8].copy_from_slice(&crc.to_le_bytes());
    }
}

/// A group that was read and is whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group<'a> {
    pub(super) number: u64,
    pub(super) first: u64,
    pub(super) closed: bool,
    /// In the order in which they apply.
    pub(super) entries: Vec<Entry<'a>>,
    /// Its bytes.
    pub(super) length: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Kept(u64, &'a [u8]),
    Removed { first: u64, count: u32 },
    Record(u64, &'a [u8]),
}

impl<'a> Group<'a> {
    /// The length that a group's first twelve bytes claim, unchecked.
    pub(super) fn claimed_length(header: &[u8; 12]) -> Option<usize> {
        let length = Reader(&header[8..]).u32()? as usize;
        (header[..4] == GROUP_MAGIC && length >= GROUP_HEADER).then_some(length)
    }

    /// Reads the group that `bytes` begin with.
    pub(super) fn decode(bytes: &'a [u8], salt: u64) -> Option<Self> {
        let length = Self::claimed_length(bytes.first_chunk()?)?;
        let bytes = bytes.get(..length)?;
        let crc = u32::from_le_bytes(*bytes[4..].first_chunk()?);
        if checksum(salt, &bytes[8..]) != crc {
            return None;
        }
        let mut reader = Reader(&bytes[12..]);
        let closed = reader.u32()? == 1;
        let (number, first) = (reader.u64()?, reader.u64()?);
        let (kept, removed, records) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let mut entries = Vec::new();
        for _ in 0..kept {
            let sequence = reader.u64()?;
            entries.push(Entry::Kept(sequence, reader.record()?));
        }
        for _ in 0..removed {
            entries.push(Entry::Removed { first: reader.u64()?, count: reader.u32()? });
        }
        for place in 0..records {
            let sequence = first.checked_add(u64::from(place))?;
            entries.push(Entry::Record(sequence, reader.record()?));
        }
        reader.0.is_empty().then_some(Self { number, first, closed, entries, length })
    }

    /// Whether a whole group with a number beyond `number` is anywhere in `bytes`.
    pub(super) fn is_beyond(bytes: &[u8], salt: u64, number: u64) -> bool {
        (0..bytes.len().saturating_sub(GROUP_HEADER - 1)).any(|at| {
            bytes[at..].starts_with(&GROUP_MAGIC)
                && Group::decode(&bytes[at..], salt).is_some_and(|group| group.number > number)
        })
    }
}

/// CRC-32, salted: otherwise a record could have a group in it that passes for one.
pub(super) fn checksum(salt: u64, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&salt.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize()
}

fn ranges(sequences: &[u64]) -> Vec<(u64, u32)> {
    let mut ranges: Vec<(u64, u32)> = Vec::new();
    for sequence in sequences {
        match ranges.last_mut() {
            Some((first, count)) if *first + u64::from(*count) == *sequence => *count += 1,
            _ => ranges.push((*sequence, 1)),
        }
    }
    ranges
}

fn length(value: usize) -> [u8; 4] {
    u32::try_from(value).expect("the queue holds less than 4 GiB").to_le_bytes()
}

/// Takes numbers from the front; `None` when too little is left.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn u32(&mut self) -> Option<u32> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u32::from_le_bytes(*value))
    }

    fn u64(&mut self) -> Option<u64> {
        let (value, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*value))
    }

    fn record(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()? as usize;
        let (record, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let draft = Draft {
            number: 7,
            first: 40,
            closed: true,
            kept: &[(3, Bytes::from_static(b"old"))],
            removed: &[1, 2, 9],
            records: &[Bytes::from_static(b"one"), Bytes::new()],
        };
        let mut bytes = Vec::new();
        draft.encode(5, &mut bytes);
        bytes
    }

    #[test]
    fn a_group_reads_back_with_bytes_behind_it() {
        let mut bytes = sample();
        let length = bytes.len();
        bytes.extend([1, 2, 3]);
        let entries = vec![
            Entry::Kept(3, b"old"),
            Entry::Removed { first: 1, count: 2 },
            Entry::Removed { first: 9, count: 1 },
            Entry::Record(40, b"one"),
            Entry::Record(41, b""),
        ];
        let group = Group { number: 7, first: 40, closed: true, entries, length };
        assert_eq!(Group::decode(&bytes, 5), Some(group));
    }

    #[test]
    fn a_group_that_is_cut_or_changed_anywhere_does_not_read_back() {
        let bytes = sample();
        for end in 0..bytes.len() {
            assert_eq!(Group::decode(&bytes[..end], 5), None, "cut at {end}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[at] ^= 1 << bit;
                assert_eq!(Group::decode(&bytes, 5), None, "bit {bit} of byte {at}");
            }
        }
        assert_eq!(Group::decode(&bytes, 6), None, "salt of another segment");
    }

    /// A file that somebody made by hand ended the process.
    #[test]
    fn a_group_whose_sequences_have_no_end_does_not_read_back() {
        let records = &[Bytes::new(), Bytes::new()];
        let mut bytes = Vec::new();
        Draft { first: u64::MAX, records, ..Draft::default() }.encode(5, &mut bytes);
        assert_eq!(Group::decode(&bytes, 5), None);
    }

    #[test]
    fn a_later_group_is_found_at_any_place() {
        let group = sample();
        for before in 0..9 {
            let mut bytes = vec![b'o'; before];
            bytes.extend(&group);
            bytes.push(0);
            assert!(Group::is_beyond(&bytes, 5, 6));
            assert!(!Group::is_beyond(&bytes, 5, 7));
            assert!(!Group::is_beyond(&bytes, 6, 6));
        }
    }
}
