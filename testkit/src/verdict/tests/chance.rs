//! Histories by chance: right ones are clean, and one thing wrong is found.

use proptest::prelude::*;

use super::super::{Rule, judge};
use super::{Script, at};
use crate::history::{Event, From, Record};

/// A right history: publishes, and a reader that comes back now and then where it was.
fn history(lengths: &[usize]) -> Script {
    let mut script = Script::new();
    script.joins();
    let mut offset = 0;
    for &length in lengths {
        let first = offset + 1;
        for _ in 0..length {
            offset += 1;
            script.published(&format!("v{offset}"), offset);
        }
        script.asked(From::Own, Some(at(first - 1))).subscribed(at(offset), Some(true), None);
        for seen in first..=offset {
            script.seen(&format!("v{seen}"), at(seen));
        }
    }
    script.judged();
    script
}

fn places_of_messages(records: &[Record]) -> Vec<usize> {
    let seen = |(index, record): (usize, &Record)| {
        matches!(record.event, Event::Seen { .. }).then_some(index)
    };
    records.iter().enumerate().filter_map(seen).collect()
}

fn breaks(records: &[Record], rule: Rule) -> bool {
    judge(records).unwrap().broken.contains_key(&rule)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_right_history_is_clean(lengths in prop::collection::vec(0_usize..20, 1..10)) {
        let verdict = judge(&history(&lengths).records).unwrap();
        prop_assert!(verdict.is_clean(), "{:?}", verdict.findings);
    }

    #[test]
    fn a_message_that_is_missing_is_found(
        lengths in prop::collection::vec(1_usize..20, 1..10),
        which: prop::sample::Index,
    ) {
        let mut records = history(&lengths).records;
        let messages = places_of_messages(&records);
        let missing = which.index(messages.len());
        records.remove(messages[missing]);
        let rule = if missing + 1 == messages.len() { Rule::CatchUp } else { Rule::Gap };
        prop_assert!(breaks(&records, rule));
    }

    #[test]
    fn a_message_that_comes_twice_is_found(
        lengths in prop::collection::vec(1_usize..20, 1..10),
        which: prop::sample::Index,
    ) {
        let mut records = history(&lengths).records;
        let place = *which.get(&places_of_messages(&records));
        records.insert(place, records[place].clone());
        prop_assert!(breaks(&records, Rule::Duplicate));
    }

    #[test]
    fn two_messages_that_change_places_are_found(
        lengths in prop::collection::vec(2_usize..20, 1..10),
        which: prop::sample::Index,
    ) {
        let mut records = history(&lengths).records;
        let messages = places_of_messages(&records);
        let first = which.index(messages.len() - 1);
        records.swap(messages[first], messages[first + 1]);
        prop_assert!(breaks(&records, Rule::Order) || breaks(&records, Rule::Gap));
    }
}
