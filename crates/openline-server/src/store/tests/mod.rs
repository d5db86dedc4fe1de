//! What a store promises, tried from the outside. Each file is a kind of trouble.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod full;
mod kill;
mod model;
mod power;
mod sweep;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use bytes::Bytes;

use super::*;

/// Long enough for any machine; nothing waits this long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory that goes with the test.
pub(super) struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "openline-store-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A directory with copies of the files of this one.
    fn copy(&self) -> Self {
        let copy = Self::new();
        for entry in fs::read_dir(&self.0).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::copy(&path, copy.0.join(path.file_name().unwrap())).unwrap();
            }
        }
        copy
    }

    /// The segment files, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        let mut paths: Vec<_> =
            entries.filter(|p| p.extension().is_some_and(|e| e == "log")).collect();
        paths.sort();
        paths
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An open store whose tickets are numbers, what was in it, and where its reports arrive.
struct Bench {
    store: Store<u64>,
    opened: Opened,
    found: Vec<(u64, Bytes)>,
    reports: Receiver<Committed<u64>>,
}

impl Bench {
    fn open(dir: &Path, options: Options) -> Self {
        let (sender, reports) = mpsc::channel();
        let mut found = Vec::new();
        let committed = move |reported: Vec<Committed<u64>>| {
            // The test may have ended without waiting for all.
            reported.into_iter().for_each(|report| drop(sender.send(report)));
        };
        let each = |sequence, record| found.push((sequence, record));
        let (store, opened) = Store::open(dir, options, each, committed).unwrap();
        Self { store, opened, found, reports }
    }

    fn append(&self, record: &str) {
        let until = std::time::Instant::now() + PATIENCE;
        // It takes none in while it reports what it could not write.
        while self.store.append(Bytes::copy_from_slice(record.as_bytes()), 0).is_err() {
            assert!(std::time::Instant::now() < until);
            std::thread::yield_now();
        }
    }

    fn report(&self) -> Result<u64, StoreError> {
        self.reports.recv_timeout(PATIENCE).expect("a report comes for each append").result
    }

    /// Appends and waits for the answer.
    fn put(&self, record: &str) -> Result<u64, StoreError> {
        self.append(record);
        self.report()
    }

    fn texts(&self) -> Vec<String> {
        let text = |(_, record): &(u64, Bytes)| String::from_utf8(record.to_vec()).unwrap();
        self.found.iter().map(text).collect()
    }

    /// Waits until the store's health is as wanted.
    fn until(&self, what: &str, wanted: impl Fn(&Health) -> bool) -> Health {
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            let health = self.store.health();
            if wanted(&health) {
                return health;
            }
            assert!(std::time::Instant::now() < until, "{what}: {health:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn texts(of: std::ops::Range<u32>) -> Vec<String> {
    of.map(|number| format!("record {number}")).collect()
}

/// Options under which removals are written at once, and nothing waits for a real disk.
fn hasty() -> Options {
    let options = Options { linger: Duration::ZERO, reserve_bytes: 0, ..Options::default() };
    options.faults.set_sync_skipped(true);
    options
}

#[test]
fn records_come_back_in_the_order_of_appends() {
    for level in [Level::Os, Level::Fsync] {
        let dir = Dir::new();
        let options = Options { level, ..hasty() };
        options.faults.set_sync_skipped(false);
        let bench = Bench::open(&dir.0, options.clone());
        assert_eq!(bench.opened, Opened { clean: true, ..Opened::default() });
        texts(0..100).iter().for_each(|text| bench.append(text));
        let sequences: Vec<_> = (0..100).map(|_| bench.report().unwrap()).collect();
        assert!(sequences.is_sorted_by(|a, b| a < b));
        bench.store.close().unwrap();

        let bench = Bench::open(&dir.0, options);
        assert_eq!(bench.opened, Opened { clean: true, records: 100, ..Opened::default() });
        assert_eq!(bench.texts(), texts(0..100));
        assert_eq!(bench.found.iter().map(|found| found.0).collect::<Vec<_>>(), sequences);
        assert!(bench.put("later").unwrap() > sequences[99]);
    }
}

#[test]
fn reports_come_in_the_order_of_appends_with_the_tickets() {
    let dir = Dir::new();
    let bench = Bench::open(&dir.0, hasty());
    for ticket in 0..1000 {
        bench.store.append(Bytes::from_static(b"x"), ticket).unwrap();
    }
    for ticket in 0..1000 {
        assert_eq!(bench.reports.recv_timeout(PATIENCE).unwrap().ticket, ticket);
    }
}

#[test]
fn what_waits_goes_into_one_commit() {
    let dir = Dir::new();
    let (hold, held) = mpsc::channel::<()>();
    let committed = move |_: Vec<Committed<()>>| held.recv_timeout(PATIENCE).unwrap();
    let (store, _) = Store::open(&dir.0, hasty(), |_, _| {}, committed).unwrap();
    store.append(Bytes::from_static(b"first"), ()).unwrap();
    while store.health().commits == 0 {
        std::thread::yield_now();
    }
    // The writer is in its report; these wait for it.
    for _ in 0..100 {
        store.append(Bytes::from_static(b"more"), ()).unwrap();
    }
    assert_eq!(store.health().queued_records, 100);
    hold.send(()).unwrap();
    hold.send(()).unwrap();
    while store.health().records_written < 101 {
        std::thread::yield_now();
    }
    let health = store.health();
    assert_eq!((health.commits, health.queued_records, health.queued_bytes), (2, 0, 0));
    assert_eq!(health.commit_times.iter().sum::<u64>(), 2);
}

#[test]
fn commits_keep_to_their_bounds_and_a_larger_record_goes_alone() {
    let dir = Dir::new();
    let options = Options { commit_records_max: 3, commit_bytes_max: 1000, ..hasty() };
    let bench = Bench::open(&dir.0, options);
    let large = "x".repeat(5000);
    bench.put(&large).unwrap();
    for _ in 0..30 {
        bench.append("small");
    }
    assert!((0..30).all(|_| bench.report().is_ok()));
    assert!(bench.store.health().commits >= 11);
    bench.store.close().unwrap();
    let bench = Bench::open(&dir.0, hasty());
    assert_eq!((bench.found.len(), bench.found[0].1.len()), (31, 5000));
}

#[test]
fn a_full_queue_gives_the_ticket_back_and_takes_more_when_it_is_written() {
    let dir = Dir::new();
    let (hold, held) = mpsc::channel::<()>();
    let (sender, reports) = mpsc::channel();
    let committed = move |reported: Vec<Committed<u64>>| {
        held.recv_timeout(PATIENCE).unwrap();
        sender.send(reported.len()).unwrap();
    };
    let options = Options { queue_bytes_max: 1000, ..hasty() };
    let (store, _) = Store::open(&dir.0, options, |_, _| {}, committed).unwrap();
    let record = || Bytes::from(vec![0; 400]);
    store.append(record(), 0).unwrap();
    while store.health().commits == 0 {
        std::thread::yield_now();
    }
    store.append(record(), 1).unwrap();
    store.append(record(), 2).unwrap();
    let QueueFull(ticket) = store.append(record(), 3).unwrap_err();
    assert_eq!(ticket, 3);
    hold.send(()).unwrap();
    assert_eq!(reports.recv_timeout(PATIENCE).unwrap(), 1);
    hold.send(()).unwrap();
    assert_eq!(reports.recv_timeout(PATIENCE).unwrap(), 2);
    store.append(record(), 4).unwrap();
    hold.send(()).unwrap();
    store.close().unwrap();
}

#[test]
fn removed_records_do_not_come_back() {
    let dir = Dir::new();
    let bench = Bench::open(&dir.0, hasty());
    texts(0..10).iter().for_each(|text| bench.append(text));
    let sequences: Vec<_> = (0..10).map(|_| bench.report().unwrap()).collect();
    bench.store.remove(sequences[2..5].to_vec());
    bench.store.remove(vec![sequences[8], sequences[8], 12345]);
    bench.until("removed", |health| health.records == 6);
    bench.store.close().unwrap();
    let bench = Bench::open(&dir.0, hasty());
    let left = [0, 1, 5, 6, 7, 9].map(|number| format!("record {number}"));
    assert_eq!(bench.texts(), left);
}

#[test]
fn a_second_open_is_refused_and_names_the_process_and_the_directory() {
    let dir = Dir::new();
    let first = Bench::open(&dir.0, hasty());
    let error = Store::<()>::open(&dir.0, hasty(), |_, _| {}, |_| {}).unwrap_err();
    let expected = format!(
        "{} is in use by process {}; stop it or choose another directory",
        dir.0.display(),
        std::process::id()
    );
    assert_eq!(error.to_string(), expected);
    drop(first);
    Bench::open(&dir.0, hasty());
}

#[test]
fn a_panic_in_the_report_ends_the_store_instead_of_queueing_for_ever() {
    let dir = Dir::new();
    let committed = |_: Vec<Committed<()>>| panic!("on purpose");
    let (store, _) = Store::open(&dir.0, hasty(), |_, _| {}, committed).unwrap();
    store.append(Bytes::from_static(b"x"), ()).unwrap();
    let until = std::time::Instant::now() + PATIENCE;
    while store.append(Bytes::new(), ()).is_ok() {
        assert!(std::time::Instant::now() < until);
    }
    assert!(matches!(store.close(), Err(StoreError::Failed(_))));
    assert!(!Bench::open(&dir.0, hasty()).found.is_empty());
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = Dir::new();
    fs::write(dir.0.join("file"), "").unwrap();
    let path = dir.0.join("file/store");
    let error = Store::<()>::open(&path, hasty(), |_, _| {}, |_| {}).unwrap_err();
    assert!(error.to_string().starts_with(&path.display().to_string()), "{error}");
}
