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
    if !node.lifecycle.is_serving() {
        return Err(Fault::new(ErrorCode::ShuttingDown, "the server drains or stops"));
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use http_body_util::BodyExt as _;
    use openline_engine::{Page, PageLimits, Query, Recovery};
    use openline_protocol::{Position, Reason};

    use super::*;
    use crate::broker::{Answer, Broker, BrokerError, BrokerHealth, Published};
    use crate::exchange::{Exchange, Interest};
    use crate::{node, shard};

    /// A broker that answers every publication with this, or never.
    struct Sick {
        ailment: Option<String>,
        answer: Option<BrokerError>,
        waiting:
            std::sync::Mutex<Vec<tokio::sync::oneshot::Sender<Result<Published, BrokerError>>>>,
    }

    impl Sick {
        fn new(ailment: Option<&str>, answer: Option<BrokerError>) -> Self {
            let ailment = ailment.map(str::to_owned);
            Self { ailment, answer, waiting: Default::default() }
        }
    }

    impl Broker for Sick {
        fn publish(&self, _: Draft, _: Option<Arc<str>>) -> Answer<Published> {
            if let Some(error) = &self.answer {
                return Answer::now(Err(error.clone()));
            }
            let (sender, receiver) = tokio::sync::oneshot::channel();
            self.waiting.lock().unwrap().push(sender);
            Answer::Later(receiver)
        }

        fn recover(&self, _: &ChannelName, _: Position, _: &PageLimits) -> Answer<Recovery> {
            Answer::now(Err(BrokerError::Unavailable))
        }

        fn query(
            &self,
            _: &ChannelName,
            _: &Query,
            _: &PageLimits,
        ) -> Answer<Result<Page, Reason>> {
            Answer::now(Err(BrokerError::Unavailable))
        }

        fn clear(&self, _: &ChannelName) -> Answer<()> {
            Answer::now(Ok(()))
        }

        fn level(&self) -> &'static str {
            "memory"
        }

        fn health(&self) -> BrokerHealth {
            BrokerHealth { ailment: self.ailment.clone(), ..BrokerHealth::default() }
        }
    }

    fn node(sick: Option<Sick>) -> Node {
        let shards: Arc<[_]> =
            shard::inputs(NonZeroUsize::MIN).into_iter().map(|i| i.shard).collect();
        let mut node = node::for_test(shards.clone());
        if let Some(sick) = sick {
            let (current, clock) = (node.exchange.current.clone(), node.exchange.clock);
            let interest = Arc::new(Interest::new(shards));
            node.exchange = Arc::new(Exchange::new(Box::new(sick), interest, None, current, clock));
        }
        node
    }

    async fn ask(node: &Node, path: &str, method: Method) -> (u16, String) {
        let (head, body) = answer(node, path, &method).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (head.status.as_u16(), String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_server_that_takes_publications_is_ready() {
        let node = node(None);
        for path in ["/health/live", "/health/ready"] {
            assert_eq!(ask(&node, path, Method::GET).await, (200, "ok\n".to_owned()));
            assert_eq!(ask(&node, path, Method::HEAD).await.0, 200);
            assert_eq!(ask(&node, path, Method::POST).await.0, 405);
        }
        assert_eq!(ask(&node, "/health/", Method::GET).await.0, 404);
        let kept = node.exchange.broker().health();
        assert_eq!((kept.channels, kept.entries), (0, 0), "the probe leaves nothing behind");
    }

    #[tokio::test]
    async fn a_server_that_drains_is_live_and_not_ready() {
        let node = node(None);
        assert_eq!(ask(&node, "/health/ready", Method::GET).await.0, 200);
        node.lifecycle.drain();
        let (status, text) = ask(&node, "/health/ready", Method::GET).await;
        assert_eq!((status, text.contains("shutting_down")), (503, true), "{text}");
        assert_eq!(ask(&node, "/health/live", Method::GET).await.0, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_take_publications_is_live_and_not_ready() {
        for (sick, said) in [
            (
                Sick::new(Some("the disk is full"), None),
                "publications are not taken: the disk is full",
            ),
            (Sick::new(None, Some(BrokerError::Overloaded)), "too many publications wait"),
            (Sick::new(None, None), "a publication took more than 2 s"),
        ] {
            let node = node(Some(sick));
            let (status, text) = ask(&node, "/health/ready", Method::GET).await;
            assert_eq!(status, 503);
            assert!(text.contains(said), "{text}");
            assert_eq!(ask(&node, "/health/live", Method::GET).await.0, 200);
        }
    }
}
