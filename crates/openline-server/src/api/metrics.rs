//! `/metrics`: what Prometheus reads.

use ::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Response};
use axum::body::Body;

use super::key;
use crate::metrics::{self, Gauges, Process};
use crate::node::Node;
use crate::store;

/// Answers a GET.
pub(crate) fn metrics(node: &Node, headers: &HeaderMap) -> Response<Body> {
    if node.settings().config.metrics.require_key
        && let Err(rejection) = key::check(node, headers)
    {
        return rejection.response().map(Body::from);
    }
    let mut response = Response::new(Body::from(node.metrics.encode(&gauges(node))));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn gauges(node: &Node) -> Gauges {
    let exchange = &node.exchange;
    let settings = node.settings();
    let config = &settings.config;
    let (channels, subscriptions) = exchange.occupancy();
    let store = exchange.broker().store();
    let waiting: usize = exchange.shards().iter().map(|shard| shard.inbox.waiting()).sum();
    let (overload_used_bytes, overload_bytes_max) = exchange.overload.memory();
    Gauges {
        overload_level: exchange.overload.level() as u8,
        overload_used_bytes,
        overload_bytes_max,
        version: env!("CARGO_PKG_VERSION"),
        lines: node.settings().guard.lines().into(),
        lines_max: config.limits.connections.map(|most| most.get().into()),
        draining: !node.lifecycle.is_serving(),
        config_reload_failed: node.reloads.has_failed(),
        subscriptions,
        channels,
        shard_messages_waiting: waiting as u64,
        broker: exchange.broker().health(),
        history_bytes_max: Some(config.history.memory_max.bytes()),
        store_queue_bytes_max: store
            .is_some()
            .then(|| u64::try_from(store::Options::default().queue_bytes_max).unwrap_or(u64::MAX)),
        store,
        webhooks: node.settings().webhooks.as_ref().map(|webhooks| webhooks.counters()),
        cluster: node.cluster().map(|cluster| cluster.talk()),
        uploads: node.uploads.counters(),
        tls_expiry: node.tls.as_ref().and_then(|tls| tls.first_expiry()),
        process: Process::read(),
    }
}
