//! Random use, held against a map.

use std::collections::BTreeMap;

use super::*;

/// Numbers that only look random, so that a failure can be had again.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Appends, removals, full disks, orderly ends and kills; after each start the store has what the
/// model has.
fn run(seed: u64) {
    let mut dice = Dice(seed);
    let mut dir = Dir::new();
    let mut model: BTreeMap<u64, String> = BTreeMap::new();
    for round in 0..12 {
        let options = Options {
            segment_bytes: 300 + dice.roll(2000),
            commit_records_max: 1 + usize::try_from(dice.roll(20)).unwrap(),
            level: if dice.roll(8) == 0 { Level::Fsync } else { Level::Os },
            probe_min: Duration::from_micros(100),
            probe_max: Duration::from_millis(1),
            ..hasty()
        };
        let faults = options.faults.clone();
        let bench = Bench::open(&dir.0, options);
        assert_eq!(bench.opened.set_aside, None, "seed {seed}, round {round}");
        let found: Vec<_> = bench.found.iter().map(|found| found.0).zip(bench.texts()).collect();
        let expected: Vec<_> = model.clone().into_iter().collect();
        assert_eq!(found, expected, "seed {seed}, round {round}");
        for step in 0..dice.roll(60) {
            if dice.roll(10) == 0 {
                faults.set_quota((dice.roll(2) == 0).then(|| dice.roll(3000)));
            }
            let records: Vec<_> = (0..dice.roll(30))
                .map(|n| format!("{round} {step} {n} {}", "x".repeat(dice.roll(80) as usize)))
                .collect();
            records.iter().for_each(|record| bench.append(record));
            for record in records {
                if let Ok(sequence) = bench.report() {
                    assert_eq!(model.insert(sequence, record), None, "seed {seed}");
                }
            }
            let keep = dice.roll(200) as usize;
            while model.len() > keep && dice.roll(20) > 0 {
                let place = dice.roll(1 + model.len() as u64 / 4) as usize;
                let sequence = *model.keys().nth(place).unwrap();
                model.remove(&sequence);
                bench.store.remove(vec![sequence]);
            }
        }
        // All removals have to be in the log before it is looked at.
        faults.set_quota(None);
        bench.until("well", |health| health.state == State::Ok);
        let last = bench.put("last").unwrap();
        model.insert(last, "last".into());
        if dice.roll(2) == 0 {
            bench.store.close().unwrap();
        } else {
            bench.until("removed", |health| health.records == model.len() as u64);
            faults.set_frozen(true);
            let copy = dir.copy();
            drop(bench);
            dir = copy;
        }
    }
}

#[test]
fn a_store_has_what_a_map_would_have() {
    for seed in 0..12 {
        run(seed);
    }
}
