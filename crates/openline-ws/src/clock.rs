//! The clock that the protocol is shown.

use std::sync::OnceLock;

use openline_ws_proto::Timestamp;
use tokio::time::Instant;

static ORIGIN: OnceLock<Instant> = OnceLock::new();

fn origin() -> Instant {
    *ORIGIN.get_or_init(Instant::now)
}

pub(crate) fn now() -> Timestamp {
    Timestamp(u64::try_from(origin().elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// The moment when `timestamp` has certainly come; the protocol's clock counts whole milliseconds.
pub(crate) fn instant(timestamp: Timestamp) -> Instant {
    let far = std::time::Duration::from_secs(60 * 60 * 24 * 365);
    origin()
        + std::time::Duration::from_millis(timestamp.0).min(far)
        + std::time::Duration::from_millis(1)
}
