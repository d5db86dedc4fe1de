//! Space that is given back.

use super::*;

#[test]
fn the_files_follow_what_is_live() {
    let dir = Dir::new();
    let options = Options { segment_bytes: 4096, ..hasty() };
    let bench = Bench::open(&dir.0, options.clone());
    let eldest = bench.put("the eldest stays").unwrap();
    let mut live = std::collections::VecDeque::new();
    for text in texts(0..5000) {
        live.push_back(bench.put(&text).unwrap());
        if live.len() > 100 {
            bench.store.remove(vec![live.pop_front().unwrap()]);
        }
    }
    let live_bytes = 101 * 30;
    let health =
        bench.until("swept", |h| h.records == 101 && h.disk_bytes <= 2 * live_bytes + 5 * 4096);
    assert_eq!((health.records, health.damage), (101, None));
    bench.store.close().unwrap();

    let bench = Bench::open(&dir.0, options);
    let mut expected = vec!["the eldest stays".to_owned()];
    expected.extend(texts(4900..5000));
    assert_eq!(bench.texts(), expected);
    assert_eq!(bench.found[0].0, eldest);
    assert!(bench.found.is_sorted_by(|a, b| a.0 < b.0));
}

#[test]
fn a_segment_that_does_not_read_back_is_kept_and_reported() {
    let dir = Dir::new();
    let options = Options { segment_bytes: 1000, ..hasty() };
    let bench = Bench::open(&dir.0, options.clone());
    let record = "x".repeat(100);
    let sequences: Vec<_> = (0..200).map(|_| bench.put(&record).unwrap()).collect();
    let oldest = dir.segments().remove(0);
    let mut bytes = fs::read(&oldest).unwrap();
    bytes[200] ^= 1;
    fs::write(&oldest, &bytes).unwrap();
    bench.store.remove(sequences[1..].to_vec());
    let health = bench.until("found", |health| health.damage.is_some());
    let damage = health.damage.unwrap();
    assert!(damage.ends_with("group at byte 180: does not read back"), "{damage}");
    assert_eq!(health.state, State::Ok);
    bench.put("still writes").unwrap();
    bench.store.close().unwrap();
    assert_eq!(fs::read(&oldest).unwrap(), bytes);
    let bench = Bench::open(&dir.0, options);
    assert!(bench.opened.set_aside.is_some());
}
