//! `drain`: this node sends its clients elsewhere, and ends.

use std::time::Duration;

use openline_protocol::{ErrorCode, Fault};
use serde::Serialize;
use tokio::time::Instant;

use super::json;
use crate::lifecycle::Phase;
use crate::node::Node;

/// Times are in milliseconds, moments in milliseconds since 1970.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Drain<'a> {
    node: &'a str,
    lines: u32,
    delay: u64,
    duration: u64,
    notice: u64,
    /// When new lines begin to be refused, and lines to be told.
    begins_at: u64,
    /// When the last line that has a turn is closed.
    closes_until: u64,
    /// When the server ends, whatever is left.
    ends_at: u64,
}

/// Begins a drain. One that has begun goes on as it does, and is told of again.
pub(super) fn drain(node: &Node) -> Result<String, Fault> {
    node.lifecycle.drain();
    let Phase::Draining(drain) = node.lifecycle.phase() else {
        return Err(Fault::new(ErrorCode::ShuttingDown, "the server stops already"));
    };
    let (now_ms, now) = (node.exchange.clock.now_ms(), Instant::now());
    let at = |instant: Instant| match instant.checked_duration_since(now) {
        Some(left) => now_ms.saturating_add(ms(left)),
        None => now_ms.saturating_sub(ms(now - instant)),
    };
    Ok(json(&Drain {
        node: &node.name,
        lines: node.settings().guard.lines(),
        delay: ms(drain.terms.delay),
        duration: ms(drain.terms.duration),
        notice: ms(drain.terms.notice),
        begins_at: at(drain.begins_at()),
        closes_until: at(drain.closes_until()),
        ends_at: at(drain.ends_at()),
    }))
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
