//! The clock that the protocol is shown.

use std::sync::OnceLock;
use std::time::Duration;

use openline_ws_proto::Timestamp;
use tokio::time::Instant;

/// How long before its first use the clock begins. A runtime whose time a test has paused may show
/// an earlier time than the one that came first; without this its lines would stand still until it
/// has caught up.
const HEAD_START: Duration = Duration::from_secs(60 * 60 * 24);

static ORIGIN: OnceLock<Instant> = OnceLock::new();

fn origin() -> Instant {
    *ORIGIN.get_or_init(|| {
        let now = Instant::now();
        now.checked_sub(HEAD_START).unwrap_or(now)
    })
}

pub(crate) fn now() -> Timestamp {
    Timestamp(u64::try_from(origin().elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// The moment when `timestamp` has certainly come; the protocol's clock counts whole milliseconds.
pub(crate) fn instant(timestamp: Timestamp) -> Instant {
    let far = Duration::from_secs(60 * 60 * 24 * 365);
    origin() + Duration::from_millis(timestamp.0).min(far) + Duration::from_millis(1)
}
