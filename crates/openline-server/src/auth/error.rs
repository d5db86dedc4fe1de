//! Why a token was not accepted: what the peer is told, and what only the log may say.

use std::fmt;

/// Why a token was not accepted. `Display` is the sentence for the peer and holds nothing of the
/// token but the name of a known algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuthError {
    /// There was none, and one is needed.
    Missing,
    /// There is nothing to check tokens with.
    NoKeys,
    /// Not a token, or not one that we read.
    Malformed(String),
    /// Signed with an algorithm that the key is not for.
    Algorithm { found: &'static str, expected: String },
    /// No key by that name.
    UnknownKey {
        /// What the token said; for the log only.
        kid: Option<Box<str>>,
        jwks: bool,
    },
    /// The signature is not by the key.
    Signature,
    /// A claim is missing or wrong.
    Claim(String),
    /// Past its time.
    Expired { seconds: u64, leeway: u64 },
    /// Before its time.
    NotYetValid { seconds: u64, leeway: u64 },
    /// Made for someone else.
    Audience(String),
    /// Taken back, by token, user or client.
    Revoked,
    /// A renewal in another user's name.
    OtherUser,
    /// The signing keys cannot be had just now: nothing is known about the token.
    Unavailable {
        /// What went wrong; for the log only.
        detail: Box<str>,
    },
}

impl AuthError {
    /// The code for programs, one of `spec/codes.toml`.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Missing => "unauthorized",
            Self::Expired { .. } => "token_expired",
            Self::Unavailable { .. } => "unavailable",
            _ => "auth_failed",
        }
    }

    /// The sentence for people.
    pub(crate) fn message(&self) -> String {
        self.to_string()
    }

    /// What the line is closed with.
    pub(crate) fn close_code(&self) -> u16 {
        match self {
            Self::Expired { .. } => 4000,
            Self::Unavailable { .. } => 1013,
            _ => 4002,
        }
    }

    /// What the request is answered with before there is a line.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Self::Missing => 401,
            Self::Unavailable { .. } => 503,
            _ => 403,
        }
    }

    #[cfg(test)]
    pub(crate) fn is_expired(&self) -> bool {
        matches!(self, Self::Expired { .. })
    }

    /// Whether the same token may be accepted a little later.
    pub(crate) fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }

    /// What only the log may say, escaped.
    pub(crate) fn detail(&self) -> Option<String> {
        match self {
            Self::UnknownKey { kid: Some(kid), .. } => Some(format!("kid {}", kid.escape_debug())),
            Self::Unavailable { detail } => Some(detail.escape_debug().to_string()),
            _ => None,
        }
    }
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("a token is needed, and there was none"),
            Self::NoKeys => f.write_str("this server has no keys to check tokens with"),
            Self::Malformed(what) | Self::Claim(what) => f.write_str(what),
            Self::Algorithm { found, expected } => {
                write!(f, "token algorithm {found} is not allowed; expected {expected}")
            }
            Self::UnknownKey { kid, jwks } => {
                let place = if *jwks { "configured JWKS" } else { "configured keys" };
                match kid {
                    Some(_) => write!(f, "no key with the token's kid in the {place}"),
                    None => {
                        write!(f, "token has no kid, and it takes one to choose from the {place}")
                    }
                }
            }
            Self::Signature => f.write_str("token signature does not fit the key"),
            Self::Expired { seconds, leeway } => {
                write!(f, "token expired {seconds} s ago (leeway {leeway} s)")
            }
            Self::NotYetValid { seconds, leeway } => {
                write!(f, "token is not valid for another {seconds} s (leeway {leeway} s)")
            }
            Self::Audience(audience) => write!(f, "token audience does not include {audience}"),
            Self::Revoked => f.write_str("token was revoked"),
            Self::OtherUser => f.write_str("token is for another user than the line's"),
            Self::Unavailable { .. } => {
                f.write_str("the signing keys cannot be fetched just now; try again")
            }
        }
    }
}

impl std::error::Error for AuthError {}
