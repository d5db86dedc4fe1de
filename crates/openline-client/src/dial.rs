//! How a line is opened.

use std::io;
use std::pin::Pin;
use std::sync::Arc;

use http::Uri;
use openline_ws::proto::handshake::client::ResponseError;
use openline_ws::{ConnectError, Connector, Transport, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::error::BuildError;

/// A stream of bytes to the server, in place of a socket of the client's own.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

type BoxedStream = Box<dyn Stream>;
type StreamFuture = Pin<Box<dyn Future<Output = io::Result<BoxedStream>> + Send>>;

/// How a line is opened.
pub(crate) struct Dialer {
    pub(crate) url: String,
    pub(crate) connector: Connector,
    pub(crate) over: Option<Arc<dyn Fn() -> StreamFuture + Send + Sync>>,
}

/// A line over a socket, or over what the application gave.
pub(crate) enum Dialed {
    Socket(WebSocket<Transport>),
    Given(WebSocket<BoxedStream>),
}

/// Why there is no line: the close code that it is taken for, and a sentence.
pub(crate) struct Refused {
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Dialer {
    pub(crate) async fn dial(&self) -> Result<Dialed, Refused> {
        let Some(over) = &self.over else {
            let line = self.connector.connect(&self.url).await;
            return line.map(Dialed::Socket).map_err(refused);
        };
        let stream = over().await;
        let stream = stream.map_err(|error| Refused { code: 1006, reason: error.to_string() })?;
        let line = self.connector.connect_over(&self.url, stream).await;
        line.map(Dialed::Given).map_err(refused)
    }
}

/// Where a server answers the handshake with 401 or 403, it does so for want of a token that it
/// accepts, which is what 4002 says on a line. Whatever else it answers may be a proxy's, while the
/// server is being replaced.
fn refused(error: ConnectError) -> Refused {
    let code = match &error {
        ConnectError::Response(ResponseError::Status(status))
            if matches!(status.as_u16(), 401 | 403) =>
        {
            openline_protocol::close::INVALID_AUTH
        }
        _ => 1006,
    };
    Refused { code, reason: error.to_string() }
}

/// Whether this can be the address of a server.
pub(crate) fn check(url: &str) -> Result<(), BuildError> {
    let wrong = |what: &str| Err(BuildError::Url(format!("{url:?} {what}")));
    if url.contains('#') {
        return wrong("has a fragment (#…), which is never sent; leave it out");
    }
    let Ok(uri) = url.parse::<Uri>() else { return wrong("is not a URL") };
    match uri.scheme_str() {
        Some("ws" | "wss") => {}
        Some("http") => return wrong("has the scheme http; use ws"),
        Some("https") => return wrong("has the scheme https; use wss"),
        _ => return wrong("has to begin with ws:// or wss://"),
    }
    match uri.host() {
        Some(host) if !host.is_empty() => Ok(()),
        _ => wrong("has no host"),
    }
}
