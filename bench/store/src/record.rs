//! Records that can be told apart and do not compress.

pub const BYTES: usize = 200;

pub fn record(sequence: u64) -> Vec<u8> {
    let mut state = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(BYTES + 8);
    while bytes.len() < BYTES {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(BYTES);
    bytes
}

pub fn records(first: u64, count: u64) -> Vec<Vec<u8>> {
    (first..first + count).map(record).collect()
}
