//! Why a request brought no answer.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use http::StatusCode;

/// None of these shows more of a URL than host and port, nor any header.
#[derive(Debug, Clone)]
pub(crate) enum OutboundError {
    /// The URL cannot be used; says why.
    Url(&'static str),
    /// The host has no address.
    Resolve { host: String, what: String },
    /// The host has no address that may be connected to.
    Refused { host: String, port: u16, address: IpAddr, range: &'static str },
    /// Nothing took the connection.
    Connect { host: String, port: u16, what: String },
    /// TLS failed: a bad certificate, or no TLS at all.
    Tls { host: String, what: String },
    /// The connection failed or ended before the answer did.
    Ended(String),
    /// The answer is longer than allowed. What was asked for has been done, or not, as the status
    /// says.
    TooLarge { status: StatusCode, limit: usize },
    /// There was no whole answer in this time.
    Timeout(Duration),
}

impl OutboundError {
    pub(super) fn ended(error: &dyn Error) -> Self {
        Self::Ended(innermost(error).to_string())
    }
}

impl From<&hyper_util::client::legacy::Error> for OutboundError {
    fn from(error: &hyper_util::client::legacy::Error) -> Self {
        let own = error.source().and_then(|source| source.downcast_ref::<Self>());
        own.cloned().unwrap_or_else(|| Self::ended(error))
    }
}

impl fmt::Display for OutboundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(what) => write!(f, "the URL cannot be used: {what}"),
            Self::Resolve { host, what } => write!(f, "cannot resolve {host}: {what}"),
            Self::Refused { host, port, address, range } => {
                let known = host.parse() == Ok(*address);
                let is = if known { "is".to_owned() } else { format!("is {address},") };
                write!(f, "{host}:{port} {is} {range}; list {address} if this is meant")
            }
            Self::Connect { host, port, what } => {
                write!(f, "cannot connect to {host}:{port}: {what}")
            }
            Self::Tls { host, what } => write!(f, "TLS with {host} failed: {what}"),
            Self::Ended(what) => write!(f, "the connection ended before the answer: {what}"),
            Self::TooLarge { status, limit } => {
                write!(f, "the answer (status {}) is longer than {limit} bytes", status.as_u16())
            }
            Self::Timeout(timeout) => write!(f, "no answer in {} s", timeout.as_secs_f32()),
        }
    }
}

impl Error for OutboundError {}

/// What the outer errors only say in general words.
fn innermost<'a>(error: &'a (dyn Error + 'a)) -> &'a (dyn Error + 'a) {
    let mut at = error;
    while let Some(source) = at.source() {
        at = source;
    }
    at
}
