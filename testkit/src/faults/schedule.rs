//! [`schedule`]: what is broken when.

use std::time::Duration;

use super::kind::Place;
use super::{BrokerKind, Kind, Planned, Selection};
use crate::seed::Seed;

/// In each of these something breaks, or nothing does.
const PERIOD_MS: u64 = 10_000;
/// So many periods in a hundred are quiet.
const QUIET_PERCENT: u64 = 25;
/// In the others at most so many things break.
const FAULTS_MAX: u64 = 4;
/// How far into its period a fault begins at most.
const BEGIN_MS: u64 = 4000;
/// What is broken is whole again so long before the period ends.
const WHOLE_MS: u64 = 500;

/// What is broken when, in the order of `begin`; it follows from the arguments alone. Of one target
/// one thing is broken at a time, and at the end nothing is.
pub fn schedule(
    seed: u64,
    length: Duration,
    selection: &Selection,
    broker: BrokerKind,
    nodes: usize,
) -> Vec<Planned> {
    let mut seed = Seed::new(seed).part("faults");
    let kinds = kinds(selection, broker);
    let periods = u64::try_from(length.as_millis()).unwrap_or(u64::MAX) / PERIOD_MS;
    let mut plan = Vec::new();
    if kinds.is_empty() || nodes == 0 {
        return plan;
    }
    for period in 0..periods {
        if seed.percent(QUIET_PERCENT) {
            continue;
        }
        let mut broken: Vec<Planned> = Vec::new();
        for _ in 0..seed.between(1, FAULTS_MAX + 1) {
            let fault = one(&mut seed, &kinds, nodes, period * PERIOD_MS);
            if broken.iter().all(|other| !excludes(other, &fault)) {
                broken.push(fault);
            }
        }
        broken.sort_by_key(|fault| fault.begin);
        plan.append(&mut broken);
    }
    plan
}

/// The kinds of a selection that there are with this broker.
fn kinds(selection: &Selection, broker: BrokerKind) -> Vec<Kind> {
    let chosen = |kind: &Kind| match selection {
        Selection::All => true,
        Selection::None => false,
        Selection::Kinds(kinds) => kinds.contains(kind),
    };
    Kind::all().filter(|kind| kind.happens_with(broker) && chosen(kind)).collect()
}

fn one(seed: &mut Seed, kinds: &[Kind], nodes: usize, period_ms: u64) -> Planned {
    let kind = *seed.one(kinds);
    let node = seed.between(1, nodes as u64 + 1);
    let begin = seed.between(0, BEGIN_MS);
    let lengths = kind.lengths();
    let length = seed.between(lengths.start, lengths.end);
    let end = (begin + length).min(PERIOD_MS - WHOLE_MS);
    Planned {
        begin: Duration::from_millis(period_ms + begin),
        end: Duration::from_millis(period_ms + end),
        kind,
        target: kind.place().target(usize::try_from(node).unwrap_or(1)),
    }
}

/// Whether two things cannot be broken in the same period. A copy of the data has to be of a time in
/// which the process that writes it runs, so what happens to the process comes once.
fn excludes(one: &Planned, other: &Planned) -> bool {
    one.target == other.target
        // A node that is drained tells its clients so; without a way to them it waits in vain.
        || (one.kind.place() == Place::Network && drains(other.kind))
        || (drains(one.kind) && other.kind.place() == Place::Network)
}

fn drains(kind: Kind) -> bool {
    matches!(kind, Kind::Drain | Kind::Upgrade | Kind::UpgradeKill)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn plan(seed: u64, broker: BrokerKind) -> Vec<Planned> {
        schedule(seed, MINUTE, &Selection::All, broker, 3)
    }

    #[test]
    fn the_same_seed_breaks_the_same_things() {
        assert_eq!(plan(7, BrokerKind::Redis), plan(7, BrokerKind::Redis));
        assert_ne!(plan(7, BrokerKind::Redis), plan(8, BrokerKind::Redis));
    }

    #[test]
    fn everything_is_whole_before_the_end_and_breaks_once_at_a_time() {
        for seed in 0..200 {
            let plan = plan(seed, BrokerKind::Nats);
            for (index, fault) in plan.iter().enumerate() {
                assert!(fault.begin < fault.end && fault.end < MINUTE, "seed {seed}: {fault:?}");
                for other in &plan[index + 1..] {
                    assert!(fault.begin <= other.begin, "seed {seed}: {other:?}");
                    let apart = fault.target != other.target || fault.end < other.begin;
                    assert!(apart, "seed {seed}: {fault:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn every_kind_happens_where_it_can_and_nowhere_else() {
        for broker in [BrokerKind::Embedded, BrokerKind::Redis, BrokerKind::Nats] {
            let all: Vec<_> = (0..300).flat_map(|seed| plan(seed, broker)).collect();
            for kind in Kind::all() {
                let happens = all.iter().any(|fault| fault.kind == kind);
                assert_eq!(happens, kind.happens_with(broker), "{kind} with {broker}");
            }
        }
    }

    #[test]
    fn about_a_quarter_of_the_periods_is_quiet() {
        let quiet = (0..500).filter(|seed| {
            let period = Duration::from_secs(10);
            schedule(*seed, period, &Selection::All, BrokerKind::Redis, 3).is_empty()
        });
        let quiet = quiet.count();
        assert!((90..160).contains(&quiet), "{quiet} of 500");
    }

    #[test]
    fn nothing_breaks_where_nothing_is_chosen() {
        assert_eq!(schedule(1, MINUTE, &Selection::None, BrokerKind::Redis, 3), []);
        let cuts = Selection::Kinds(vec![Kind::Cut, Kind::BrokerKill]);
        let plan = schedule(1, MINUTE, &cuts, BrokerKind::Embedded, 1);
        assert!(!plan.is_empty() && plan.iter().all(|fault| fault.kind == Kind::Cut));
    }
}
