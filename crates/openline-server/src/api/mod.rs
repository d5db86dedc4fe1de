//! The HTTP API for backends: publish, read, end lines. `docs/api.md` and `spec/openapi.json`
//! describe it; a test holds the latter to [`ROUTES`](route::ROUTES).
//!
//! Whoever has the key may do everything: no namespace, no token and no rate holds a backend. So
//! the key is never taken from an address, which ends up in logs, and no answer lets a page of
//! another origin read it: a key in a page is a key in everybody's hands.

mod clients;
mod drain;
mod everywhere;
mod fields;
mod info;
mod key;
mod lines;
mod metrics;
mod publish;
mod read;
mod reload;
mod route;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use ::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use ::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use axum::body::Body;
use bytestring::ByteString;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use openline_protocol::{ErrorCode, Fault};
use openline_ws::Rejection;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::node::Node;
use fields::Fields;
use route::{Operation, Route};

pub(crate) use everywhere::answer_here;
pub(crate) use metrics::metrics;

/// Where the API is.
pub(crate) const PREFIX: &str = "/api/";

/// What a body may have beside the one message that may be as long as a message may be.
const BODY_EXTRA_BYTES: u64 = 64 << 10;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Answers a request below [`PREFIX`].
pub(crate) async fn answer(node: &Arc<Node>, request: Request<Body>) -> Response<Body> {
    let route = Route::find(request.uri().path());
    let path = route.as_ref().map_or("other", |route| route.path);
    let answered = match route {
        Ok(route) => respond(node, route, request).await,
        Err(rejection) => Err(rejection),
    };
    let mut response = match answered {
        Ok(json) => Response::new(Body::from(json)),
        Err(rejection) => rejection.response().map(Body::from),
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    node.metrics.api_request(path, response.status().as_u16());
    node.log.api_request(path, response.status().as_u16());
    response
}

async fn respond(
    node: &Arc<Node>,
    route: &Route,
    request: Request<Body>,
) -> Result<String, Rejection> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    if !route.takes(request.method()) {
        return Err(wrong_method(route, request.method()));
    }
    key::check(node, request.headers())?;
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    if route.operation == Operation::Reload {
        let body = text(body, node).await.map_err(refusal)?;
        if !body.trim().is_empty() {
            Fields::of_body(route.name(), route.fields, &body).map_err(refusal)?;
        }
        return reload::reload(node).await;
    }
    let done = if is_read {
        let fields = Fields::of_query(route.name(), route.fields, query).map_err(refusal)?;
        perform(node, route.operation, &fields, &head.headers).await
    } else if query.is_empty() {
        let body = text(body, node).await.map_err(refusal)?;
        let takes_nothing = route.fields.is_empty() && body.trim().is_empty();
        let body = if takes_nothing { ByteString::from_static("{}") } else { body };
        let fields = Fields::of_body(route.name(), route.fields, &body).map_err(refusal)?;
        perform(node, route.operation, &fields, &head.headers).await
    } else {
        Err(bad("a POST has its fields in the body, as JSON, and no query"))
    };
    done.map_err(refusal)
}

async fn perform(
    node: &Node,
    operation: Operation,
    fields: &Fields<'_>,
    headers: &HeaderMap,
) -> Result<String, Fault> {
    match operation {
        Operation::Publish => publish::publish(node, fields, headers).await,
        Operation::Batch => publish::batch(node, fields, headers).await,
        Operation::Broadcast => publish::broadcast(node, fields, headers).await,
        Operation::History => read::history(node, fields).await,
        Operation::ClearHistory => read::clear_history(node, fields).await,
        Operation::Presence => read::presence(node, fields).await,
        Operation::Channels => read::channels(node, fields).await,
        Operation::Channel => read::channel_details(node, fields).await,
        Operation::Clients => clients::clients(node, fields).await,
        Operation::Client => clients::client(node, fields).await,
        Operation::Disconnect => lines::disconnect(node, fields).await,
        Operation::Revoke => lines::revoke(node, fields).await,
        Operation::Drain => drain::drain(node),
        Operation::Info => Ok(info::info(node)),
        Operation::Reload => unreachable!("it has been answered"),
    }
}

/// The body, whatever its `Content-Type` says: it is JSON or an error.
async fn text(body: Body, node: &Node) -> Result<ByteString, Fault> {
    let most = body_bytes_max(node);
    let read = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, most).collect()).await;
    let collected = read
        .map_err(|_| bad(format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs())))?;
    let bytes = collected.map_err(|error| match error.is::<LengthLimitError>() {
        true => Fault::new(
            ErrorCode::TooLarge,
            format!(
                "the body has more than {most} bytes; send less at a time, or raise limits.message"
            ),
        ),
        false => bad("the body ended before it was complete"),
    })?;
    ByteString::try_from(bytes.to_bytes())
        .map_err(|_| Fault::new(ErrorCode::InvalidJson, "the body is not UTF-8"))
}

fn body_bytes_max(node: &Node) -> usize {
    let message = node.settings().config.limits.message.bytes();
    usize::try_from(message.saturating_add(BODY_EXTRA_BYTES)).unwrap_or(usize::MAX)
}

fn wrong_method(route: &Route, method: &Method) -> Rejection {
    let path = route.path;
    let allowed = route.allowed();
    let message = format!("{path} takes {allowed}, got {method}");
    let allowed = HeaderValue::from_str(&allowed).expect("the names of methods are visible ASCII");
    refusal(Fault::new(ErrorCode::MethodNotAllowed, message)).header(ALLOW, allowed)
}

/// A fault as an HTTP answer.
pub(crate) fn refusal(fault: Fault) -> Rejection {
    let status = StatusCode::from_u16(fault.code.http_status());
    let status = status.expect("the table of codes holds statuses");
    let rejection = Rejection::new(status, fault.code.as_str(), fault.message);
    match fault.retry_after_ms {
        // RFC 9110 §10.2.3: whole seconds.
        Some(milliseconds) => {
            rejection.header(RETRY_AFTER, HeaderValue::from(milliseconds.div_ceil(1000)))
        }
        None => rejection,
    }
}

fn bad(message: impl Into<String>) -> Fault {
    Fault::new(ErrorCode::BadRequest, message)
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("text keys, and nothing that fails by itself")
}

fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).expect("it was checked to be one JSON value")
}
