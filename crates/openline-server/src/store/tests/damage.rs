//! Files that are not as they were written.

use super::*;
use crate::store::segment::{SEGMENT_HEADER, VERSION};

/// A store of several segments, each record in a commit of its own.
fn filled(closed: bool) -> Dir {
    let dir = Dir::new();
    let bench = Bench::open(&dir.0, Options { segment_bytes: 200, ..hasty() });
    for text in texts(0..9) {
        bench.put(&text).unwrap();
    }
    if closed {
        bench.store.close().unwrap();
        return dir;
    }
    // As it is when the process is killed now.
    dir.copy()
}

/// What the last commit of `filled` takes.
const LAST: u64 = 56;

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 0x10;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_torn_end_is_cut_wherever_it_is_torn() {
    let dir = filled(false);
    let newest = dir.segments().pop().unwrap();
    let length = fs::metadata(&newest).unwrap().len();
    for cut in 1..=64.min(length) {
        let copy = dir.copy();
        let path = copy.segments().pop().unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(length - cut).unwrap();
        let bench = Bench::open(&copy.0, hasty());
        assert_eq!(bench.opened.set_aside, None, "cut by {cut}");
        assert!(!bench.opened.clean);
        assert_eq!(bench.opened.torn_bytes, if cut <= LAST { LAST - cut } else { 2 * LAST - cut });
        let lost = if cut <= LAST { 1 } else { 2 };
        assert_eq!(bench.texts(), texts(0..9 - lost), "cut by {cut}");
        bench.put("after").unwrap();
        bench.store.close().unwrap();
        let mut expected = texts(0..9 - lost);
        expected.push("after".into());
        assert_eq!(Bench::open(&copy.0, hasty()).texts(), expected, "cut by {cut}");
    }
}

#[test]
fn bytes_of_an_unfinished_write_are_cut() {
    for tail in [&b"olg\x01"[..], &[0; 100], &[0xff; 5000], b"x"] {
        let dir = filled(false);
        let path = dir.segments().pop().unwrap();
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(tail);
        fs::write(&path, bytes).unwrap();
        let bench = Bench::open(&dir.0, hasty());
        assert_eq!(bench.opened.torn_bytes, tail.len() as u64);
        assert_eq!(bench.texts(), texts(0..9));
    }
}

#[test]
fn after_an_orderly_close_a_flipped_byte_anywhere_loses_nothing_in_silence() {
    let dir = filled(true);
    for (place, path) in dir.segments().iter().enumerate() {
        for at in 0..fs::metadata(path).unwrap().len() {
            let copy = dir.copy();
            let path = &copy.segments()[place];
            flip(path, usize::try_from(at).unwrap());
            let damaged = fs::read(path).unwrap();
            let bench = Bench::open(&copy.0, hasty());
            match &bench.opened.set_aside {
                Some(aside) => {
                    assert_eq!(bench.found, [], "byte {at} of segment {place}");
                    let moved = fs::read_dir(aside).unwrap().count();
                    assert_eq!(moved, dir.segments().len());
                    assert_eq!(fs::read(aside.join(path.file_name().unwrap())).unwrap(), damaged);
                }
                None => assert_eq!(bench.texts(), texts(0..9), "byte {at} of segment {place}"),
            }
            bench.put("works").unwrap();
        }
    }
}

#[test]
fn after_a_kill_a_flipped_byte_before_the_last_commit_sets_the_files_aside() {
    let dir = filled(false);
    for (place, path) in dir.segments().iter().enumerate() {
        let length = fs::metadata(path).unwrap().len();
        let last = place + 1 == dir.segments().len();
        for at in 0..if last { length - LAST } else { length } {
            let copy = dir.copy();
            flip(&copy.segments()[place], usize::try_from(at).unwrap());
            let bench = Bench::open(&copy.0, hasty());
            let opened = &bench.opened;
            assert!(opened.set_aside.is_some(), "byte {at} of segment {place}");
            assert!(opened.damage.as_ref().unwrap().contains(".log: "), "{:?}", opened.damage);
        }
    }
}

#[test]
fn damage_is_set_aside_again_and_again_and_sequences_go_on() {
    let dir = filled(true);
    flip(&dir.segments()[1], 60);
    let bench = Bench::open(&dir.0, hasty());
    assert_eq!(bench.opened.set_aside, Some(dir.0.join("damaged-1")));
    let first = bench.put("one").unwrap();
    assert!(first >= 3, "what was seen of the damaged store is not numbered again");
    bench.put("two").unwrap();
    bench.store.close().unwrap();
    flip(&dir.segments()[0], SEGMENT_HEADER + 50);
    let bench = Bench::open(&dir.0, hasty());
    assert_eq!(bench.opened.set_aside, Some(dir.0.join("damaged-2")));
    assert!(dir.0.join("damaged-1").exists());
}

#[test]
fn a_missing_or_renamed_segment_is_damage() {
    let dir = filled(true);
    let copy = dir.copy();
    fs::remove_file(&copy.segments()[1]).unwrap();
    assert!(Bench::open(&copy.0, hasty()).opened.set_aside.is_some());

    let copy = dir.copy();
    let oldest = &copy.segments()[0];
    fs::rename(oldest, oldest.with_file_name("0000000099.log")).unwrap();
    assert!(Bench::open(&copy.0, hasty()).opened.set_aside.is_some());
}

#[test]
fn a_segment_that_was_just_being_made_is_made_again() {
    for length in [0, 1, SEGMENT_HEADER - 1, SEGMENT_HEADER] {
        let dir = filled(false);
        let next = dir.segments().len();
        let header = crate::store::segment::Segment::new(u32::try_from(next).unwrap(), 1).header();
        let path = dir.0.join(format!("{next:010}.log"));
        fs::write(&path, &header[..length]).unwrap();
        let bench = Bench::open(&dir.0, Options { segment_bytes: 200, ..hasty() });
        assert_eq!(bench.texts(), texts(0..9), "{length} bytes");
        for text in texts(9..20) {
            bench.put(&text).unwrap();
        }
        bench.store.close().unwrap();
        assert_eq!(Bench::open(&dir.0, hasty()).texts(), texts(0..20), "{length} bytes");
    }
}

#[test]
fn a_record_that_looks_like_a_group_is_no_group() {
    let dir = filled(false);
    let bytes = fs::read(dir.segments().pop().unwrap()).unwrap();
    let copy = Dir::new();
    let bench = Bench::open(&copy.0, hasty());
    bench.put("sound").unwrap();
    // A torn write with another log's group in it, whose number is beyond the next.
    bench.store.append(Bytes::from(bytes[SEGMENT_HEADER..].to_vec()), 0).unwrap();
    bench.report().unwrap();
    let copy = copy.copy();
    let path = copy.segments().pop().unwrap();
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 1).unwrap();
    let bench = Bench::open(&copy.0, hasty());
    assert_eq!((bench.opened.set_aside.clone(), bench.texts()), (None, vec!["sound".to_owned()]));
}

#[test]
fn files_of_a_later_version_are_refused_and_left_alone() {
    let dir = filled(true);
    let path = dir.segments().remove(0);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8..12].copy_from_slice(&(VERSION + 1).to_le_bytes());
    let crc = crate::store::group::checksum(u64::from(VERSION + 1), &bytes[16..SEGMENT_HEADER]);
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let error = Store::<()>::open(&dir.0, hasty(), |_, _| {}, |_| {}).unwrap_err();
    assert!(error.to_string().contains("has format 2, this version knows 1"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}
