//! [`admit`]: whether new lines are let in.

use ::http::header::RETRY_AFTER;
use ::http::{HeaderValue, StatusCode};
use openline_protocol::ErrorCode;
use openline_ws::Rejection;
use tokio::time::Instant;

use super::hint::Hints;
use super::{Drain, Phase};
use crate::node::Node;

/// Lets a new line in, unless the server is about to end.
///
/// # Errors
/// What its client is told, with when to come back.
pub(crate) fn admit(node: &Node) -> Result<(), Rejection> {
    let retry_after_ms = match node.lifecycle.phase() {
        Phase::Serving => return Ok(()),
        Phase::Draining(drain) if !refuses(&drain) => return Ok(()),
        Phase::Draining(drain) => {
            let at = drain.begins_at().elapsed();
            Hints::of(node, &drain).retry_after_ms(at, rand::random())
        }
        // It may serve again in a moment.
        Phase::Stopped => rand::random_range(0..node.settings().guard.retry_spread_ms()),
    };
    node.metrics.turned_away(ErrorCode::ShuttingDown.as_str());
    let message = "The server is about to stop and takes no new lines.";
    let code = ErrorCode::ShuttingDown.as_str();
    // RFC 9110 §10.2.3: whole seconds. Earlier than told would be too early.
    let seconds = HeaderValue::from(retry_after_ms.div_ceil(1_000).max(1));
    let refused = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, code, message);
    Err(refused.header(RETRY_AFTER, seconds))
}

fn refuses(drain: &Drain) -> bool {
    drain.terms.refuses && Instant::now() >= drain.begins_at()
}
