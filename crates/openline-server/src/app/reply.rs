//! What a handler answers: [`IntoReply`], [`Refusal`], [`BuiltIn`].

use std::borrow::Cow;
use std::fmt;

use openline_protocol::{Data, ErrorCode, Fault};
use serde::Serialize;

use super::kind;
use super::payload::Payload;

/// What came of a call.
#[derive(Debug)]
pub enum Answer {
    /// The answer, or that there is nothing to say.
    Reply(Payload),
    /// What the server does with this type of message by itself is to be done: [`BuiltIn`].
    BuiltIn,
}

/// Returned by a handler of a built-in type: the server is to do what it does without the handler.
///
/// Where it stands for a type that is not built in, the client is told that the type is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltIn;

/// Why a handler does not do what it was asked. The client gets it as `error`, with the code and the
/// sentence, and the line stays open.
///
/// `?` on any error makes one with the code `internal`: the client does not see what it says, the log
/// does.
#[derive(Debug, Clone)]
pub struct Refusal {
    code: Cow<'static, str>,
    message: String,
    /// Boxed, because most refusals have none of it, and all results carry one.
    more: Option<Box<More>>,
}

/// What few refusals have.
#[derive(Debug, Clone, Default)]
struct More {
    retry_after_ms: Option<u64>,
    data: Option<Data>,
    /// For the log, where the client is not to see it.
    cause: Option<String>,
}

impl Refusal {
    /// Says no. The code is for programs, the message for people: what was wrong, and what would be
    /// right.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), more: None }
    }

    /// `bad_request`.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest.as_str(), message)
    }

    /// `forbidden`.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::Forbidden.as_str(), message)
    }

    /// When to try again, in milliseconds from now.
    #[must_use]
    pub fn retry_after_ms(mut self, milliseconds: u64) -> Self {
        self.more().retry_after_ms = Some(milliseconds);
        self
    }

    /// More for programs, beside the code: Socket.IO clients find it as `data` of `connect_error`, others
    /// as `data` of `error`.
    ///
    /// # Errors
    /// When the data cannot be written.
    pub fn with_data<T: Serialize + ?Sized>(mut self, data: &T) -> Result<Self, Self> {
        self.more().data = Some(Payload::new(data)?.to_data());
        Ok(self)
    }

    pub(crate) fn data(&self) -> Option<&Data> {
        self.more.as_ref()?.data.as_ref()
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// What the server itself says no with.
    pub(crate) fn of_fault(fault: Fault) -> Self {
        let refusal = Self::new(fault.code.as_str(), fault.message);
        match fault.retry_after_ms {
            Some(milliseconds) => refusal.retry_after_ms(milliseconds),
            None => refusal,
        }
    }

    /// `internal`; the cause is for the log alone.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        let mut refusal = Self::new(ErrorCode::Internal.as_str(), "the server's handler failed");
        refusal.more().cause = Some(cause.into());
        refusal
    }

    /// The code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn retry_after(&self) -> Option<u64> {
        self.more.as_ref()?.retry_after_ms
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.more.as_ref()?.cause.as_deref()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

// `Refusal` is no `Error` itself, so that this does not meet `impl From<T> for T`.
impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::internal(error.to_string())
    }
}

/// What a handler may return: a value that can be written, a [`Refusal`] in its place, nothing, or
/// [`BuiltIn`].
///
/// The parameter tells the kinds apart and is found by the compiler.
pub trait IntoReply<Kind> {
    /// What came of the call.
    ///
    /// # Errors
    /// The refusal.
    fn into_reply(self) -> Result<Answer, Refusal>;
}

impl<T: Serialize> IntoReply<kind::Value> for T {
    fn into_reply(self) -> Result<Answer, Refusal> {
        Payload::new(&self).map(Answer::Reply)
    }
}

impl<T: Serialize> IntoReply<kind::Fallible> for Result<T, Refusal> {
    fn into_reply(self) -> Result<Answer, Refusal> {
        self.and_then(|value| Payload::new(&value)).map(Answer::Reply)
    }
}

impl<T: Into<Answer>> IntoReply<kind::Ready> for T {
    fn into_reply(self) -> Result<Answer, Refusal> {
        Ok(self.into())
    }
}

impl<T: Into<Answer>> IntoReply<kind::FallibleReady> for Result<T, Refusal> {
    fn into_reply(self) -> Result<Answer, Refusal> {
        self.map(Into::into)
    }
}

impl From<BuiltIn> for Answer {
    fn from(BuiltIn: BuiltIn) -> Self {
        Self::BuiltIn
    }
}

impl From<Payload> for Answer {
    fn from(payload: Payload) -> Self {
        Self::Reply(payload)
    }
}
