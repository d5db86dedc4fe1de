//! Random histories of several nodes with one store, on virtual time: clients on all of them, links
//! that break, nodes that die or stand still, a store that comes back without what it had. Each
//! history is held against a plain model of the delivery promise, and found again by its seed:
//! `OPENLINE_SEED=… cargo test -p openline-engine --test cluster`. For a long run,
//! `OPENLINE_HISTORIES=1000000`.

#![allow(missing_docs, reason = "this crate is a test")]

mod exchange;
mod faults;
mod network;
mod node;
mod plan;
#[path = "../promise/mod.rs"]
mod promise;
mod rest;
mod schedule;
mod store;
mod trace;
mod world;

use plan::Bug;
use promise::bug::LineBug;
use promise::seeds;
use world::play;

/// Histories of one run.
const HISTORIES: u64 = 2_000;

/// Histories within which an error that was put in is to be found.
const FOUND_WITHIN: u64 = 2_000;

#[test]
fn the_delivery_promise_holds_in_every_history() {
    let (seeds, mut steps) = (seeds(HISTORIES), 0);
    let many = seeds.end - seeds.start;
    let seconds = seconds_of(|| {
        for seed in seeds {
            match play(seed, None) {
                Ok(trace) => steps += trace.len() as u64,
                Err(found) => panic!("OPENLINE_SEED={seed}: {found}"),
            }
        }
    });
    let a_minute = 60.0 * many as f64 / seconds;
    println!("{many} histories of {} steps, {a_minute:.0} a minute", steps / many.max(1));
}

#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "it is only printed")]
fn seconds_of(work: impl FnOnce()) -> f64 {
    let began = std::time::Instant::now();
    work();
    began.elapsed().as_secs_f64()
}

#[test]
fn a_seed_gives_the_same_history_again() {
    for seed in 0..50 {
        let again = play(seed, None);
        assert!(play(seed, None) == again, "seed {seed}");
    }
}

#[test]
fn seeds_give_different_histories() {
    let traces: Vec<_> = (0..20).map(|seed| play(seed, None)).collect();
    for (place, trace) in traces.iter().enumerate() {
        assert!(!traces[..place].contains(trace), "seed {place}");
    }
}

fn is_found(bug: Bug) {
    let found = (0..FOUND_WITHIN).find_map(|seed| Some((seed, play(seed, Some(bug)).err()?)));
    let (seed, found) = found.unwrap_or_else(|| {
        panic!("{bug:?} is not found within {FOUND_WITHIN} histories");
    });
    println!("{bug:?} is found with seed {seed}: {}", found.lines().next().unwrap_or_default());
}

#[test]
fn a_line_that_goes_live_without_a_merge_is_found() {
    is_found(Bug::Line(LineBug::SkipMerge));
}

#[test]
fn an_ack_before_the_store_has_it_is_found() {
    is_found(Bug::AckBeforeWrite);
}

#[test]
fn an_offset_that_is_given_again_after_a_rollback_is_found() {
    is_found(Bug::ReuseOffset);
}

#[test]
fn a_lost_message_is_found() {
    is_found(Bug::Line(LineBug::DropOne));
}

#[test]
fn two_swapped_messages_are_found() {
    is_found(Bug::Line(LineBug::SwapTwo));
}

#[test]
fn a_message_that_comes_twice_is_found() {
    is_found(Bug::Line(LineBug::DeliverTwice));
}

#[test]
fn keys_that_the_store_forgets_are_found() {
    is_found(Bug::ForgetKeys);
}

#[test]
fn a_node_that_does_not_subscribe_again_is_found() {
    is_found(Bug::ForgetResubscribe);
}

#[test]
fn a_position_of_another_epoch_that_is_taken_for_one_of_this_is_found() {
    is_found(Bug::IgnoreEpoch);
}

#[test]
fn a_delivery_before_the_store_has_synced_is_found() {
    is_found(Bug::DeliverBeforeSync);
}
