//! The handshake as an extractor for axum.

use std::future::Future;
use std::sync::Arc;

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::Request;
use http::request::Parts;
use openline_ws_proto::Config;
use openline_ws_proto::handshake::server::Rejection;

use crate::accept::Acceptor;
use crate::hyper::{Upgrade, UpgradedSocket};

/// An axum extractor: the request's handshake, to be accepted by a handler.
///
/// ```
/// # use axum::{Router, routing::any, response::IntoResponse};
/// use openline_ws::WebSocketUpgrade;
///
/// async fn echo(upgrade: WebSocketUpgrade) -> impl IntoResponse {
///     upgrade.on_upgrade(|mut ws| async move {
///         while let Ok(Some(message)) = ws.recv().await {
///             if ws.send(message).await.is_err() {
///                 break;
///             }
///         }
///     })
/// }
///
/// // `any`, because over HTTP/2 the request is a CONNECT.
/// let app: Router = Router::new().route("/echo", any(echo));
/// ```
///
/// Settings come from an [`Acceptor`] in the request's extensions (`Extension(acceptor)` as a
/// layer), else they are the defaults. A request that is not a lawful handshake is answered with
/// what was wrong before the handler runs.
#[derive(Debug)]
#[must_use = "call on_upgrade() and return its response"]
pub struct WebSocketUpgrade(Upgrade);

impl WebSocketUpgrade {
    /// The subprotocols that the client offers, the one it likes best first.
    pub fn protocols(&self) -> &[String] {
        self.0.protocols()
    }

    /// Chooses a subprotocol.
    ///
    /// # Panics
    /// `on_upgrade` panics when it is not among [`WebSocketUpgrade::protocols`].
    pub fn protocol(self, protocol: impl Into<String>) -> Self {
        Self(self.0.protocol(protocol))
    }

    /// Uses other settings for this line.
    pub fn config(self, config: Arc<Config>) -> Self {
        Self(self.0.config(config))
    }

    /// Accepts, and runs `serve` on the line in a task of its own. Return the response.
    pub fn on_upgrade<F, T>(self, serve: F) -> Response
    where
        F: FnOnce(UpgradedSocket) -> T + Send + 'static,
        T: Future<Output = ()> + Send + 'static,
    {
        let (response, line) = self.0.accept();
        tokio::spawn(async move {
            // A client that went away between its request and our response has no line.
            if let Ok(line) = line.await {
                serve(line).await;
            }
        });
        response.map(|()| Body::empty())
    }
}

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = RejectionResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let acceptor = parts.extensions.get::<Acceptor>().cloned().unwrap_or_default();
        let mut request = Request::from_parts(parts.clone(), ());
        // The clone shares the upgrade, which hyper gives out once.
        Upgrade::new(&mut request, &acceptor).map(Self).map_err(RejectionResponse)
    }
}

/// What a request gets that is not a lawful handshake.
#[derive(Debug)]
pub struct RejectionResponse(pub Rejection);

impl IntoResponse for RejectionResponse {
    fn into_response(self) -> Response {
        self.0.response().map(Body::from)
    }
}
