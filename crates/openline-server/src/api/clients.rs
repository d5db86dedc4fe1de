//! `clients` and `client`: who is connected.

use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::sync::Arc;

use openline_engine::{Hub, SessionKey};
use openline_protocol::{ChannelName, ErrorCode, Fault, limits};
use serde::Serialize;
use serde_json::value::RawValue;

use super::everywhere::{Everywhere, everywhere, unknown};
use super::fields::Fields;
use super::{json, raw};
use crate::cluster::{Answer, Name, Question, Row};
use crate::exchange::Seat;
use crate::metrics::Transport;
use crate::node::Node;
use crate::shard::look;

/// Clients in one page.
pub(super) const CLIENTS_PAGE_MAX: usize = 1000;

/// Channels of one client in an answer.
const CHANNELS_MAX: usize = 1000;

/// The longest name of a client or a user; as long as claims may be.
const NAME_BYTES_MAX: usize = limits::CHANNEL_BYTES_MAX;

#[derive(Debug, Serialize)]
struct Clients<'a> {
    clients: Vec<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
}

/// A client, as in a list.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Client {
    client_id: Arc<str>,
    /// The name of its node, where there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<Box<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Arc<str>>,
    #[serde(serialize_with = "transport_name")]
    transport: Transport,
    address: IpAddr,
    connected_at: u64,
    subscriptions: usize,
    queued_bytes: usize,
}

/// A client by itself.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OneClient {
    #[serde(flatten)]
    client: Client,
    /// In milliseconds since 1970; of WebSocket lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_heard: Option<u64>,
    authenticated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<u64>,
    channels: Vec<String>,
}

/// Which clients are asked for.
pub(super) struct Wanted {
    pub(super) user: Option<String>,
    pub(super) channel: Option<ChannelName>,
    pub(super) after: Option<String>,
    /// The first so many by their names.
    pub(super) count: usize,
}

pub(super) async fn clients(node: &Node, fields: &Fields<'_>) -> Result<String, Fault> {
    let limit = fields.unsigned("limit", u32::MAX.into())?.map_or(CLIENTS_PAGE_MAX, |limit| {
        usize::try_from(limit).unwrap_or(usize::MAX).clamp(1, CLIENTS_PAGE_MAX)
    });
    let channel = fields.name("channel", NAME_BYTES_MAX)?;
    let question = Question::Clients {
        user: fields.name("user", NAME_BYTES_MAX)?,
        channel: channel.map(|name| super::fields::channel(&name)).transpose()?.map(Name),
        after: fields.name("after", NAME_BYTES_MAX)?,
        // One more than is shown tells whether there is a next page.
        count: u32::try_from(limit + 1).unwrap_or(u32::MAX),
    };
    let Everywhere { answers, missing } = everywhere(node, question).await?;
    let mut found = rows(answers);
    let is_more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().map(|row| row.key.clone()).filter(|_| is_more);
    let clients = found.into_iter().map(|row| raw(row.json)).collect();
    Ok(json(&Clients { clients, next: next.as_deref(), missing: &missing }))
}

/// Those of this node.
pub(super) async fn find(node: &Node, wanted: Wanted) -> Result<Vec<Row>, Fault> {
    let count = wanted.count.min(CLIENTS_PAGE_MAX + 1);
    let wanted = Wanted { count, ..wanted };
    let found = look(node.exchange.shards(), move |hub| wanted.find(hub)).await;
    let mut found: Vec<Client> = found.ok_or_else(no_answer)?.into_iter().flatten().collect();
    found.sort_unstable_by(|a, b| a.client_id.cmp(&b.client_id));
    found.truncate(count);
    let name = node_name(node);
    let row = |client: Client| {
        let key = client.client_id.to_string();
        Row { key, json: json(&Client { node: name.clone(), ..client }) }
    };
    Ok(found.into_iter().map(row).collect())
}

/// The client of this node that has an id.
pub(super) async fn find_one(node: &Node, client: &str) -> Result<Vec<Row>, Fault> {
    let (name, now) = (client.to_owned(), node.exchange.clock.now_ms());
    let read = move |hub: &Hub<Seat>| OneClient::read(hub, hub.client(&name)?, now);
    let found = look(node.exchange.shards(), read).await;
    let found = found.ok_or_else(no_answer)?.into_iter().flatten();
    let row = |mut found: OneClient| {
        found.client.node = node_name(node);
        Row { key: client.to_owned(), json: json(&found) }
    };
    Ok(found.map(row).take(1).collect())
}

/// What several nodes found, in one order.
fn rows(answers: Vec<Answer>) -> Vec<Row> {
    let of_node = |answer| match answer {
        Answer::Rows(rows) => rows,
        _ => Vec::new(),
    };
    let mut rows: Vec<Row> = answers.into_iter().flat_map(of_node).collect();
    rows.sort_unstable();
    rows.dedup_by(|a, b| a.key == b.key);
    rows
}

/// What a client is told with about its node: nothing where there is one.
fn node_name(node: &Node) -> Option<Box<str>> {
    node.cluster().map(|_| node.name.clone())
}

pub(super) async fn client(node: &Node, fields: &Fields<'_>) -> Result<String, Fault> {
    let name = fields.name("client", NAME_BYTES_MAX)?;
    let name = name.ok_or_else(|| super::bad("client needs `client`"))?;
    let Everywhere { answers, missing } =
        everywhere(node, Question::Client { client: name }).await?;
    let found = rows(answers).into_iter().next();
    Ok(found.ok_or_else(|| unknown("client of this id here", &missing))?.json)
}

impl Wanted {
    /// Those of a thread.
    fn find(&self, hub: &Hub<Seat>) -> Vec<Client> {
        // The greatest name is on top, and goes when there are too many.
        let mut first: BinaryHeap<(&Arc<str>, SessionKey)> = BinaryHeap::new();
        let mut offer = |key: SessionKey| {
            let Some(client) = hub.client_of(key).filter(|client| self.fits(hub, key, client))
            else {
                return;
            };
            first.push((client, key));
            if first.len() > self.count {
                first.pop();
            }
        };
        match &self.user {
            Some(user) => hub.user(user).iter().for_each(|key| offer(*key)),
            None => hub.lines().for_each(|(key, _)| offer(key)),
        }
        first.into_iter().filter_map(|(_, key)| Client::read(hub, key)).collect()
    }

    fn fits(&self, hub: &Hub<Seat>, key: SessionKey, client: &str) -> bool {
        self.after.as_deref().is_none_or(|after| client > after)
            && self.channel.as_ref().is_none_or(|channel| hub.is_subscribed(key, channel))
    }
}

impl Client {
    fn read(hub: &Hub<Seat>, key: SessionKey) -> Option<Self> {
        let seat = hub.line(key)?;
        Some(Self {
            client_id: hub.client_of(key)?.clone(),
            node: None,
            user: seat.identity.as_ref().and_then(|identity| identity.user.clone()),
            transport: seat.transport,
            address: seat.address,
            connected_at: seat.opened_ms,
            subscriptions: hub.subscription_count(key),
            queued_bytes: seat.line.queued_bytes(),
        })
    }
}

impl OneClient {
    fn read(hub: &Hub<Seat>, key: SessionKey, now: u64) -> Option<Self> {
        let seat = hub.line(key)?;
        let identity = seat.identity.as_ref();
        let quiet_ms = seat.line.quiet_for().map(|quiet| quiet.as_millis() as u64);
        let subscribed = hub.subscriptions(key);
        let expires_at = identity.and_then(|identity| identity.expires_at);
        Some(Self {
            client: Client::read(hub, key)?,
            last_heard: quiet_ms.map(|quiet_ms| now.saturating_sub(quiet_ms)),
            authenticated: identity.is_some(),
            expires_at: expires_at.map(|seconds| seconds.saturating_mul(1000)),
            channels: subscribed.take(CHANNELS_MAX).map(ToString::to_string).collect(),
        })
    }
}

fn no_answer() -> Fault {
    Fault::new(ErrorCode::Timeout, "a thread of the server has more to do than it can; try again")
}

fn transport_name<S: serde::Serializer>(
    transport: &Transport,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(transport.as_str())
}
