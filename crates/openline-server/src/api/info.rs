//! `info`.

use openline_protocol::limits;
use serde::Serialize;

use super::{body_bytes_max, json};
use crate::exchange::PAGE;
use crate::node::Node;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    node: &'a str,
    version: &'static str,
    /// Milliseconds.
    uptime: u64,
    sessions: usize,
    /// Places that are taken, by sessions and by requests.
    lines: u32,
    channels: u64,
    subscriptions: u64,
    retry_spread: u64,
    level: &'static str,
    history: Kept<'a>,
    overload: Overload,
    limits: Limits,
    nodes: Vec<NodeInfo>,
}

/// One of the nodes that share the broker.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct NodeInfo {
    id: String,
    name: String,
    version: String,
    /// Milliseconds.
    uptime: u64,
    clients: u64,
    channels: u64,
    /// In milliseconds since 1970; of other nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_heard: Option<u64>,
}

/// What is kept of all channels.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'a> {
    channels: usize,
    messages: usize,
    bytes: usize,
    /// What waits to be stored.
    queued_bytes: u64,
    /// Why nothing is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    ailment: Option<&'a str>,
}

/// What is given up for want of memory.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Overload {
    level: u8,
    memory_bytes: u64,
    memory_bytes_max: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Limits {
    message_bytes: u64,
    body_bytes: usize,
    publications: usize,
    broadcast_channels: usize,
    subscriptions: u32,
    history_page: usize,
    presence_page: u32,
    channels_page: usize,
    clients_page: usize,
    /// Where there is such a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    connections: Option<u32>,
    event_bytes: usize,
    key_bytes: usize,
}

pub(super) fn info(node: &Node) -> String {
    let config = &node.settings().config;
    let (channels, subscriptions) = node.exchange.occupancy();
    let (memory_bytes, memory_bytes_max) = node.exchange.overload.memory();
    let health = node.exchange.broker().health();
    json(&Info {
        node: &node.name,
        version: env!("CARGO_PKG_VERSION"),
        uptime: u64::try_from(node.exchange.clock.uptime().as_millis()).unwrap_or(u64::MAX),
        sessions: node.exchange.shards().iter().map(|shard| shard.hub().len()).sum(),
        lines: node.settings().guard.lines(),
        channels,
        subscriptions,
        retry_spread: node.settings().guard.retry_spread_ms(),
        level: node.exchange.broker().level(),
        history: Kept {
            channels: health.channels,
            messages: health.entries,
            bytes: health.bytes,
            queued_bytes: health.queued_bytes,
            ailment: health.ailment.as_deref(),
        },
        overload: Overload {
            level: node.exchange.overload.level() as u8,
            memory_bytes,
            memory_bytes_max,
        },
        limits: Limits {
            message_bytes: config.limits.message.bytes(),
            body_bytes: body_bytes_max(node),
            publications: super::publish::BATCH_MAX,
            broadcast_channels: super::publish::BROADCAST_MAX,
            subscriptions: config.limits.subscriptions,
            history_page: PAGE.publications_max,
            presence_page: config.limits.presence_page,
            channels_page: super::read::CHANNELS_PAGE_MAX,
            clients_page: super::clients::CLIENTS_PAGE_MAX,
            connections: config.limits.connections.map(|most| most.get()),
            event_bytes: limits::EVENT_BYTES_MAX,
            key_bytes: limits::KEY_BYTES_MAX,
        },
        nodes: nodes(node),
    })
}

/// This node and those that it hears.
fn nodes(node: &Node) -> Vec<NodeInfo> {
    let exchange = &node.exchange;
    let uptime = u64::try_from(exchange.clock.uptime().as_millis()).unwrap_or(u64::MAX);
    let this = NodeInfo {
        id: node.id.to_string(),
        name: node.name.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime,
        clients: exchange.shards().iter().map(|shard| shard.hub().len() as u64).sum(),
        channels: exchange.occupancy().0,
        last_heard: None,
    };
    let others = node.cluster().map(|cluster| cluster.others()).unwrap_or_default();
    let others = others.into_iter().map(|other| NodeInfo {
        id: other.node.to_string(),
        name: other.about.name,
        version: other.about.version,
        uptime: exchange.clock.now_ms().saturating_sub(other.about.started),
        clients: other.about.clients,
        channels: other.about.channels,
        last_heard: Some(other.heard_ms),
    });
    std::iter::once(this).chain(others).collect()
}
