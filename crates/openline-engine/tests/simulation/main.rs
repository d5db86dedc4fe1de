//! Random histories of a node: shards, clients, a store, and what goes wrong with them. Each is held
//! against a plain model of the delivery promise, and found again by its seed:
//! `OPENLINE_SEED=… cargo test -p openline-engine --test simulation`. For a long run,
//! `OPENLINE_HISTORIES=1000000`.

#![allow(missing_docs, reason = "this crate is a test")]

mod owner;
mod plan;
#[path = "../promise/mod.rs"]
mod promise;
mod store;
mod world;

use plan::Bug;
use promise::bug::LineBug;
use promise::seeds;
use world::play;

/// Histories of one run.
const HISTORIES: u64 = 10_000;

/// Histories within which an error that was put in is to be found.
const FOUND_WITHIN: u64 = 2_000;

#[test]
fn the_delivery_promise_holds_in_every_history() {
    for seed in seeds(HISTORIES) {
        if let Err(found) = play(seed, None) {
            panic!("OPENLINE_SEED={seed}: {found}");
        }
    }
}

#[test]
fn a_seed_gives_the_same_history_again() {
    for seed in 0..50 {
        assert_eq!(play(seed, None), play(seed, None), "seed {seed}");
    }
}

#[test]
fn seeds_give_different_histories() {
    let traces: std::collections::BTreeSet<_> = (0..50).map(|seed| play(seed, None)).collect();
    assert!(traces.len() > 40, "{} of 50", traces.len());
}

fn is_found(bug: Bug) {
    let found = (0..FOUND_WITHIN).find_map(|seed| play(seed, Some(bug)).err());
    assert!(found.is_some(), "{bug:?} is not found within {FOUND_WITHIN} histories");
}

#[test]
fn recovery_without_the_chain_is_found() {
    is_found(Bug::SkipChain);
}

#[test]
fn a_lost_message_is_found() {
    is_found(Bug::Line(LineBug::DropOne));
}

#[test]
fn a_message_that_comes_twice_is_found() {
    is_found(Bug::Line(LineBug::DeliverTwice));
}

#[test]
fn two_swapped_messages_are_found() {
    is_found(Bug::Line(LineBug::SwapTwo));
}

#[test]
fn a_position_that_is_given_twice_is_found() {
    is_found(Bug::ReusePosition);
}

#[test]
fn forgotten_keys_are_found() {
    is_found(Bug::ForgetKeys);
}

#[test]
fn an_ack_before_the_store_has_it_is_found() {
    is_found(Bug::AckBeforeSettle);
}

#[test]
fn a_line_that_goes_live_without_what_it_missed_is_found() {
    is_found(Bug::Line(LineBug::SkipCatchUp));
}
