//! What was taken back, told to other nodes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::auth::Subject;

/// What was taken back, from when to when in seconds since 1970. Their order is that of telling.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Revoked {
    pub(crate) subject: Taken,
    pub(crate) since: u64,
    pub(crate) until: u64,
}

/// What a [`Subject`] is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Taken {
    Token(Arc<str>),
    User(Arc<str>),
    Client(Arc<str>),
}

impl From<Subject> for Taken {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Token(name) => Self::Token(name),
            Subject::User(name) => Self::User(name),
            Subject::Client(name) => Self::Client(name),
        }
    }
}

impl From<Taken> for Subject {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Token(name) => Self::Token(name),
            Taken::User(name) => Self::User(name),
            Taken::Client(name) => Self::Client(name),
        }
    }
}
