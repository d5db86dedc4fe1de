//! What streams, polls and their POSTs have in common as HTTP: which page may ask, how errors are
//! told, bodies.

use std::future::Future;
use std::time::Duration;

use ::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use ::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use openline_protocol::Fault;
use openline_ws::Rejection;

use crate::connection::{Site, catch_panic};
use crate::guard::Preflight;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What pages of other origins may send.
const HEADERS: &str = "authorization, content-type, last-event-id, openline-session";

/// Answers a request whose host is checked: checks the page that asks, and lets it read the answer.
pub(super) async fn answer<F>(
    site: Site,
    request: Request<Body>,
    methods: &'static str,
    serve: impl FnOnce(Site, Request<()>, Body) -> F,
) -> Response<Body>
where
    F: Future<Output = Result<Response<Body>, Rejection>>,
{
    let node = site.node.clone();
    let cors = node.settings().guard.cors(&request);
    let preflight =
        node.settings().guard.preflight(&request, &Preflight { methods, headers: HEADERS });
    let answered = match preflight {
        Some(answer) => return answer.map_or_else(|refused| refuse(&refused), empty),
        None => match node.settings().guard.check_origin(&request) {
            Ok(()) => {
                let (parts, body) = request.into_parts();
                let request = Request::from_parts(parts, ());
                catch_panic(serve(site, request, body)).await.unwrap_or_else(|_| {
                    node.metrics.panicked();
                    let message = "the server met a bug of its own; its log says where";
                    Err(Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message))
                })
            }
            Err(rejection) => Err(rejection),
        },
    };
    let mut response = answered.unwrap_or_else(|rejection| refuse(&rejection));
    cors.apply(response.headers_mut());
    response
}

/// A body of a request, which may be as long as a message may be.
pub(super) async fn read_body(site: &Site, body: Body) -> Result<Bytes, Rejection> {
    let most = site.node.settings().config.limits.message.bytes();
    let too_large = || {
        let message = format!("a message has at most {most} bytes");
        Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
    };
    if body.size_hint().lower() > most {
        return Err(too_large());
    }
    let limited = Limited::new(body, usize::try_from(most).unwrap_or(usize::MAX));
    let Ok(read) = tokio::time::timeout(BODY_TIMEOUT, limited.collect()).await else {
        let seconds = BODY_TIMEOUT.as_secs();
        let message = format!("the body did not arrive within {seconds} s");
        return Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, "timeout", message));
    };
    read.map(|body| body.to_bytes()).map_err(|error| match error.is::<LengthLimitError>() {
        true => too_large(),
        false => {
            let message = "the body could not be read to its end";
            Rejection::new(StatusCode::BAD_REQUEST, "bad_request", message)
        }
    })
}

/// JSON that nobody keeps.
pub(super) fn json(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    forbid_keeping(response.headers_mut());
    response
}

pub(super) fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    forbid_keeping(response.headers_mut());
    response
}

pub(super) fn wrong_method<B>(request: &Request<B>, methods: &'static str) -> Rejection {
    let path = request.uri().path();
    let message = format!("{path} takes {methods}, got {}.", request.method());
    Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
        .header(ALLOW, HeaderValue::from_static(methods))
}

/// A fault as the answer to a request.
pub(super) fn rejection(fault: &Fault) -> Rejection {
    let status = StatusCode::from_u16(fault.code.http_status());
    let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let rejection = Rejection::new(status, fault.code.as_str(), fault.message.clone());
    match fault.retry_after_ms {
        Some(ms) => rejection.header(RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000).max(1))),
        None => rejection,
    }
}

pub(super) fn forbid_keeping(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

fn refuse(rejection: &Rejection) -> Response<Body> {
    let mut response = rejection.response().map(Body::from);
    forbid_keeping(response.headers_mut());
    response
}

fn empty(response: Response<()>) -> Response<Body> {
    response.map(|()| Body::empty())
}
