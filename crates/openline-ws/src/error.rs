//! Errors of a line that is open. Those of opening one stand beside [`crate::connect`] and
//! [`crate::accept`].

use std::fmt;
use std::io;

use openline_ws_proto::{Expired, ProtocolError, SendError};

/// Why an act on a line failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The peer broke the protocol or a limit. It was told so in a close frame, and the line is
    /// over.
    Protocol(ProtocolError),
    /// The line is closed or closing: nothing more can be sent.
    Closed,
    /// The call does not fit the line's state or the protocol; the line is unharmed.
    Misuse(SendError),
    /// A deadline passed and the line is over.
    Timeout(Expired),
    /// The transport failed, other than by the peer's going away.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protocol(error) => write!(f, "protocol error by the peer: {error}"),
            Self::Closed => f.write_str("the connection is closed"),
            Self::Misuse(error) => error.fmt(f),
            Self::Timeout(expired) => expired.fmt(f),
            Self::Io(error) => write!(f, "transport failed: {error}"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Protocol(error) => Some(error),
            Self::Misuse(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Closed | Self::Timeout(_) => None,
        }
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Closed => Self::Closed,
            misuse => Self::Misuse(misuse),
        }
    }
}

/// Whether the error only says that the peer went away, which is an end like any other (code 1006)
/// rather than a failure.
pub(crate) fn is_peer_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
            | io::ErrorKind::NotConnected
    ) || is_stream_gone(error)
}

/// Over HTTP/2 a peer goes away by resetting its stream (RFC 8441 §5), as a browser does when a page
/// is left. hyper wraps that and all that ends the connection below into an error of its own kind.
#[cfg(feature = "hyper")]
fn is_stream_gone(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<hyper::Error>())
}

#[cfg(not(feature = "hyper"))]
fn is_stream_gone(_: &io::Error) -> bool {
    false
}
