//! Requests that are not the first of a line: the API, pages, health, and upgrades that hyper carries
//! (on a connection that served other requests before, or over HTTP/2).

use std::time::Duration;

use ::http::header::CONNECTION;
use ::http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use openline_ws::proto::handshake::{HEAD_BYTES_MAX, HEADERS_MAX};
use openline_ws::{Acceptor, Rejection, Timeouts, Upgrade};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::{Site, admit};
use crate::endpoint::Endpoint;
use crate::socketio::engine;
use crate::{api, health, pages, routes, transport, uploads};

/// How long a client may take over the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Requests at a time on one HTTP/2 connection; each line is one.
const STREAMS_MAX: u32 = 256;

/// Serves the connection's requests, one after the other or side by side.
pub(crate) async fn serve<S>(stream: S, site: Site)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let write_deadline = site.node.settings().config.limits.queue_age;
    let stream = transport::WriteDeadline::new(stream, write_deadline);
    let serve = |State(site): State<Site>, request| answer(site, request);
    let router = Router::new().fallback(serve).with_state(site);
    let timeouts = Timeouts::default();
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(timeouts.ping_interval)
        .keep_alive_timeout(timeouts.pong.unwrap_or(Duration::MAX));
    let service = TowerToHyperService::new(router);
    // What goes wrong here is the client's going away, or has been answered.
    let _ = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
}

/// Answers a request, whatever it is for.
pub(crate) async fn answer(site: Site, request: Request<Body>) -> Response<Body> {
    let lifecycle = site.node.lifecycle.clone();
    let _under_way = lifecycle.request();
    // A connection of HTTP/1.1 would bring more requests here, which others can answer.
    let may_end = request.version() < Version::HTTP_2;
    let mut response = respond(site, request).await;
    if may_end && !lifecycle.is_serving() && response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn respond(site: Site, mut request: Request<Body>) -> Response<Body> {
    let path = request.uri().path();
    if path.starts_with(health::PREFIX) {
        return health::answer(&site.node, path, request.method()).await;
    }
    if let Err(rejection) = site.node.settings().guard.check_host(&request) {
        return refuse(&rejection);
    }
    let theirs = routes::find(&site, path);
    if Upgrade::is_attempted(&request) {
        if let Some(router) = theirs {
            return match site.node.settings().guard.check_origin(&request) {
                Ok(()) => routes::answer(router, &site, request).await,
                Err(rejection) => refuse(&rejection),
            };
        }
        let upgraded = upgrade(&site, &mut request).await;
        return upgraded.unwrap_or_else(|rejection| refuse(&rejection));
    }
    if let Some(mounted) = site.node.mounts.at(path).cloned() {
        return engine::polling::handle(site, &mounted, request).await;
    }
    match path {
        "/sse" | "/sse/ticket" => return transport::sse::handle(site, request).await,
        "/poll" => return transport::poll::handle(site, request).await,
        _ if path.starts_with(uploads::PREFIX) => return uploads::answer(&site.node, &request),
        _ if path.starts_with(api::PREFIX) => return api::answer(&site.node, request).await,
        _ => {}
    }
    if let Some(router) = theirs {
        return routes::answer(router, &site, request).await;
    }
    // The root is a page too.
    if Endpoint::at(path, site.node.served()).is_some() && path != "/" {
        // Says what is missing: it is not an upgrade.
        let missing = Upgrade::new(&mut request, &Acceptor::new()).err();
        return missing.map_or_else(not_found, |rejection| refuse(&rejection));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let message = format!("{path} takes GET, got {}.", request.method());
        let rejection =
            Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
                .header(::http::header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refuse(&rejection);
    }
    if path == "/metrics" {
        return api::metrics(&site.node, request.headers());
    }
    pages::find(path, site.node.has_demo()).unwrap_or_else(not_found)
}

async fn upgrade(site: &Site, request: &mut Request<Body>) -> Result<Response<Body>, Rejection> {
    // The body need not be shared between threads, so it may not be lent across an await.
    let entrance = admit(&head(request), site).await?;
    let mut upgrade = Upgrade::new(request, &Acceptor::new())?.config(entrance.config());
    if !site.node.exchange.overload.level().compresses() {
        upgrade = upgrade.uncompressed();
    }
    let protocol = entrance.protocol(upgrade.protocols());
    let upgrade =
        protocol.into_iter().fold(upgrade, |upgrade, protocol| upgrade.protocol(protocol));
    let (response, line) = upgrade.accept();
    let site = site.clone();
    tokio::spawn(async move {
        if let Ok(ws) = line.await {
            entrance.spawn(ws, &site);
        }
    });
    Ok(response.map(|()| Body::empty()))
}

/// The request without its body.
fn head(request: &Request<Body>) -> Request<()> {
    let mut head = Request::new(());
    *head.method_mut() = request.method().clone();
    *head.uri_mut() = request.uri().clone();
    *head.headers_mut() = request.headers().clone();
    head
}

fn not_found() -> Response<Body> {
    refuse(&Rejection::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path."))
}

fn refuse(rejection: &Rejection) -> Response<Body> {
    rejection.response().map(Body::from)
}
