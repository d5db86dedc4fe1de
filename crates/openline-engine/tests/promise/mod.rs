//! What the simulations share: clients that hold what they get against a model of the delivery
//! promise, and the threads that serve them.

#![allow(dead_code, reason = "each simulation uses a part")]

pub(crate) mod bug;
pub(crate) mod client;
pub(crate) mod crowd;
pub(crate) mod model;
pub(crate) mod random;
pub(crate) mod shard;

/// How long keys are remembered.
pub(crate) const WINDOW_MS: u64 = 5_000;

/// Histories of a run: those that the environment asks for, or so many.
pub(crate) fn seeds(many: u64) -> std::ops::Range<u64> {
    let number = |name: &str| -> Option<u64> {
        let text = std::env::var(name).ok()?;
        Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is to be a number")))
    };
    match number("OPENLINE_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("OPENLINE_HISTORIES").unwrap_or(many),
    }
}
