//! [`Remote`]: the HTTP API of a server, from elsewhere; `openline publish` is made of this.

use std::fmt;

use ::http::StatusCode;
use ::http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::outbound::{Allowed, Client, Options, OutboundError, Target};

/// A server that is reached by its HTTP API.
///
/// ```no_run
/// # async fn example() -> Result<(), openline_server::RemoteError> {
/// use openline_server::{Outgoing, Remote};
///
/// let key = std::fs::read_to_string("openline-data/api-key").expect("a server was here");
/// let remote = Remote::new("http://127.0.0.1:8000", key.trim())?;
/// let message = Outgoing { channel: "news", data: r#"{"n":1}"#, event: None, key: None };
/// println!("{:?}", remote.publish(&message).await?.position);
/// # Ok(())
/// # }
/// ```
pub struct Remote {
    client: Client,
    url: String,
    headers: HeaderMap,
}

/// What is to be published.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Outgoing<'a> {
    /// Where.
    pub channel: &'a str,
    /// What: JSON text.
    #[serde(serialize_with = "as_json")]
    pub data: &'a str,
    /// What kind of event it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<&'a str>,
    /// Under the same key it is published once, however often it is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'a str>,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// Its place in the channel; none where the channel keeps no history.
    pub position: Option<String>,
    /// When it was accepted, in milliseconds since 1970.
    pub timestamp: u64,
    /// The key was used before, and this is the place of the first try.
    pub duplicate: bool,
    /// How safely it is kept: `memory`, `os`, `fsync` or `broker`.
    pub level: String,
}

/// Why something was not done, or not known to be done.
#[derive(Debug)]
#[non_exhaustive]
pub enum RemoteError {
    /// The address or the key cannot be used.
    Usage(String),
    /// The data is not JSON.
    Data(String),
    /// The host has no address.
    NotResolved(String),
    /// Nothing answers there, or not in time.
    Unreachable(String),
    /// TLS failed.
    Tls(String),
    /// The server refused it.
    Refused {
        /// The HTTP status.
        status: u16,
        /// For programs: one of docs/errors.md.
        code: String,
        /// For people.
        message: String,
    },
    /// What answers is no Openline server.
    NotOpenline(String),
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Remote {
    /// For the server at `url`, such as `https://example.com`, with one of its API keys.
    ///
    /// # Errors
    /// The address or the key cannot be used.
    pub fn new(url: &str, key: &str) -> Result<Self, RemoteError> {
        let url = url.trim_end_matches('/').to_owned();
        let target = Target::parse(&url).map_err(|error| RemoteError::Usage(error.to_string()))?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {key}"))
            .map_err(|_| RemoteError::Usage("the key has characters that no key has".into()))?;
        bearer.set_sensitive(true);
        // Whoever names a host means it, wherever it is.
        let allow_private = vec![Allowed::host(&target.host, target.port)];
        let client = Client::new(Options { allow_private, ..Options::default() });
        Ok(Self { client, url, headers: HeaderMap::from_iter([(AUTHORIZATION, bearer)]) })
    }

    /// Publishes.
    ///
    /// # Errors
    /// See [`RemoteError`]. After [`RemoteError::Unreachable`] it may have been done; with a key it
    /// can be tried again all the same.
    pub async fn publish(&self, outgoing: &Outgoing<'_>) -> Result<Receipt, RemoteError> {
        if let Err(error) = serde_json::from_str::<&RawValue>(outgoing.data) {
            return Err(RemoteError::Data(error.to_string()));
        }
        let body = serde_json::to_vec(outgoing).expect("text keys, and data that was looked at");
        let url = format!("{}/api/v1/publish", self.url);
        let answer = self.client.post(&url, self.headers.clone(), Bytes::from(body)).await?;
        let other = || {
            let status = answer.status;
            RemoteError::NotOpenline(format!(
                "{} is no Openline server: it answers {status}",
                self.url
            ))
        };
        if answer.status == StatusCode::OK {
            return serde_json::from_slice(&answer.body).map_err(|_| other());
        }
        let refused: Refusal = serde_json::from_slice(&answer.body).map_err(|_| other())?;
        let Refused { code, message } = refused.error;
        Err(RemoteError::Refused { status: answer.status.as_u16(), code, message })
    }
}

#[derive(Deserialize)]
struct Refusal {
    error: Refused,
}

#[derive(Deserialize)]
struct Refused {
    code: String,
    message: String,
}

fn as_json<S: serde::Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<&RawValue>(text)
        .map_err(serde::ser::Error::custom)?
        .serialize(serializer)
}

impl From<OutboundError> for RemoteError {
    fn from(error: OutboundError) -> Self {
        let text = error.to_string();
        match error {
            OutboundError::Url(_) => Self::Usage(text),
            OutboundError::Resolve { .. } => Self::NotResolved(text),
            OutboundError::Tls { .. } => Self::Tls(text),
            OutboundError::TooLarge { .. } => Self::NotOpenline(text),
            OutboundError::Refused { .. }
            | OutboundError::Connect { .. }
            | OutboundError::Ended(_)
            | OutboundError::Timeout(_) => Self::Unreachable(text),
        }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(what) => write!(f, "the data is not JSON: {what}"),
            Self::Refused { code, message, .. } => write!(f, "{message} [{code}]"),
            Self::Usage(text)
            | Self::NotResolved(text)
            | Self::Unreachable(text)
            | Self::Tls(text)
            | Self::NotOpenline(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for RemoteError {}
