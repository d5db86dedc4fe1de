//! Tokens, which the application gives when it is asked.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

pub use crate::machine::Why;

/// What the application is asked for a token with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AuthContext {
    /// Why.
    pub why: Why,
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthError {
    pub(crate) reason: String,
    pub(crate) is_fatal: bool,
}

impl AuthError {
    /// There is none just now. It counts as a failed attempt, and there will be another.
    pub fn retry(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), is_fatal: false }
    }

    /// There will be none: the client stops.
    pub fn fatal(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), is_fatal: true }
    }
}

impl<E: std::error::Error> From<E> for AuthError {
    fn from(error: E) -> Self {
        Self::retry(error)
    }
}

pub(crate) type TokenFuture =
    Pin<Box<dyn Future<Output = Result<Option<String>, AuthError>> + Send>>;
pub(crate) type Auth = Arc<dyn Fn(AuthContext) -> TokenFuture + Send + Sync>;
