//! How a line is opened.

use std::borrow::Cow;
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
    /// When the server wants the client, in milliseconds.
    pub(crate) retry_after: Option<u64>,
}

impl Dialer {
    /// Opens a line. A client that had one before says so: servers that let clients in one after the
    /// other prefer those.
    pub(crate) async fn dial(&self, comes_back: bool) -> Result<Dialed, Refused> {
        let url = match comes_back {
            true => Cow::Owned(resuming(&self.url)),
            false => Cow::Borrowed(&*self.url),
        };
        let Some(over) = &self.over else {
            let line = self.connector.connect(&url).await;
            return line.map(Dialed::Socket).map_err(refused);
        };
        let stream = over().await.map_err(|error| Refused {
            code: 1006,
            reason: error.to_string(),
            retry_after: None,
        })?;
        let line = self.connector.connect_over(&url, stream).await;
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
    let retry_after = match &error {
        ConnectError::Response(ResponseError::Later { seconds, .. }) => {
            Some(seconds.saturating_mul(1_000))
        }
        _ => None,
    };
    Refused { code, reason: error.to_string(), retry_after }
}

/// The address of a client that comes back.
fn resuming(url: &str) -> String {
    let before = if url.contains('?') { '&' } else { '?' };
    format!("{url}{before}resume=1")
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
