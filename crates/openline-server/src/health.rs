//! `/health/live` and `/health/ready`: what an orchestrator asks. Without a key, and whatever the
//! `Host` header says: probes come by address.

use std::sync::LazyLock;
use std::time::Duration;

use ::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use ::http::{HeaderValue, Method, Response};
use axum::body::Body;
use openline_engine::{Draft, History};
use openline_protocol::{ChannelName, Data, ErrorCode, Fault};

use crate::api::refusal;
use crate::node::Node;
use crate::session::new_client_id;

/// Where the answers are.
pub(crate) const PREFIX: &str = "/health/";

/// How long a publication may take on a server that is ready.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the probe publishes. Nobody can guess the name, so nobody can subscribe to it.
static CHANNEL: LazyLock<ChannelName> = LazyLock::new(|| {
    let name = format!("$health:{}", new_client_id());
    ChannelName::new(&name).expect("base64 is a name")
});

/// Answers a request below [`PREFIX`].
pub(crate) async fn answer(node: &Node, path: &str, method: &Method) -> Response<Body> {
    match state(node, path, method).await {
        Ok(()) => ok(),
        Err(fault) => {
            let is_method = fault.code == ErrorCode::MethodNotAllowed;
            let mut response = refusal(fault).response().map(Body::from);
            if is_method {
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            response
        }
    }
}

async fn state(node: &Node, path: &str, method: &Method) -> Result<(), Fault> {
    let is_ready = match path {
        "/health/live" => false,
        "/health/ready" => true,
        _ => {
            let message =
                "There is nothing at this path; there are /health/live and /health/ready.";
            return Err(Fault::new(ErrorCode::NotFound, message));
        }
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        let message = format!("{path} takes GET, got {method}.");
        return Err(Fault::new(ErrorCode::MethodNotAllowed, message));
    }
    if is_ready { ready(node).await } else { Ok(()) }
}

/// Whether publications are taken: the way that they go is tried, without anything to keep.
async fn ready(node: &Node) -> Result<(), Fault> {
    if let Some(ailment) = node.exchange.broker().health().ailment {
        let message = format!("publications are not taken: {ailment}");
        return Err(Fault::new(ErrorCode::Unavailable, message));
    }
    let probe = node.exchange.publish(
        Draft {
            channel: CHANNEL.clone(),
            event: None,
            data: Data::null(),
            from: None,
            key: None,
            history: History { size: 0, ttl_ms: 0 },
        },
        None,
    );
    match tokio::time::timeout(PROBE_TIMEOUT, probe).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.fault()),
        Err(_) => {
            let seconds = PROBE_TIMEOUT.as_secs();
            let message = format!("a publication took more than {seconds} s");
            Err(Fault::new(ErrorCode::Unavailable, message))
        }
    }
}

fn ok() -> Response<Body> {
    let mut response = Response::new(Body::from("ok\n"));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
