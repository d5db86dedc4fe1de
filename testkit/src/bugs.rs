//! Whether the checker finds bugs that were put in on purpose: a server that was built with the
//! feature `seeded-bugs` has one if its environment names it.

use std::collections::BTreeMap;
use std::fs;

use crate::faults::BrokerKind;
use crate::history;
use crate::run::{RunOptions, run};
use crate::verdict::{self, Rule};

/// What names the bug to the server.
const VARIABLE: &str = "OPENLINE_SEEDED_BUG";

/// A bug, and what brings it to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bug {
    /// What the server knows it by.
    pub name: &'static str,
    /// What provokes it with the embedded broker, and with one that nodes share; none where there is
    /// no such bug.
    embedded: Option<&'static str>,
    shared: Option<&'static str>,
    /// The rules it breaks. One of them has to be found broken.
    pub rules: &'static [Rule],
}

/// All of them.
pub const BUGS: &[Bug] = &[
    Bug { name: "skip-merge", embedded: Some("cut"), shared: Some("cut"), rules: &[Rule::Gap] },
    Bug {
        name: "early-ack",
        embedded: Some("kill"),
        shared: Some("broker-kill,broker-pause"),
        rules: &[Rule::Kept, Rule::Durable, Rule::RealTime],
    },
    Bug {
        name: "reuse-offset",
        embedded: Some("rollback"),
        shared: Some("broker-rollback"),
        rules: &[Rule::Function],
    },
    Bug { name: "drop", embedded: Some("none"), shared: Some("none"), rules: &[Rule::Gap] },
    Bug { name: "swap", embedded: Some("cut"), shared: Some("cut"), rules: &[Rule::Order] },
    Bug { name: "twice", embedded: Some("none"), shared: Some("none"), rules: &[Rule::Duplicate] },
    Bug { name: "forget-keys", embedded: Some("kill"), shared: Some("kill"), rules: &[Rule::Key] },
    Bug {
        name: "forget-resubscribe",
        // There is nothing to subscribe to again.
        embedded: None,
        shared: Some("link-cut,broker-restart"),
        rules: &[Rule::CatchUp, Rule::Gap],
    },
    Bug {
        name: "ignore-chain",
        embedded: Some("rollback"),
        shared: Some("broker-rollback"),
        rules: &[Rule::Recovery, Rule::Order],
    },
    Bug {
        name: "early-delivery",
        embedded: Some("kill"),
        // A node has nothing to hand on before the broker that nodes share gave it a place.
        shared: None,
        rules: &[Rule::Durable, Rule::Needless],
    },
];

impl Bug {
    /// What is broken to provoke it; none where this broker cannot have it.
    pub fn faults(&self, broker: BrokerKind) -> Option<&'static str> {
        if broker == BrokerKind::Embedded { self.embedded } else { self.shared }
    }
}

/// Looks for each bug, and for none where there is none, telling of each run by `tell`. `options` say
/// what the runs have in common; each bug has at most so many seeds, counted from theirs.
///
/// Returns whether every bug was found, and nothing else. A run that could not be made finds nothing,
/// and does not show that there is nothing.
pub async fn search(options: &RunOptions, seeds: u64, mut tell: impl FnMut(&str)) -> bool {
    let mut sound = true;
    let mut lists: Vec<_> = BUGS.iter().filter_map(|bug| bug.faults(options.broker)).collect();
    lists.sort_unstable();
    lists.dedup();
    for faults in lists {
        let broken = once(options, None, faults, options.seed).await;
        sound &= broken.as_ref().is_ok_and(BTreeMap::is_empty);
        tell(&format!("no bug, faults {faults}: {}", words(&broken)));
    }
    for bug in BUGS {
        let Some(faults) = bug.faults(options.broker) else {
            tell(&format!("{}: not run, for there is no such bug with this broker", bug.name));
            continue;
        };
        let mut found = false;
        for seed in (options.seed..).take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
            let broken = once(options, Some(bug), faults, seed).await;
            let breaks = |rule| broken.as_ref().is_ok_and(|broken| broken.contains_key(rule));
            found = bug.rules.iter().any(breaks);
            let said = if found { "found" } else { "not found" };
            let name = bug.name;
            tell(&format!("{name}, faults {faults}, seed {seed}: {said}; {}", words(&broken)));
            if found {
                break;
            }
        }
        sound &= found;
    }
    sound
}

/// A run; returns which rules it broke, and how often.
async fn once(
    options: &RunOptions,
    bug: Option<&Bug>,
    faults: &str,
    seed: u64,
) -> Result<BTreeMap<Rule, usize>, String> {
    let name = bug.map_or_else(|| format!("no-bug-{faults}"), |bug| bug.name.to_owned());
    let out = options.out.join(format!("{name}-{seed}"));
    if out.exists() {
        // What an earlier search left would be in the way of the nodes.
        fs::remove_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    }
    let named = bug.map(|bug| (VARIABLE.to_owned(), bug.name.to_owned()));
    let options = RunOptions {
        seed,
        faults: faults.parse()?,
        faults_text: faults.to_owned(),
        out,
        env: named.into_iter().collect(),
        ..options.clone()
    };
    let path = run(&options).await.map_err(|why| format!("{name}, seed {seed}: {why}"))?;
    let records = history::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(verdict::judge(&records)?.broken)
}

fn words(broken: &Result<BTreeMap<Rule, usize>, String>) -> String {
    match broken {
        Err(why) => format!("the run could not be made: {why}"),
        Ok(broken) if broken.is_empty() => "clean".to_owned(),
        Ok(broken) => {
            let rules = broken.iter().map(|(rule, count)| format!("{rule} {count}"));
            format!("broken: {}", rules.collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::faults::Selection;

    #[test]
    fn every_bug_of_the_server_is_looked_for_by_its_name() {
        let server = include_str!("../../crates/openline-server/src/broker/seeded/mod.rs");
        let table = server.split("const NAMES").nth(1).unwrap().split("];").next().unwrap();
        let names: Vec<_> = table.split('"').skip(1).step_by(2).collect();
        assert_eq!(names.len(), 10);
        let mut looked_for: Vec<_> = BUGS.iter().map(|bug| bug.name).collect();
        looked_for.sort_unstable();
        let mut known = names.clone();
        known.sort_unstable();
        assert_eq!(looked_for, known);
    }

    #[test]
    fn what_provokes_a_bug_can_happen_with_the_broker() {
        for broker in [BrokerKind::Embedded, BrokerKind::Redis, BrokerKind::Nats] {
            for faults in BUGS.iter().filter_map(|bug| bug.faults(broker)) {
                if let Selection::Kinds(kinds) = faults.parse().unwrap() {
                    assert!(kinds.iter().all(|kind| kind.happens_with(broker)), "{faults}");
                }
            }
        }
    }
}
