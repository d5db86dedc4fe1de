//! `/poll`: protocol v1 over long polling.

use ::http::{Request, Response, StatusCode};
use axum::body::Body;

use crate::connection::Site;

/// Answers a request to `/poll` whose host is checked.
pub(crate) async fn handle(_site: Site, _request: Request<Body>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}
