//! The exchanges in spec/vectors with this client, over lines in memory and under a paused clock. The
//! test plays the server. The client says what a vector sends by its typed API alone, and whoever waits
//! for an answer or an event has to get what the vector's server sends.
//!
//! What differs from a client that can be made to say anything:
//! - Ids are the client's own. `publish` always has one, so where the vector's has none the test answers
//!   it with `published`; `typing` never has one, so its answers are not sent. A `ping` is what
//!   [`Client::wake`](openline_client::Client::wake) says.
//! - The client makes a `key` for what it publishes and uploads where none was given.
//! - The client asks for the members of a channel page by page until there are no more, and leaves it to
//!   the server how long a page is: a `limit` is passed over.
//! - `typing` in a channel without a subscription cannot be said: it and its error are passed over.
//! - What the protocol takes for the same is the same here: `channel` and `channels` with one element,
//!   `data` that is null and none.
//! - The client cuts a file into chunks as long as the server allows: here that is as long as the next
//!   one in the vector. They always have an id, as `publish` has. The sum of a file is given when the
//!   upload is begun.
//! - Where a pattern leaves a field open that the protocol has, the test puts one in.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod instance;
mod line;
#[path = "../../../openline-server/tests/support/packed.rs"]
mod packed;
#[path = "../../../openline-server/tests/support/pattern.rs"]
mod pattern;
mod play;
mod said;
#[path = "../script/mod.rs"]
mod script;
mod told;
mod unsayable;
mod uploads;

use std::fs;
use std::path::{Path, PathBuf};

use openline_client::Format;
use serde_json::Value;

/// Those of which all can be said; if there are fewer, this says less of the client than it did.
const PLAYED_MIN: usize = 29;

/// A test for each of these files.
macro_rules! played {
    ($($name:ident),* $(,)?) => {
        const PLAYED: &[&str] = &[$(stringify!($name)),*];

        $(
            #[tokio::test(start_paused = true)]
            async fn $name() {
                in_both_formats(stringify!($name)).await;
            }
        )*
    };
}

played! {
    auth_expired,
    auth_failed,
    auth_success,
    history,
    history_on_subscribe,
    idempotency_conflict,
    idempotent_publish,
    messagepack,
    ping,
    presence,
    presence_pages,
    publish,
    publish_default_event,
    publish_in_order,
    publish_without_echo,
    publish_without_id,
    recovery,
    recovery_of_another_stream,
    recovery_of_nothing,
    reserved_event,
    set_presence,
    subscribe,
    transfer_cancelled,
    transfer_names,
    transfer_resumed,
    typing,
    unsubscribe,
    volatile,
    welcome,
}

async fn in_both_formats(test: &str) {
    let name = format!("{}.json", test.replace('_', "-"));
    let steps = steps(&folder().join(&name));
    play::play(&name, &steps, Format::Json).await;
    if !steps.iter().any(|step| step.get("subprotocol").is_some()) {
        play::play(&name, &steps, Format::MessagePack).await;
    }
}

#[test]
fn what_is_not_played_cannot_be_said() {
    assert!(PLAYED.len() >= PLAYED_MIN, "{} vectors are played", PLAYED.len());
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    let mut skipped = 0;
    for name in &names {
        let is_played = PLAYED.contains(&&*name.trim_end_matches(".json").replace('-', "_"));
        match unsayable::reason(&steps(&folder().join(name))) {
            Some(reason) => {
                println!("{name} is skipped: {reason}");
                assert!(!is_played, "{name} is played, and yet: {reason}");
                skipped += 1;
            }
            None => assert!(is_played, "{name} can be said: play it"),
        }
    }
    println!("{skipped} of {} vectors are skipped", names.len());
    assert_eq!(skipped + PLAYED.len(), names.len(), "a vector that is played is not there");
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors")
}

/// The steps of a vector, without what it says of itself.
fn steps(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    let mut all: Vec<Value> =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(all[0]["about"].is_string(), "{} says what it shows", path.display());
    all.remove(0);
    all
}
