//! Sessions on other nodes: requests for them are handed over.

use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use axum::body::Body;
use bytes::Bytes;

use super::secret::SessionSecret;
use crate::broker::NodeId;
use crate::cluster::{CarriedRequest, Forwards, HandedOver, NotAnswered};
use crate::connection::Site;
use crate::node::Node;

/// The other node on which a session is.
pub(crate) struct Home {
    node: NodeId,
    forwards: Arc<Forwards>,
}

/// Where the session of this name is: none if that is here, or a node that is not there. A request
/// that was handed over is not handed on.
pub(crate) fn find_home<B>(
    node: &Node,
    request: &Request<B>,
    secret: SessionSecret,
) -> Option<Home> {
    let home = secret.home();
    if home == node.id || request.extensions().get::<HandedOver>().is_some() {
        return None;
    }
    let forwards = node.forwards.as_ref().filter(|forwards| forwards.knows(home))?;
    Some(Home { node: home, forwards: forwards.clone() })
}

/// Has the session's node answer a request whose host and origin are checked. It has so long.
pub(crate) async fn hand_over(
    site: &Site,
    request: &Request<()>,
    home: &Home,
    body: Bytes,
    within: Duration,
) -> Result<Response<Body>, NotAnswered> {
    let address = site.node.settings().guard.client_address(site.peer, request.headers());
    let request = CarriedRequest::new(request, address, body);
    let answered = home.forwards.hand_over(home.node, request, within).await;
    site.node.metrics.forwarded(answered.as_ref().err().copied());
    answered
}
