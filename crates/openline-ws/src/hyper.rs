//! Upgrades of requests that hyper serves, over HTTP/1.1 and HTTP/2.

use std::future::Future;
use std::sync::Arc;

use http::{Request, Response, Version};
use hyper_util::rt::TokioIo;
use openline_ws_proto::handshake::server::{Offer, Rejection};
use openline_ws_proto::{Config, Connection, Role};

use crate::accept::Acceptor;
use crate::clock;
use crate::error::Error;
use crate::websocket::WebSocket;

/// A line whose handshake hyper carried.
pub type UpgradedSocket = WebSocket<TokioIo<hyper::upgrade::Upgraded>>;

/// A lawful handshake in a request that hyper serves.
///
/// Over HTTP/1.1 serve the connection `with_upgrades`; over HTTP/2 switch on the extended CONNECT
/// protocol (`enable_connect_protocol`, RFC 8441 §3).
#[derive(Debug)]
pub struct Upgrade {
    offer: Offer,
    config: Arc<Config>,
    protocol: Option<String>,
    on_upgrade: hyper::upgrade::OnUpgrade,
}

impl Upgrade {
    /// Whether the request asks for a WebSocket, over either version of HTTP.
    pub fn is_attempted<B>(request: &Request<B>) -> bool {
        match request.version() {
            Version::HTTP_2 => extended_protocol(request).is_some(),
            _ => Offer::is_attempted(request),
        }
    }

    /// Checks the request.
    ///
    /// # Errors
    /// The answer to give instead; see [`Rejection::response`].
    pub fn new<B>(request: &mut Request<B>, acceptor: &Acceptor) -> Result<Self, Rejection> {
        let offer = match request.version() {
            Version::HTTP_2 => {
                Offer::from_http2(request, extended_protocol(request).unwrap_or(""))?
            }
            _ => Offer::from_http1(request)?,
        };
        let config = acceptor.config().clone();
        Ok(Self { offer, config, protocol: None, on_upgrade: hyper::upgrade::on(request) })
    }

    /// The subprotocols that the client offers, the one it likes best first.
    pub fn protocols(&self) -> &[String] {
        self.offer.protocols()
    }

    /// Chooses a subprotocol.
    ///
    /// # Panics
    /// [`Upgrade::accept`] panics when it is not among [`Upgrade::protocols`].
    #[must_use]
    pub fn protocol(mut self, protocol: impl Into<String>) -> Self {
        self.protocol = Some(protocol.into());
        self
    }

    /// Uses other settings for this line than the acceptor's.
    #[must_use]
    pub fn config(mut self, config: Arc<Config>) -> Self {
        self.config = config;
        self
    }

    /// Leaves this line uncompressed, whatever the settings say and the client offers.
    #[must_use]
    pub fn uncompressed(mut self) -> Self {
        self.offer.ignore_extensions();
        self
    }

    /// The response that opens the line, and the line: await it in a task of its own, since it is
    /// there only after the response was sent.
    pub fn accept(
        self,
    ) -> (Response<()>, impl Future<Output = Result<UpgradedSocket, Error>> + Send + use<>) {
        let (response, agreed) = self.offer.accept(self.protocol.as_deref(), &self.config.deflate);
        let line = async move {
            let upgraded =
                self.on_upgrade.await.map_err(|error| Error::Io(std::io::Error::other(error)))?;
            let connection =
                Connection::new(Role::Server, self.config, agreed.deflate, clock::now());
            Ok(WebSocket::from_parts(TokioIo::new(upgraded), connection, agreed, Vec::new()))
        };
        (response, line)
    }
}

/// The `:protocol` of an extended CONNECT.
fn extended_protocol<B>(request: &Request<B>) -> Option<&str> {
    request.extensions().get::<hyper::ext::Protocol>().map(hyper::ext::Protocol::as_str)
}
