//! What the store finds in its files: no panic, whatever the bytes, also where the checksum is right;
//! a group that reads back is within what was read.

#![no_main]

use group::{Entry, Group, checksum};
use libfuzzer_sys::fuzz_target;

// The server's own code and nothing else of the server, which takes long to build.
#[path = "../../crates/openline-server/src/store/group.rs"]
#[allow(dead_code, unused_imports, reason = "a part of what the server uses")]
mod group;

const SALT: u64 = 5;

fuzz_target!(|data: &[u8]| {
    check(data);
    // Whoever writes by chance does not hit the checksum.
    let mut group = data.to_vec();
    if group.len() >= 12 {
        let length = u32::try_from(group.len()).expect("inputs are small");
        group[..4].copy_from_slice(b"olg\x01");
        group[8..12].copy_from_slice(&length.to_le_bytes());
        let crc = checksum(SALT, &group[8..]);
        group[4..8].copy_from_slice(&crc.to_le_bytes());
        check(&group);
    }
});

fn check(data: &[u8]) {
    let Some(group) = Group::decode(data, SALT) else { return };
    assert!(group.length <= data.len());
    let bytes = group.entries.iter().map(|entry| match entry {
        Entry::Kept(_, record) | Entry::Record(_, record) => record.len(),
        Entry::Removed { .. } => 0,
    });
    assert!(bytes.sum::<usize>() <= group.length);
    assert!(group.number == 0 || Group::is_beyond(data, SALT, group.number - 1));
}
