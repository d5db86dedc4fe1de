//! `publish`, `batch`, `broadcast`.

use std::time::Duration;

use ::http::HeaderMap;
use bytestring::ByteString;
use openline_engine::{Draft, History};
use openline_protocol::{BUILT_IN_TYPES, ChannelName, Data, ErrorCode, Fault, limits};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

use super::fields::{Fields, channel};
use super::route::PUBLICATION;
use super::{bad, json};
use crate::broker::{Answer, Published};
use crate::exchange::history;
use crate::node::Node;

/// Publications of one request.
pub(super) const BATCH_MAX: usize = 100;

/// Channels that one broadcast may name.
pub(super) const BROADCAST_MAX: usize = 1000;

/// How long publications may take to become safe.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// RFC draft-ietf-httpapi-idempotency-key-header.
const KEY_HEADER: &str = "idempotency-key";

/// What clients publish that have no event.
const NO_EVENT: &str = "message";

/// A publication that has its place.
#[derive(Debug, Serialize)]
struct Accepted {
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<String>,
    timestamp: u64,
    duplicate: bool,
    level: &'static str,
}

/// What came of one of several.
#[derive(Debug, Serialize)]
struct Outcome {
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(flatten)]
    accepted: Option<Accepted>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refused>,
}

/// As the body of an HTTP error has it.
#[derive(Debug, Serialize)]
struct Refused {
    code: &'static str,
    message: String,
    docs: String,
}

#[derive(Debug, Serialize)]
struct Outcomes {
    results: Vec<Outcome>,
}

pub(super) async fn publish(
    node: &Node,
    fields: &Fields<'_>,
    headers: &HeaderMap,
) -> Result<String, Fault> {
    let draft = draft(node, fields, key_header(headers)?)?;
    let answer = node.exchange.publish(draft, None);
    let published = settled(node, answer, deadline()).await?;
    Ok(json(&accepted(node, &published)))
}

/// All are ordered before any is waited for: those of one channel stand in it in the order in which
/// they stand in the batch. One that is refused does not hold the others.
pub(super) async fn batch(
    node: &Node,
    fields: &Fields<'_>,
    headers: &HeaderMap,
) -> Result<String, Fault> {
    if key_header(headers)?.is_some() {
        return Err(bad(
            "in a batch each publication has a `key` of its own, and no header has it",
        ));
    }
    let publications = fields.list("publications", BATCH_MAX)?;
    let source = fields.source().ok_or_else(|| bad("batch needs a body"))?;
    let what = "each of `publications`";
    let begin = |text| {
        let fields = Fields::of_object(what, PUBLICATION, source, text)?;
        Ok(node.exchange.publish(draft(node, &fields, None)?, None))
    };
    let answers: Vec<_> =
        publications.into_iter().map(|publication| (None, begin(publication.get()))).collect();
    Ok(json(&outcomes(node, answers).await))
}

/// The same to many channels; they do not wait for each other.
pub(super) async fn broadcast(
    node: &Node,
    fields: &Fields<'_>,
    headers: &HeaderMap,
) -> Result<String, Fault> {
    let names = fields.list("channels", BROADCAST_MAX)?;
    let mut channels: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let name: String = serde_json::from_str(name.get())
            .map_err(|_| bad("`channels` must hold names of channels"))?;
        if channels.contains(&name) {
            return Err(bad(format!("`channels` has {name:?} twice")));
        }
        channels.push(name);
    }
    let message = message(node, fields, key_header(headers)?)?;
    let answers: Vec<_> = channels
        .into_iter()
        .map(|name| {
            let draft = channel(&name).and_then(|channel| message.draft(node, channel));
            (Some(name), draft.map(|draft| node.exchange.publish(draft, None)))
        })
        .collect();
    Ok(json(&outcomes(node, answers).await))
}

/// A publication without a place.
struct Message {
    event: Option<ByteString>,
    data: Data,
    key: Option<ByteString>,
    volatile: bool,
}

impl Message {
    fn draft(&self, node: &Node, channel: ChannelName) -> Result<Draft, Fault> {
        let kept = node.settings().namespace(&channel).map(history)?;
        let history = match self.volatile {
            true => History { size: 0, ttl_ms: 0 },
            false => kept,
        };
        Ok(Draft {
            channel,
            event: self.event.clone(),
            data: self.data.clone(),
            from: None,
            key: self.key.clone(),
            history,
        })
    }
}

fn draft(node: &Node, fields: &Fields<'_>, key: Option<String>) -> Result<Draft, Fault> {
    let channel = fields.channel()?;
    message(node, fields, key)?.draft(node, channel)
}

/// `key` is the one of the header.
fn message(node: &Node, fields: &Fields<'_>, key: Option<String>) -> Result<Message, Fault> {
    let event = fields.name("event", limits::EVENT_BYTES_MAX)?.filter(|event| event != NO_EVENT);
    if let Some(event) = event.as_deref().filter(|event| BUILT_IN_TYPES.contains(event)) {
        let message = format!("`event` must not be {event}, which is a built-in type");
        return Err(Fault::new(ErrorCode::ReservedEvent, message));
    }
    let data = fields.data()?;
    let most = node.settings().config.limits.message.bytes();
    if data.len() as u64 > most {
        let message = format!("`data` has {} bytes, {most} are allowed", data.len());
        return Err(Fault::new(ErrorCode::TooLarge, message));
    }
    let key = match (fields.name("key", limits::KEY_BYTES_MAX)?, key) {
        (Some(key), Some(other)) if key != other => {
            return Err(bad("`key` and the header Idempotency-Key differ; send one of them"));
        }
        (key, other) => key.or(other),
    };
    Ok(Message {
        event: event.map(ByteString::from),
        data,
        key: key.map(ByteString::from),
        volatile: fields.flag("volatile")?,
    })
}

/// The header is a structured string, `"…"`; many clients leave the quotes out.
fn key_header(headers: &HeaderMap) -> Result<Option<String>, Fault> {
    let mut values = headers.get_all(KEY_HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().map(str::trim);
    let key = text
        .map(|text| text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text));
    match key {
        Some(key)
            if (1..=limits::KEY_BYTES_MAX).contains(&key.len()) && values.next().is_none() =>
        {
            Ok(Some(key.to_owned()))
        }
        _ => {
            let most = limits::KEY_BYTES_MAX;
            Err(bad(format!("Idempotency-Key must be there once and have 1 to {most} characters")))
        }
    }
}

fn deadline() -> Instant {
    Instant::now() + ANSWER_TIMEOUT
}

/// Waits until the publication is as safe as the server promises.
async fn settled(
    node: &Node,
    answer: Answer<Published>,
    deadline: Instant,
) -> Result<Published, Fault> {
    let Ok(result) = timeout_at(deadline, answer).await else {
        let seconds = ANSWER_TIMEOUT.as_secs();
        let message = format!("not stored within {seconds} s; retry with the same key");
        return Err(Fault::new(ErrorCode::Timeout, message));
    };
    node.metrics.published(result.as_ref().map(|published| published.duplicate));
    result.map_err(|error| error.fault())
}

type Begun = (Option<String>, Result<Answer<Published>, Fault>);

async fn outcomes(node: &Node, begun: Vec<Begun>) -> Outcomes {
    let deadline = deadline();
    let mut results = Vec::with_capacity(begun.len());
    for (channel, answer) in begun {
        let result = match answer {
            Ok(answer) => settled(node, answer, deadline).await,
            Err(fault) => Err(fault),
        };
        results.push(match result {
            Ok(published) => {
                Outcome { channel, accepted: Some(accepted(node, &published)), error: None }
            }
            Err(fault) => Outcome { channel, accepted: None, error: Some(fault.into()) },
        });
    }
    Outcomes { results }
}

fn accepted(node: &Node, published: &Published) -> Accepted {
    Accepted {
        position: published.position.map(|position| position.to_string()),
        timestamp: published.timestamp,
        duplicate: published.duplicate,
        level: node.level(published.position),
    }
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        let code = fault.code.as_str();
        Self { code, message: fault.message, docs: format!("docs/errors.md#{code}") }
    }
}
