//! A connection from its first byte to what it becomes: a line, or a series of HTTP requests.

use std::future::Future;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::http::Request;
use openline_ws::{Acceptor, Rejection};
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::endpoint::{Endpoint, Entrance};
use crate::guard::read_proxy_header;
use crate::http;
use crate::lifecycle::UnderWay;
use crate::node::Node;
use crate::routes;
use crate::shard::Shard;
use crate::silence;
use crate::socketio::engine;

/// How long a connection may last that began when there were as many as may be lines: enough for a few
/// requests.
const CROWDED_TIME_MAX: Duration = Duration::from_secs(10);

/// Serves a connection that was accepted.
pub(crate) async fn serve(stream: TcpStream, shard: Arc<Shard>, node: Arc<Node>) {
    // A message is a write; waiting to join it with the next only adds delay. A failure means that
    // the peer is gone, which the first read finds.
    let _ = stream.set_nodelay(true);
    silence::limit(&stream, node.settings().config.limits.queue_age);
    let Ok(peer) = stream.peer_addr() else { return };
    let arriving = node.lifecycle.request();
    // Before TLS there is no way to say why not.
    let (place, is_crowded) = {
        let guard = &node.settings().guard;
        (guard.accept(peer.ip(), rand::random()), guard.is_crowded())
    };
    let Ok(_place) = place else { return };
    if !is_crowded {
        return serve_placed(stream, peer.ip(), arriving, (shard, node)).await;
    }
    // It holds one of the last places. Boxed as all that is rare.
    let serve = Box::pin(serve_placed(stream, peer.ip(), arriving, (shard, node)));
    let _ = tokio::time::timeout(CROWDED_TIME_MAX, serve).await;
}

/// `arriving` until its first request is there, which a drain waits for.
async fn serve_placed(
    mut stream: TcpStream,
    peer: IpAddr,
    arriving: UnderWay,
    (shard, node): (Arc<Shard>, Arc<Node>),
) {
    let Some(peer) = behind_proxy(&mut stream, peer, &node).await else { return };
    let site = Site { peer, shard, node };
    match &site.node.tls {
        None => first_request(stream, site, arriving).await,
        Some(tls) => {
            let told = (&site.node.metrics, &site.node.log);
            if let Some(stream) = tls.accept(stream, peer, told).await {
                first_request(stream, site, arriving).await;
            }
        }
    }
}

/// Whose connection it is: a trusted proxy says so before anything else, if it is to. None if it
/// does not.
async fn behind_proxy(stream: &mut TcpStream, peer: IpAddr, node: &Node) -> Option<IpAddr> {
    if !node.settings().guard.expects_proxy_header(peer) {
        return Some(peer);
    }
    let deadline = node.settings().config.limits.head_deadline;
    let header = tokio::time::timeout(deadline, read_proxy_header(stream)).await.ok()?;
    let source = header.ok()?;
    Some(source.map_or(peer, |source| source.ip()))
}

/// Where a connection is, and whose.
#[derive(Clone)]
pub(crate) struct Site {
    /// The address at the other end; see [`Guard::client_address`](crate::guard::Guard).
    pub(crate) peer: IpAddr,
    pub(crate) shard: Arc<Shard>,
    pub(crate) node: Arc<Node>,
}

/// Reads the first request here rather than in hyper: what is wrong with it can be said exactly, and
/// a line that comes of it carries nothing along but its socket.
async fn first_request<S>(stream: S, site: Site, arriving: UnderWay)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let acceptor = Acceptor::new().head_timeout(site.node.settings().config.limits.head_deadline);
    // What was wrong has been answered.
    let Ok(arrival) = acceptor.read_request(stream).await else { return };
    drop(arriving);
    let is_theirs = routes::find(&site, arrival.request().uri().path()).is_some();
    if !arrival.is_websocket() || is_theirs {
        http::serve(arrival.into_stream(), site).await;
        return;
    }
    match admit(arrival.request(), &site).await {
        Err(rejection) => drop(arrival.reject(&rejection).await),
        Ok(entrance) => {
            let Ok(pending) = acceptor.upgrade(arrival).await else { return };
            let protocol = entrance.protocol(pending.protocols());
            let mut pending = pending.config(entrance.config());
            if !site.node.exchange.overload.level().compresses() {
                pending = pending.uncompressed();
            }
            let pending =
                protocol.into_iter().fold(pending, |pending, protocol| pending.protocol(protocol));
            if let Ok(ws) = pending.accept().await {
                entrance.spawn(ws, &site);
            }
        }
    }
}

/// Checks who asks, and for what.
pub(crate) async fn admit<B>(request: &Request<B>, site: &Site) -> Result<Entrance, Rejection> {
    site.node.settings().guard.check_host(request)?;
    let origin = site.node.settings().guard.check_origin(request);
    if let Some(mounted) = site.node.mounts.at(request.uri().path()) {
        origin.map_err(engine::forbidden)?;
        let guest = engine::websocket::enter(mounted, request, site).await?;
        return Ok(Entrance::Engine(Box::new(guest)));
    }
    origin?;
    let endpoint = Endpoint::find(request.uri().path(), site.node.served())?;
    endpoint.enter(request, site).await
}

pin_project! {
    /// A future whose panic is caught: it ends the line it came from and nothing else.
    ///
    /// A type rather than an async function, which would keep the future twice: as its argument and
    /// pinned. The task of an idle line is as large as this.
    pub(crate) struct CatchPanic<F> {
        #[pin]
        future: F,
    }
}

/// The future's output, or the fact that it panicked.
pub(crate) fn catch_panic<F: Future>(future: F) -> CatchPanic<F> {
    CatchPanic { future }
}

impl<F: Future> Future for CatchPanic<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.project().future;
        // What the future holds is not used again but to close the line.
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(poll) => poll.map(Ok),
            Err(_) => Poll::Ready(Err(Panicked)),
        }
    }
}

/// A handler panicked. The panic hook has said where.
#[derive(Debug)]
pub(crate) struct Panicked;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_in_a_handler_is_caught() {
        let result = catch_panic(async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        });
        assert!(result.await.is_err());
        assert_eq!(catch_panic(async { 1 }).await.ok(), Some(1));
    }
}
