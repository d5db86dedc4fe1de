//! Each rule broken by a history, and kept by one that is nearly the same.

use super::super::{Part, Rule, judge};
use super::{Script, at, other};
use crate::history::{Event, From, Place};

#[test]
fn a_history_that_keeps_the_promise_is_clean() {
    let mut script = Script::new();
    script.joins().published("a", 1).seen("a", at(1)).published("b", 2).seen("b", at(2));
    script.asked(From::Own, Some(at(2))).published("d", 3).subscribed(at(3), Some(true), None);
    script.seen("d", at(3)).is_clean();
}

#[test]
fn function_one_position_is_one_message() {
    let mut script = Script::new();
    script.joins().published("a", 1).invoke("b", "b").seen("b", at(1));
    script.breaks(&[Rule::Function]);
}

#[test]
fn function_two_tags_are_two_positions_where_the_store_may_forget() {
    let mut script = Script::new();
    script
        .joins()
        .fault_begins(true)
        .published("a", 1)
        .seen("a", at(1))
        .forgets(at(1))
        .fault_ends();
    script.invoke("b", "b").ok("b", other(1)).stores("b", other(1));
    script.unrecovered("fork", at(0)).seen("b", other(1)).is_clean();
}

#[test]
fn order_a_message_behind_a_later_one_is_found() {
    let mut script = Script::new();
    script.joins().published("a", 1).published("b", 2);
    script.unrecovered("limit", at(1)).seen("b", at(2)).seen("a", at(1)).seen("b", at(2));
    script.breaks(&[Rule::Order, Rule::Needless]);
}

#[test]
fn duplicate_a_message_that_comes_twice_is_found() {
    let mut script = Script::new();
    script.joins().published("a", 1).seen("a", at(1)).seen("a", at(1));
    script.breaks(&[Rule::Duplicate]);
}

#[test]
fn duplicate_going_back_on_purpose_is_none() {
    let mut script = Script::new();
    script.joins().published("a", 1).seen("a", at(1)).asked(From::Older, Some(at(0)));
    script.subscribed(at(1), Some(true), None).seen("a", at(1)).is_clean();
}

#[test]
fn gap_a_missing_message_is_found_and_its_part_named() {
    let mut script = Script::new();
    script.joins().published("a", 1).published("b", 2).published("d", 3);
    script.seen("a", at(1)).seen("d", at(3));
    let verdict = script.breaks(&[Rule::Gap]);
    assert_eq!(verdict.findings[0].part, Some(Part::Middle));

    let mut script = Script::new();
    script.joins().published("a", 1).published("b", 2).seen("b", at(2));
    let verdict = script.breaks(&[Rule::Gap]);
    assert_eq!(verdict.findings[0].part, Some(Part::Prefix));
}

#[test]
fn gap_a_signal_excuses_what_is_missing() {
    let mut script = Script::new();
    script.joins().fault_begins(false).fault_ends().published("a", 1).published("b", 2);
    script.unrecovered("storage", at(1)).seen("b", at(2)).is_clean();
}

#[test]
fn gap_the_first_message_of_a_client_that_does_not_say_where_it_begins() {
    let begin = |script: &mut Script| {
        let (reader, channel) = ("s".into(), "c".into());
        let (place, recovered, reason) = (None, None, None);
        script.asked(From::Now, None);
        script.then(Event::Subscribed { reader, channel, place, recovered, reason });
    };
    let mut script = Script::new();
    begin(&mut script);
    script.published("a", 1).published("b", 2).seen("b", at(2)).breaks(&[Rule::Gap]);
    let mut script = Script::new();
    script.published("a", 1);
    begin(&mut script);
    script.published("b", 2).seen("b", at(2)).is_clean();
}

#[test]
fn gap_only_what_was_acknowledged_counts_where_offsets_have_gaps() {
    let sparse = |missing: bool| {
        let mut script = Script::new();
        if let Event::Run(run) = &mut script.records[0].event {
            run.contiguous = false;
        }
        script.joins().published("a", 10).seen("a", at(10));
        if missing {
            script.published("b", 20);
        }
        script.published("d", 30).seen("d", at(30));
        script
    };
    sparse(false).is_clean();
    sparse(true).breaks(&[Rule::Gap]);
}

#[test]
fn gap_another_epoch_needs_a_word() {
    let next = Place { epoch: 8, ..at(1) };
    let mut script = Script::new();
    script
        .joins()
        .fault_begins(true)
        .published("a", 1)
        .seen("a", at(1))
        .forgets(at(1))
        .fault_ends();
    script.invoke("b", "b").ok("b", next).stores("b", next).seen("b", next);
    script.breaks(&[Rule::Gap]);
}

#[test]
fn gap_a_fork_that_is_passed_over_is_found() {
    let forked = |is_told: bool| {
        let mut script = Script::new();
        script.joins().published("a", 1).seen("a", at(1)).fault_begins(true);
        script.published("b", 2).seen("b", at(2)).forgets(at(2)).fault_ends();
        script.invoke("x", "x").ok("x", other(2)).stores("x", other(2));
        script.invoke("y", "y").ok("y", at(3)).stores("y", at(3));
        if is_told {
            script.unrecovered("fork", other(2));
        }
        script.seen("y", at(3));
        script
    };
    forked(true).is_clean();
    forked(false).breaks(&[Rule::Gap]);
}

#[test]
fn ghost_what_was_refused_or_never_published_is_found() {
    let mut script = Script::new();
    script.joins().invoke("a", "a").fail("a").stores("a", at(1)).seen("a", at(1));
    script.breaks(&[Rule::Ghost]);
    let mut script = Script::new();
    script.joins().stores("a", at(1)).seen("a", at(1)).breaks(&[Rule::Ghost]);
}

#[test]
fn ghost_what_is_not_known_to_have_failed_may_be_seen() {
    let mut script = Script::new();
    script.joins().invoke("a", "a").stores("a", at(1)).seen("a", at(1)).is_clean();
    // Refused once, but it was sent again.
    let mut script = Script::new();
    script.joins().invoke("a", "a").fail("a").published("a", 1).seen("a", at(1)).is_clean();
}

#[test]
fn key_a_retry_that_is_published_again_is_found() {
    let mut script = Script::new();
    script.joins().published("a", 1).published("a", 2).seen("a", at(1)).seen("a", at(2));
    script.breaks(&[Rule::Key]);
}

#[test]
fn key_another_message_under_the_same_key_is_found() {
    let mut script = Script::new();
    script.joins().published("a", 1).invoke("b", "a").ok("b", at(2)).stores("b", at(2));
    script.seen("a", at(1)).seen("b", at(2)).breaks(&[Rule::Key]);
}

#[test]
fn key_a_retry_that_is_answered_as_the_first_time_is_none() {
    let mut script = Script::new();
    script.joins().published("a", 1).invoke("a", "a").ok("a", at(1)).seen("a", at(1)).is_clean();
}

#[test]
fn real_time_what_was_acknowledged_first_stands_first() {
    let mut script = Script::new();
    script.joins().published("a", 2).published("b", 1).seen("b", at(1)).seen("a", at(2));
    script.breaks(&[Rule::RealTime]);
}

#[test]
fn real_time_what_overlaps_may_stand_either_way() {
    let mut script = Script::new();
    script.joins().invoke("a", "a").invoke("b", "b").ok("a", at(2)).ok("b", at(1));
    script.stores("a", at(2)).stores("b", at(1)).seen("b", at(1)).seen("a", at(2)).is_clean();
}

#[test]
fn durable_what_was_seen_and_is_gone_is_found() {
    let mut script = Script::new();
    script.joins().published("a", 1).invoke("b", "b").seen("a", at(1)).fault_begins(false);
    script.seen("b", at(2)).fault_ends().unrecovered("storage", at(1));
    script.breaks(&[Rule::Durable]);
}

#[test]
fn durable_what_is_gone_where_the_store_may_forget_is_not() {
    let mut script = Script::new();
    script.joins().published("a", 1).invoke("b", "b").seen("a", at(1)).fault_begins(true);
    script.seen("b", at(2)).fault_ends().unrecovered("fork", at(1)).is_clean();
}

#[test]
fn recovery_from_a_forged_position_is_found() {
    let mut script = Script::new();
    script.joins().published("a", 1).seen("a", at(1)).asked(From::Forged, Some(other(1)));
    script.subscribed(at(1), Some(true), None).breaks(&[Rule::Recovery, Rule::CatchUp]);
}

#[test]
fn recovery_that_is_refused_is_right() {
    let mut script = Script::new();
    script.joins().published("a", 1).seen("a", at(1)).asked(From::Forged, Some(other(1)));
    script.subscribed(at(1), Some(false), Some("fork")).is_clean();
}

#[test]
fn recovery_of_a_client_that_tells_of_gaps_alone() {
    let forged = |is_told: bool| {
        let mut script = Script::new();
        script.joins().published("a", 1).seen("a", at(1)).asked(From::Forged, Some(other(1)));
        let (reader, channel, place) = ("s".into(), "c".into(), None);
        let (recovered, reason) = (None, None);
        script.then(Event::Subscribed { reader, channel, place, recovered, reason });
        if is_told {
            script.unrecovered("fork", at(1));
        }
        script.published("b", 2).seen("b", at(2));
        script
    };
    forged(true).is_clean();
    forged(false).breaks(&[Rule::Recovery]);
}

#[test]
fn needless_a_signal_without_a_fault_is_found() {
    let mut script = Script::new();
    script.joins().published("a", 1).unrecovered("limit", at(1)).breaks(&[Rule::Needless]);
}

#[test]
fn needless_a_fork_takes_a_fault_that_makes_the_store_forget() {
    let forked = |forgets: bool| {
        let mut script = Script::new();
        script.joins().published("a", 1).seen("a", at(1)).fault_begins(forgets).fault_ends();
        script.unrecovered("fork", at(1));
        script
    };
    forked(true).is_clean();
    forked(false).breaks(&[Rule::Needless]);
}

#[test]
fn needless_trimmed_takes_more_than_the_channel_keeps() {
    let trimmed = |head: u64| {
        let mut script = Script::new();
        script.joins();
        for offset in 1..=head {
            script.published(&format!("v{offset}"), offset);
        }
        script.asked(From::Own, Some(at(0))).subscribed(at(head), Some(false), Some("trimmed"));
        script
    };
    trimmed(1_001).is_clean();
    trimmed(1_000).breaks(&[Rule::Needless]);
}

#[test]
fn catch_up_who_stays_behind_is_found() {
    let mut script = Script::new();
    script.joins().published("a", 1).published("b", 2).seen("a", at(1));
    let verdict = script.breaks(&[Rule::CatchUp]);
    assert_eq!(verdict.findings[0].part, Some(Part::Postfix));
    let mut script = Script::new();
    script.published("a", 1).asked(From::Now, None).breaks(&[Rule::CatchUp]);
}

#[test]
fn catch_up_takes_30_seconds_at_most() {
    for (seconds, is_late) in [(29, false), (31, true)] {
        let mut script = Script::new();
        script.joins().published("a", 1).judged();
        let end = script.records.len() - 1;
        let mut seen = Script::new();
        seen.seen("a", at(1));
        let mut seen = seen.records.remove(1);
        seen.at = script.records[end].at + seconds * 1_000_000;
        script.records[end].at = seen.at;
        script.records.insert(end, seen);
        let verdict = judge(&script.records).unwrap();
        assert_eq!(verdict.broken.contains_key(&Rule::CatchUp), is_late, "{:?}", verdict.findings);
    }
}

#[test]
fn kept_an_acknowledged_message_that_is_gone_is_found() {
    let mut script = Script::new();
    script.joins().published("a", 1).invoke("b", "b").ok("b", at(2));
    script.seen("a", at(1)).breaks(&[Rule::Kept]);
}

#[test]
fn kept_what_the_channel_keeps_no_longer_is_not_missed() {
    let mut script = Script::new();
    script.joins();
    for offset in 1..=1_001 {
        let value = format!("v{offset}");
        script.published(&value, offset).seen(&value, at(offset));
    }
    script.forgets(at(1)).is_clean();
}

#[test]
fn kept_what_was_acknowledged_before_the_store_was_copied_is_there_after_it_was_put_back() {
    let forgotten = |offset: u64| {
        let mut script = Script::new();
        script.joins().published("a", 1).fault_begins(true).published("b", 2).fault_ends();
        script.forgets(at(offset));
        script.unrecovered("fork", at(3 - offset));
        script
    };
    forgotten(2).is_clean();
    forgotten(1).breaks(&[Rule::Kept]);
}

#[test]
fn alive_a_node_that_ends_by_itself_is_found() {
    let mut script = Script::new();
    script.joins().then(Event::Broke { what_broke: "node-1 ended".into() });
    script.breaks(&[Rule::Alive]);
}

#[test]
fn a_history_without_an_end_is_not_judged() {
    let mut script = Script::new();
    assert!(judge(&script.records).is_err());
    script.joins();
    assert!(judge(&script.records[1..]).is_err());
}
