//! Questions to all nodes, and their answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::revoked::Revoked;
use super::wire::{Name, Person, Why};
use crate::session::Whom;

/// What a node is asked. It may come twice, which is as good as once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Question {
    /// The first so many by their ids, behind `after`.
    Clients {
        user: Option<String>,
        channel: Option<Name>,
        after: Option<String>,
        count: u32,
    },
    Client {
        client: String,
    },
    /// Those with subscribers, the first so many by their names, behind `after`.
    Channels {
        prefix: String,
        after: Option<String>,
        count: u32,
    },
    Channel {
        channel: Name,
    },
    /// The first so many of the node's own, behind `after`.
    Members {
        channel: Name,
        after: Option<Arc<str>>,
        count: u32,
    },
    /// Ends lines.
    Expel {
        whom: Whom,
        why: Why,
    },
    /// Takes something back, and ends the lines that it opened.
    Revoke {
        revoked: Revoked,
        whom: Whom,
        why: Why,
    },
}

/// What a node answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// In the order of their keys.
    Rows(Vec<Row>),
    Members {
        members: Vec<Person>,
        /// All of the node's own.
        count: u64,
        /// They are complete up to this client; none is to the end.
        until: Option<Arc<str>>,
    },
    Channels(Vec<(Name, u64)>),
    Channel {
        subscribers: u64,
        members: u64,
    },
    /// So many lines were ended.
    Lines(u64),
    /// It is not done, or the answer is not to be had; says why.
    Refused(String),
}

/// An entry of a list, as the HTTP API shows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) json: String,
}
