//! [`Refusal`]: why a client is not let in now, as an HTTP answer and as the end of a line.

use std::net::IpAddr;

use ::http::header::RETRY_AFTER;
use ::http::{HeaderValue, StatusCode};
use openline_ws::Rejection;

/// Who is refused for want of memory is told to wait between these, drawn at random: a step lasts some
/// seconds at least.
const MEMORY_RETRY_MS: std::ops::Range<u64> = 5_000..15_000;

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit {
    /// `limits.connections`.
    Node,
    /// `limits.connections_per_ip`, by this address.
    Address(IpAddr),
    /// `limits.connections_per_user`.
    User,
    /// `limits.admission`.
    Admission,
    /// Memory: see [`Overload`](crate::overload::Overload).
    Memory,
}

/// A client that is not let in for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) limit: Limit,
    /// For people.
    pub(crate) message: String,
    /// When to try again; spread at random, so that those who were refused together do not come
    /// back together.
    pub(crate) retry_after_ms: u64,
}

impl Refusal {
    /// New lines come faster than they may.
    pub(crate) fn too_fast(retry_after_ms: u64) -> Self {
        let message = "This node takes no more new connections just now (limits.admission).";
        Self { limit: Limit::Admission, message: message.to_owned(), retry_after_ms }
    }

    /// Memory runs short.
    pub(crate) fn no_memory(random: u64) -> Self {
        let message = "This node takes no new connections while its memory is nearly full.";
        let span = MEMORY_RETRY_MS.end - MEMORY_RETRY_MS.start;
        let retry_after_ms = MEMORY_RETRY_MS.start + random % span;
        Self { limit: Limit::Memory, message: message.to_owned(), retry_after_ms }
    }

    /// For programs: a code of the protocol.
    pub(crate) fn code(&self) -> &'static str {
        match self.limit {
            Limit::Admission | Limit::Memory => "overloaded",
            Limit::Node | Limit::Address(_) | Limit::User => "connection_limit",
        }
    }

    /// The reason of the close frame: short enough for one, whatever the message says.
    pub(crate) fn close_reason(&self) -> String {
        format!("{}; retry={}", self.code(), self.retry_after_ms)
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let status = match refusal.limit {
            Limit::Node | Limit::Admission | Limit::Memory => StatusCode::SERVICE_UNAVAILABLE,
            Limit::Address(_) | Limit::User => StatusCode::TOO_MANY_REQUESTS,
        };
        // RFC 9110 §10.2.3: whole seconds. Earlier than told would be too early.
        let seconds = HeaderValue::from(refusal.retry_after_ms.div_ceil(1_000).max(1));
        Self::new(status, refusal.code(), refusal.message).header(RETRY_AFTER, seconds)
    }
}
