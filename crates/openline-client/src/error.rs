//! What goes wrong, by whose doing.

use std::fmt;

use openline_protocol::{ChannelNameError, Failure};

/// Why a call was not done, or why it is not known whether it was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The server did not do it; says why.
    Server(Box<Failure>),
    /// There was no answer in time. It may have been done.
    Timeout,
    /// It waited for a line for too long, and was never sent.
    Expired,
    /// As much waits for a line as may, or newer messages took its place.
    QueueFull,
    /// The message is longer than the protocol allows.
    TooLarge {
        /// How many bytes it has.
        bytes: usize,
    },
    /// The line was lost before the answer came, or there is none and it was not to wait for one. It
    /// may have been done.
    ConnectionLost,
    /// There is no line, and there will be none before [`connect`](crate::Client::connect) is called
    /// again: the server refused this client, the attempts are used up, or it was closed.
    Stopped {
        /// The close code that led there.
        code: u16,
        /// Why, for people.
        reason: String,
    },
    /// It was [cancelled](crate::UploadControl::cancel).
    Cancelled,
    /// This client has a subscription to the channel already.
    AlreadySubscribed,
    /// The name of the channel breaks a rule.
    Channel(ChannelNameError),
    /// What was to be sent cannot be written as JSON, or what came is not of the wanted type; of a file,
    /// that it cannot be read or is not what was said of it. Says why.
    Payload(String),
    /// The server's answer is not one to this request.
    Unexpected,
}

impl Error {
    /// The code, for programs: the server's own, or one of this crate.
    pub fn code(&self) -> &str {
        match self {
            Self::Server(failure) => &failure.code,
            Self::Timeout => "timeout",
            Self::Expired => "expired",
            Self::QueueFull => "queue_full",
            Self::TooLarge { .. } => "too_large",
            Self::ConnectionLost => "connection_lost",
            Self::Stopped { .. } => "stopped",
            Self::Cancelled => "aborted",
            Self::AlreadySubscribed => "already_subscribed",
            Self::Channel(_) => "bad_channel",
            Self::Payload(_) => "bad_payload",
            Self::Unexpected => "unexpected",
        }
    }

    /// Whether the same call may succeed later without being changed. What may have been done is then
    /// done twice, unless it is a publish with the same key.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Server(failure) => failure.is_retryable(),
            Self::Timeout | Self::Expired | Self::QueueFull | Self::ConnectionLost => true,
            Self::TooLarge { .. }
            | Self::Stopped { .. }
            | Self::Cancelled
            | Self::AlreadySubscribed
            | Self::Channel(_)
            | Self::Payload(_)
            | Self::Unexpected => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(failure) => write!(f, "{}: {}", failure.code, failure.message),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Expired => f.write_str("there was no line to send it on for too long"),
            Self::QueueFull => f.write_str("too much waits for a line"),
            Self::TooLarge { bytes } => write!(
                f,
                "the message has {bytes} bytes, {} are allowed",
                openline_protocol::limits::MESSAGE_BYTES_MAX
            ),
            Self::ConnectionLost => f.write_str("there is no line, or it was lost"),
            Self::Stopped { code, reason } => {
                write!(f, "the client has stopped: {reason} ({code})")
            }
            Self::Cancelled => f.write_str("it was cancelled"),
            Self::AlreadySubscribed => {
                f.write_str("this client is subscribed to the channel already")
            }
            Self::Channel(error) => error.fmt(f),
            Self::Payload(what) => write!(f, "the payload does not fit: {what}"),
            Self::Unexpected => f.write_str("the server's answer is not one to this request"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Server(Box::new(failure))
    }
}

impl From<ChannelNameError> for Error {
    fn from(error: ChannelNameError) -> Self {
        Self::Channel(error)
    }
}

/// What is wrong with what a client was to be built from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is not one of a server; says why.
    Url(String),
    /// A header is not one of HTTP; says which.
    Header(String),
    /// An option is beyond its bounds; says which and how far.
    Option(String),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(what) => write!(f, "invalid address: {what}"),
            Self::Header(what) => write!(f, "invalid header: {what}"),
            Self::Option(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for BuildError {}
