//! The router that the server's user has: requests that nothing of Openline takes.

use std::net::SocketAddr;

use ::http::{Method, Request, Response, StatusCode};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use tokio::task::JoinSet;
use tower_service::Service as _;

use crate::app::Namespace;
use crate::connection::Site;
use crate::endpoint::Endpoint;
use crate::pages;

/// The router for requests of this path, unless Openline has something there. The root is the
/// router's: there the demo has a page, and an endpoint for programs that take no path.
pub(crate) fn find(site: &Site, path: &str) -> Option<Router> {
    let routes = site.node.operator.doors.routes.as_ref()?;
    let is_line = match Endpoint::at(path, site.node.served()) {
        Some(Endpoint::Echo) => path != "/",
        line => line.is_some(),
    };
    let is_ours = is_line || site.node.mounts.at(path).is_some();
    (!is_ours && path != "/metrics").then(|| routes.clone())
}

/// Has the router answer, on the threads of handlers. It is dropped when the client goes.
pub(crate) async fn answer(
    mut router: Router,
    site: &Site,
    mut request: Request<Body>,
) -> Response<Body> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let page = is_read.then(|| pages::find(request.uri().path(), false)).flatten();
    let address = site.node.settings().guard.client_address(site.peer, request.headers());
    request.extensions_mut().insert(ConnectInfo(SocketAddr::new(address, 0)));
    if let Some(namespace) = Namespace::find(&site.node, "/") {
        request.extensions_mut().insert(namespace);
    }
    let mut work = JoinSet::new();
    let answering = async move { router.call(request).await };
    work.spawn_on(answering, site.node.operator.runtime());
    match (work.join_next().await, page) {
        // The dashboard is there unless the router has something of that name.
        (Some(Ok(Ok(response))), Some(page)) if response.status() == StatusCode::NOT_FOUND => page,
        (Some(Ok(Ok(response))), _) => response,
        _ => {
            // It panicked; the panic hook has said where.
            site.node.metrics.panicked();
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}
