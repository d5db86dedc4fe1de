//! Disks that are full or fail.

use super::*;

fn healed(bench: &Bench) {
    bench.until("healed", |health| health.state == State::Ok);
}

#[test]
fn without_space_the_answer_is_full_and_it_heals_by_itself() {
    let dir = Dir::new();
    let options = Options { reserve_bytes: 1 << 20, ..hasty() };
    let faults = options.faults.clone();
    faults.set_free_bytes(Some(1 << 20));
    let bench = Bench::open(&dir.0, options);
    assert_eq!(bench.put("refused"), Err(StoreError::Full));
    assert_eq!(bench.put("refused too"), Err(StoreError::Full));
    assert_eq!(bench.store.health().state, State::Full);
    faults.set_free_bytes(Some(2 << 20));
    healed(&bench);
    bench.put("taken").unwrap();
    bench.store.close().unwrap();
    assert_eq!(Bench::open(&dir.0, hasty()).texts(), ["taken"]);
}

#[test]
fn a_write_that_the_disk_cuts_short_leaves_nothing() {
    // At every byte of a header and a few groups.
    for quota in (0..32).step_by(7).chain((32..300).step_by(11)) {
        let dir = Dir::new();
        let options = Options { segment_bytes: 120, ..hasty() };
        options.faults.set_quota(Some(quota));
        let faults = options.faults.clone();
        let bench = Bench::open(&dir.0, options);
        let mut taken = Vec::new();
        let mut refused = 0;
        for text in texts(0..9) {
            match bench.put(&text) {
                Ok(_) => taken.push(text),
                Err(error) => {
                    assert_eq!(error, StoreError::Full);
                    refused += 1;
                }
            }
        }
        assert!(refused > 0, "quota {quota}");
        // As after a kill: what was refused is not there.
        assert_eq!(Bench::open(&dir.copy().0, hasty()).texts(), taken, "quota {quota}");
        faults.set_quota(None);
        healed(&bench);
        bench.put("healed").unwrap();
        bench.store.close().unwrap();
        taken.push("healed".into());
        let bench = Bench::open(&dir.0, hasty());
        assert_eq!((bench.opened.set_aside.clone(), bench.texts()), (None, taken), "quota {quota}");
    }
}

#[test]
fn forgetting_uses_the_reserve_and_makes_space() {
    let dir = Dir::new();
    let options = Options { segment_bytes: 1000, reserve_bytes: 1 << 20, ..hasty() };
    let faults = options.faults.clone();
    let bench = Bench::open(&dir.0, options);
    let mut sequences: Vec<_> =
        texts(0..1000).iter().map(|text| bench.put(text).unwrap()).collect();
    faults.set_free_bytes(Some(1000));
    let full = |health: &Health| health.state == State::Full;
    // What the last look allowed may be used up first.
    let until = std::time::Instant::now() + PATIENCE;
    while !full(&bench.store.health()) {
        assert!(std::time::Instant::now() < until);
        sequences.extend(bench.put(&"x".repeat(1 << 18)));
    }
    let before = bench.store.health().disk_bytes;
    bench.store.remove(sequences);
    bench.until("space given back", |health| health.disk_bytes + 40_000 < before);
    bench.until("still full", full);
}

#[test]
fn forgetting_makes_space_also_while_records_keep_coming() {
    let dir = Dir::new();
    let options = Options { segment_bytes: 1000, reserve_bytes: 1 << 20, ..hasty() };
    let faults = options.faults.clone();
    faults.set_free_bytes(Some((1 << 20) + 500));
    let bench = Bench::open(&dir.0, options);
    let mut taken: Vec<_> = (0..50).map(|_| bench.put("some record").unwrap()).collect();
    faults.set_free_bytes(Some(1 << 20));
    // What the last look allowed is used up first.
    while let Ok(sequence) = bench.put("some record") {
        taken.push(sequence);
        assert!(taken.len() < 100);
    }
    let before = bench.store.health().records;
    bench.store.remove(taken);
    let until = std::time::Instant::now() + PATIENCE;
    let _ = bench.put("refused");
    // No pause between them, so that the store is never idle.
    while dir.segments().len() > 1 || bench.store.health().records == before {
        assert!(std::time::Instant::now() < until, "{:?}", bench.store);
        assert_eq!(bench.put("refused"), Err(StoreError::Full));
    }
}

#[test]
fn a_sync_that_fails_ends_writing_and_leaves_nothing_of_what_was_refused() {
    let dir = Dir::new();
    let options = Options { level: Level::Fsync, ..hasty() };
    let faults = options.faults.clone();
    let bench = Bench::open(&dir.0, options);
    bench.put("stored").unwrap();
    faults.set_sync_fails(true);
    let Err(StoreError::Failed(why)) = bench.put("refused") else { panic!("it failed") };
    assert!(why.contains(".log: injected"), "{why}");
    // The disk works again, but what it has of the file nobody knows.
    faults.set_sync_fails(false);
    assert_eq!(bench.put("refused too"), Err(StoreError::Failed(why.clone())));
    assert_eq!(bench.store.health().state, State::Failed(why.clone()));
    assert_eq!(bench.store.close(), Err(StoreError::Failed(why)));
    assert_eq!(Bench::open(&dir.0, hasty()).texts(), ["stored"]);
}
