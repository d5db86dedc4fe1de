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

/// The address of the endpoint that `url` means: without a path it is `/ws`.
///
/// # Errors
/// When it cannot be the address of a server.
pub(crate) fn endpoint(url: &str) -> Result<String, BuildError> {
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
    if uri.host().is_none_or(str::is_empty) {
        return wrong("has no host");
    }
    if uri.path() != "/" {
        return Ok(url.to_owned());
    }
    let (before, query) = match url.split_once('?') {
        Some((before, query)) => (before, format!("?{query}")),
        None => (url, String::new()),
    };
    Ok(format!("{}/ws{query}", before.trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn without_a_path_it_is_that_of_the_protocol() {
        for (given, meant) in [
            ("ws://host", "ws://host/ws"),
            ("wss://user:word@host:8000/", "wss://user:word@host:8000/ws"),
            ("ws://[::1]?tenant=a/b", "ws://[::1]/ws?tenant=a/b"),
            ("ws://host/?a=1", "ws://host/ws?a=1"),
            ("ws://host/ws", "ws://host/ws"),
            ("ws://host/other/", "ws://host/other/"),
        ] {
            assert_eq!(endpoint(given).unwrap(), meant);
        }
        assert!(endpoint("ws:///ws").is_err());
    }
}
