//! What a backend is told.

use serde::Serialize;

use super::EventKind;

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(super) kind: EventKind,
    pub(super) channel: Option<String>,
    pub(super) client: Option<String>,
    pub(super) user: Option<String>,
    pub(super) reason: Option<String>,
}

impl Event {
    /// A channel has its first subscriber.
    pub(crate) fn channel_occupied(channel: impl Into<String>) -> Self {
        Self { channel: Some(channel.into()), ..Self::bare(EventKind::ChannelOccupied) }
    }

    /// A channel has lost its last subscriber.
    pub(crate) fn channel_vacated(channel: impl Into<String>) -> Self {
        Self { channel: Some(channel.into()), ..Self::bare(EventKind::ChannelVacated) }
    }

    /// A client was let in.
    pub(crate) fn client_connected(client: impl Into<String>, user: Option<&str>) -> Self {
        Self {
            client: Some(client.into()),
            user: user.map(str::to_owned),
            ..Self::bare(EventKind::ClientConnected)
        }
    }

    /// A client that was let in is no longer there. `reason` is for people and logs.
    pub(crate) fn client_gone(
        client: impl Into<String>,
        user: Option<&str>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            client: Some(client.into()),
            user: user.map(str::to_owned),
            reason: Some(reason.into()),
            ..Self::bare(EventKind::ClientGone)
        }
    }

    fn bare(kind: EventKind) -> Self {
        Self { kind, channel: None, client: None, user: None, reason: None }
    }
}

/// An event with its name and its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamped {
    pub(super) id: String,
    pub(super) unix_ms: u64,
    pub(super) event: Event,
}

/// The body of a post.
pub(super) fn encode_batch(id: &str, events: &[Stamped]) -> Vec<u8> {
    let batch = BatchBody { id, events: events.iter().map(EventBody::from).collect() };
    serde_json::to_vec(&batch).expect("strings and numbers have a JSON form")
}

#[derive(Serialize)]
struct BatchBody<'a> {
    id: &'a str,
    events: Vec<EventBody<'a>>,
}

#[derive(Serialize)]
struct EventBody<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> From<&'a Stamped> for EventBody<'a> {
    fn from(stamped: &'a Stamped) -> Self {
        let Stamped { id, unix_ms, event } = stamped;
        Self {
            id,
            kind: event.kind.as_str(),
            time: *unix_ms,
            channel: event.channel.as_deref(),
            client: event.client.as_deref(),
            user: event.user.as_deref(),
            reason: event.reason.as_deref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_carries_what_belongs_to_its_kind() {
        let stamp = |event| Stamped { id: "e".to_owned(), unix_ms: 5, event };
        let events = [
            stamp(Event::channel_occupied("news")),
            stamp(Event::client_gone("c1", Some("ann"), "1001")),
        ];
        assert_eq!(
            String::from_utf8(encode_batch("b", &events)).unwrap(),
            concat!(
                r#"{"id":"b","events":["#,
                r#"{"id":"e","type":"channel.occupied","time":5,"channel":"news"},"#,
                r#"{"id":"e","type":"client.gone","time":5,"client":"c1","user":"ann","#,
                r#""reason":"1001"}]}"#
            )
        );
    }
}
