//! Processes that are killed and machines that lose power, at every change of a simulated disk.
//!
//! The log is driven as the writer's thread drives it. `OPENLINE_SEED=…` plays one history again,
//! `OPENLINE_HISTORIES=…` more of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::super::disk::Disk;
use super::super::disk::simulated::{End, Simulated};
use super::super::log::Log;
use super::super::recovery::recover;
use super::model::Dice;
use super::*;

/// Histories of one run.
const HISTORIES: u64 = 4_000;

/// What is to be found again.
#[derive(Debug, Default)]
struct Truth {
    /// All that was ever acked and not removed, by sequence.
    acked: BTreeMap<u64, Bytes>,
    /// All that was ever acked: what was removed may be back after a crash.
    ever: BTreeSet<(u64, Bytes)>,
    /// Given to the log in the commit that did not end.
    unanswered: Vec<Bytes>,
    /// All of it is on the disk for good, and nothing else may have reached it.
    lasts: bool,
    /// The power went when it did not last, and what there is has not been looked at since.
    is_in_doubt: bool,
}

struct History {
    seed: u64,
    dice: Dice,
    disk: Simulated,
    /// Otherwise nothing is promised but at `fsync`.
    orders_names: bool,
    level: Level,
    segment_bytes: u64,
    truth: Truth,
    written: u64,
}

/// How a run of the process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Closed,
    Off,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let truth = Truth { lasts: true, ..Truth::default() };
        let segment_bytes = 200 + dice.roll(1_000);
        let orders_names = seed.is_multiple_of(2);
        let disk = Simulated::new(seed, orders_names);
        Self {
            seed,
            dice,
            disk,
            orders_names,
            level: Level::Fsync,
            segment_bytes,
            truth,
            written: 0,
        }
    }

    fn options(&self) -> Options {
        Options { level: self.level, simulated: Some(self.disk.clone()), ..hasty() }
    }

    /// Some runs of the process, each of which ends somehow.
    fn play(&mut self) {
        let mut end = End::Kill;
        for _ in 0..2 + self.dice.roll(4) {
            let fuse = (self.dice.roll(8) > 0).then(|| self.dice.roll(60));
            let lower = self.orders_names && self.dice.roll(2) == 0;
            self.level = if lower { Level::Os } else { Level::Fsync };
            // A machine can lose its power when no process writes.
            let next = if self.dice.roll(2) == 0 { End::PowerLoss } else { End::Kill };
            self.play_until(fuse, end, next);
            end = next;
        }
        self.run(end);
    }

    /// One run, which ends with the change after so many, if there are so many.
    fn play_until(&mut self, changes: Option<u64>, before: End, end: End) {
        self.disk.end_after(changes);
        if self.run(before) == Ended::Closed {
            self.truth.lasts = true;
        }
        self.disk.restart(end);
    }

    /// Opens the log, writes to it, and closes it, unless the disk ends before that. `end` is what
    /// was before.
    fn run(&mut self, end: End) -> Ended {
        let options = self.options();
        self.truth.is_in_doubt |= end == End::PowerLoss && !self.truth.lasts;
        let disk = Disk::new(Path::new("d"), &options);
        let Ok(found) = recover(&disk) else {
            assert!(self.disk.is_off(), "seed {}: it does not open", self.seed);
            return Ended::Off;
        };
        self.check(&found.records, &found.opened, end);
        let mut log = Log::new(disk, self.segment_bytes, found.state);
        for _ in 0..self.dice.roll(30) {
            if self.write(&mut log).is_err() {
                assert!(self.disk.is_off(), "seed {}: it does not write", self.seed);
                return Ended::Off;
            }
        }
        if self.dice.roll(3) == 0 {
            // Nothing happens any more, and then it ends.
            return Ended::Off;
        }
        match log.close() {
            Ok(()) => Ended::Closed,
            Err(_) => Ended::Off,
        }
    }

    /// Commits some records, forgets some, or does what else there is to do.
    fn write(&mut self, log: &mut Log) -> Result<(), StoreError> {
        let removed: Vec<u64> = self.some_to_remove();
        for sequence in &removed {
            self.truth.acked.remove(sequence);
        }
        log.forget(&removed);
        let record = |history: &mut Self| {
            history.written += 1;
            let padding = "x".repeat(usize::try_from(history.dice.roll(90)).unwrap());
            Bytes::from(format!("{} {padding}", history.written))
        };
        let records: Vec<Bytes> = (0..self.dice.roll(4)).map(|_| record(self)).collect();
        if records.is_empty() && !log.has_chores() {
            return Ok(());
        }
        self.truth.unanswered.clone_from(&records);
        self.truth.lasts &= self.level == Level::Fsync;
        let receipt = log.commit(&records)?;
        self.truth.unanswered.clear();
        let acked = (receipt.first..).zip(records);
        self.truth.ever.extend(acked.clone());
        self.truth.acked.extend(acked);
        Ok(())
    }

    fn some_to_remove(&mut self) -> Vec<u64> {
        let keep = self.dice.roll(20);
        let mut sequences: Vec<u64> = self.truth.acked.keys().copied().collect();
        let most = (sequences.len() as u64).saturating_sub(keep);
        // Mostly the oldest, as histories are trimmed.
        let skip = if self.dice.roll(4) == 0 { 1 + self.dice.roll(3) } else { 0 };
        sequences.drain(..usize::try_from(skip).unwrap().min(sequences.len()));
        sequences.truncate(usize::try_from(most).unwrap());
        sequences
    }

    /// Holds what was found against what was acked, and takes it for the truth from here on.
    fn check(&mut self, found: &BTreeMap<u64, Bytes>, opened: &Opened, end: End) {
        let (seed, level) = (self.seed, self.level);
        let context = format!("seed {seed}, {level:?}, {end:?}, {opened:?}");
        let Truth { acked, ever, unanswered, is_in_doubt, .. } = &self.truth;
        if !is_in_doubt {
            assert_eq!(opened.set_aside, None, "{context}");
            for (sequence, record) in acked {
                assert_eq!(found.get(sequence), Some(record), "{context}: {sequence} is lost");
            }
        }
        // What is there of the records is a beginning of them: nothing is missing in the middle.
        let end = found.keys().next_back().map_or(0, |last| last + 1);
        for (sequence, record) in acked.range(..end) {
            assert_eq!(found.get(sequence), Some(record), "{context}: {sequence} is a hole");
        }
        let is_new = |at: &(&u64, &Bytes)| !ever.contains(&(*at.0, at.1.clone()));
        let new = found.iter().filter(is_new);
        // A commit is there whole or not at all.
        let new: Vec<_> = new.map(|(_, record)| record.clone()).collect();
        assert!(new.is_empty() || new == *unanswered, "{context}: {new:?}, not {unanswered:?}");
        // What is found is taken for stored, so it has to be.
        self.truth.ever.extend(found.clone());
        self.truth.acked.clone_from(found);
        self.truth.unanswered.clear();
        (self.truth.lasts, self.truth.is_in_doubt) = (true, false);
    }
}

#[test]
fn what_was_acked_outlives_every_end_that_its_level_names() {
    let histories = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match histories("OPENLINE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..histories("OPENLINE_HISTORIES").unwrap_or(HISTORIES),
    };
    for seed in seeds {
        History::new(seed).play();
    }
}

#[test]
fn every_change_may_be_the_last_one() {
    for (seed, level) in (0..20).flat_map(|seed| [(seed, Level::Os), (seed, Level::Fsync)]) {
        for (changes, end) in (0..100).flat_map(|at| [(at, End::Kill), (at, End::PowerLoss)]) {
            let mut history = History { level, ..History::new(2 * seed) };
            history.play_until(Some(changes), End::Kill, end);
            // It writes on, and is killed without having closed.
            history.play_until(Some(20), end, End::Kill);
            history.run(End::Kill);
        }
    }
}
