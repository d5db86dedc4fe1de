//! [`Handed`]: what another node asks, worked on by a thread of this one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Method, Response, StatusCode};
use axum::body::Body;
use http_body_util::{BodyExt as _, Limited};
use openline_ws::Rejection;
use tokio::sync::oneshot;

use super::Forwards;
use super::carried::{CarriedAnswer, CarriedRequest, Errand};
use crate::auth::Token;
use crate::broker::NodeId;
use crate::clock::Clock;
use crate::connection::Site;
use crate::node::Node;
use crate::shard::Shard;
use crate::socketio::engine;
use crate::transport;

/// What takes longer than this says that it is worked on.
const QUICK: Duration = Duration::from_millis(500);

/// What another node asks.
pub(crate) struct Handed {
    pub(super) forwards: Arc<Forwards>,
    pub(super) from: NodeId,
    pub(super) number: u64,
    pub(super) errand: Errand,
    /// Ready when nobody waits for the answer any more.
    pub(super) is_given_up: oneshot::Receiver<()>,
}

impl Handed {
    pub(crate) async fn serve(self, shard: Arc<Shard>, node: Arc<Node>) {
        let Self { forwards, from, number, errand, is_given_up } = self;
        let bytes_max = forwards.bytes_max;
        let take = async {
            tokio::time::sleep(QUICK).await;
            forwards.take(from, number);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = is_given_up => {}
            () = take => {}
            answer = answer(errand, shard, node, bytes_max) => {
                forwards.answer(from, number, &answer);
            }
        }
        forwards.state().served.remove(&(from, number));
    }
}

async fn answer(
    errand: Errand,
    shard: Arc<Shard>,
    node: Arc<Node>,
    bytes_max: usize,
) -> CarriedAnswer {
    let request = match errand {
        Errand::Request(request) => request,
        Errand::Ticket(ticket) => {
            let redeemed = node.tickets.redeem(&Token::new(ticket), Clock::wall_seconds());
            return CarriedAnswer::of_token(redeemed.map(|(_, token)| token).as_ref());
        }
    };
    let (parts, body) = respond(request, shard, node).await.into_parts();
    match Limited::new(body, bytes_max).collect().await {
        Ok(body) => CarriedAnswer::new(parts.status, &parts.headers, body.to_bytes()),
        Err(_) => {
            let message = "the answer is too long to be carried from another node";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            CarriedAnswer::of(&Rejection::new(status, "internal", message))
        }
    }
}

/// As the request would be answered had it come here by itself. Its host is checked.
async fn respond(request: CarriedRequest, shard: Arc<Shard>, node: Arc<Node>) -> Response<Body> {
    let Some((request, peer)) = request.open() else {
        let message = "what another node handed over is no request";
        let refused = Rejection::new(StatusCode::BAD_REQUEST, "bad_request", message);
        return refused.response().map(Body::from);
    };
    let path = request.uri().path();
    let mounted = node.mounts.at(path).cloned();
    let is_post = request.method() == Method::POST;
    let site = Site { peer, shard, node };
    match (mounted, path) {
        (Some(mounted), _) => engine::polling::handle(site, &mounted, request).await,
        (None, "/poll") => transport::poll::handle(site, request).await,
        (None, "/sse") if is_post => transport::sse::handle(site, request).await,
        _ => {
            let message = "this is not handed over between nodes";
            let refused = Rejection::new(StatusCode::NOT_FOUND, "not_found", message);
            refused.response().map(Body::from)
        }
    }
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed")
            .field("from", &self.from)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}
