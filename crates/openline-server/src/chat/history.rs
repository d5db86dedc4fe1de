//! What was said in a room, as pages are told.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use openline_protocol::{Data, Publication};
use serde::Deserialize;
use serde_json::{Value, json};

use super::parameters::{TEXT_BYTES_MAX, json_len};

/// Chat messages that a page is told of.
pub(super) const MESSAGES_MAX: u32 = 100;

/// Bytes of text that it is told, as JSON. A history holds them twice and is to stay below the 1 MiB
/// that many clients take as one message.
const BYTES_MAX: usize = TEXT_BYTES_MAX;

/// Something that was said, whoever said it: a page, a client of Socket.IO, or one of the channel.
#[derive(Debug, Deserialize)]
struct Said {
    text: String,
    username: Option<String>,
    from: Option<String>,
    timestamp: Option<u64>,
}

/// The newest messages among these publications, at most `limit`.
pub(super) fn messages(publications: &[Arc<Publication>], limit: usize) -> Value {
    let mut bytes = 0;
    let said = publications.iter().rev().filter_map(|publication| read(publication));
    let newest = said.take_while(|(said, _)| {
        bytes += json_len(&said.text);
        bytes <= BYTES_MAX
    });
    let mut messages: Vec<Value> = newest
        .take(limit)
        .map(|(Said { text, username, from, timestamp }, published_at)| {
            let username = username.or(from).unwrap_or_default();
            let timestamp = timestamp.unwrap_or(published_at);
            json!({ "username": username, "text": text, "timestamp": timestamp })
        })
        .collect();
    messages.reverse();
    json!({ "messages": messages })
}

fn read(publication: &Publication) -> Option<(Said, u64)> {
    if publication.event.as_deref() != Some("chat") {
        return None;
    }
    match &publication.data {
        Data::Json(text) => Some((serde_json::from_str(text).ok()?, publication.timestamp)),
        Data::Binary(_) => None,
    }
}

/// Milliseconds since 1970, as `Date.now()` has them.
pub(super) fn timestamp() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use openline_protocol::ChannelName;

    use super::*;

    fn publication(event: &str, data: Value) -> Arc<Publication> {
        Arc::new(Publication {
            channel: ChannelName::new("chat:x").unwrap(),
            event: Some(event.into()),
            data: Data::Json(data.to_string().into()),
            position: None,
            prev_tag: 0,
            timestamp: 9,
            from: None,
        })
    }

    #[test]
    fn what_was_said_is_told_whoever_said_it() {
        let told = messages(
            &[
                publication("chat", json!({ "text": "a", "username": "Ann", "timestamp": 5 })),
                publication("system", json!({ "text": "no" })),
                publication("chat", json!({ "text": "b", "from": "s1" })),
                publication("chat", json!("no text")),
            ],
            10,
        );
        let expected = json!({ "messages": [
            { "username": "Ann", "text": "a", "timestamp": 5 },
            { "username": "s1", "text": "b", "timestamp": 9 },
        ] });
        assert_eq!(told, expected);
    }

    #[test]
    fn the_newest_are_told_up_to_a_number_and_a_length() {
        let long = "a".repeat(BYTES_MAX / 2);
        let said: Vec<_> =
            (0..3).map(|n| publication("chat", json!({ "text": long, "timestamp": n }))).collect();
        let timestamps = |told: Value| {
            let told = told["messages"].as_array().unwrap().clone();
            told.iter().map(|message| message["timestamp"].as_u64().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(timestamps(messages(&said, 10)), [1, 2]);
        assert_eq!(timestamps(messages(&said, 1)), [2]);
        assert_eq!(timestamps(messages(&said, 0)), [0; 0]);
    }
}
