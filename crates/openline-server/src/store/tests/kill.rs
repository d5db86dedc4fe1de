//! Processes that are killed.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use super::*;

/// Set for the process that is going to be killed: the directory that it writes to.
const DIR: &str = "OPENLINE_TEST_STORE";

/// Records that are not yet removed.
const WINDOW: u64 = 50;

const ROUNDS: u32 = 20;

#[test]
fn what_was_acked_outlives_a_kill() {
    let dir = Dir::new();
    let mut last = 0;
    for round in 0..ROUNDS {
        let acked = kill_after(&dir, 30 + 97 * round);
        let bench = Bench::open(&dir.0, options());
        assert_eq!(bench.opened.set_aside, None, "round {round}");
        let found: BTreeSet<u64> = bench.texts().iter().map(|text| number(text)).collect();
        assert_eq!(found.len(), bench.found.len(), "round {round}: nothing is there twice");
        assert!(bench.texts().iter().map(|text| number(text)).is_sorted(), "round {round}");
        for number in acked.saturating_sub(WINDOW - 1).max(last + 1)..=acked {
            assert!(found.contains(&number), "round {round}: {number} of {acked} is missing");
        }
        last = found.last().copied().unwrap_or(last);
        bench.store.close().unwrap();
    }
}

fn options() -> Options {
    Options { segment_bytes: 8000, ..hasty() }
}

fn number(text: &str) -> u64 {
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Runs `writes_until_killed` in a process and kills it after so many acks. Returns the last number
/// that it said was acked.
fn kill_after(dir: &Dir, acks: u32) -> u64 {
    let this = std::any::type_name_of_val(&writes_until_killed);
    // Tests are named without the crate.
    let name = this.split_once("::").unwrap().1;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, &dir.0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut acked = lines.filter_map(|line| line.strip_prefix("acked ")?.parse::<u64>().ok());
    let mut last = (0..acks).map_while(|_| acked.next()).last().expect("it acks");
    child.kill().unwrap();
    // What it had said and nobody had read counts too.
    last = acked.last().unwrap_or(last);
    child.wait().unwrap();
    last
}

/// Does nothing unless `kill_after` runs it. Appends numbers from where the store ends, says what
/// was acked, and removes what is `WINDOW` behind that.
#[test]
fn writes_until_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let mut live = Vec::new();
    let shared: Arc<Mutex<Option<Store<u64>>>> = Arc::default();
    let store = shared.clone();
    let acked = Arc::new(Mutex::new(std::collections::VecDeque::new()));
    let window = acked.clone();
    let committed = move |reported: Vec<Committed<u64>>| {
        let mut window = window.lock().unwrap();
        let mut lines = String::new();
        for report in reported {
            window.push_back(report.result.unwrap());
            lines += &format!("acked {}\n", report.ticket);
        }
        std::io::stdout().lock().write_all(lines.as_bytes()).unwrap();
        let behind = window.len().saturating_sub(usize::try_from(WINDOW).unwrap());
        let removed: Vec<u64> = window.drain(..behind).collect();
        if let Some(store) = &*store.lock().unwrap() {
            store.remove(removed);
        }
    };
    let each = |sequence, record: Bytes| {
        live.push((sequence, number(std::str::from_utf8(&record).unwrap())));
    };
    let (store, _) = Store::open(Path::new(&dir), options(), each, committed).unwrap();
    let first = live.last().map_or(1, |(_, number)| number + 1);
    acked.lock().unwrap().extend(live.iter().map(|(sequence, _)| *sequence));
    *shared.lock().unwrap() = Some(store);
    // The parent kills this long before; the end is for the case that the parent died.
    for number in first..first + 10_000_000 {
        let record = Bytes::from(format!("{number} {}", "x".repeat(number as usize % 90)));
        while shared.lock().unwrap().as_ref().unwrap().append(record.clone(), number).is_err() {
            std::thread::yield_now();
        }
    }
}
