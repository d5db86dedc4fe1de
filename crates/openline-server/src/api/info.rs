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
    limits: Limits,
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
    let config = &node.exchange.config;
    let (channels, subscriptions) = node.exchange.occupancy();
    let health = node.exchange.broker().health();
    json(&Info {
        node: &node.name,
        version: env!("CARGO_PKG_VERSION"),
        uptime: u64::try_from(node.exchange.clock.uptime().as_millis()).unwrap_or(u64::MAX),
        sessions: node.exchange.shards().iter().map(|shard| shard.hub().len()).sum(),
        lines: node.guard.lines(),
        channels,
        subscriptions,
        retry_spread: node.guard.retry_spread_ms(),
        level: node.exchange.broker().level(),
        history: Kept {
            channels: health.channels,
            messages: health.entries,
            bytes: health.bytes,
            queued_bytes: health.queued_bytes,
            ailment: health.ailment.as_deref(),
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
    })
}
