//! What handlers say to clients, on its way to other nodes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::wire::{Name, Payload, Person};

/// Something that is not kept, for those who listen to a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Audible {
    Typing { member: Person, is_typing: bool },
    Event { event: String, data: Payload },
}

/// Whom something is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Addressed {
    pub(crate) namespace: String,
    /// None is everybody.
    pub(crate) rooms: Option<Vec<Name>>,
    pub(crate) clients: Vec<Arc<str>>,
    pub(crate) except_rooms: Vec<Name>,
    pub(crate) except_clients: Vec<Arc<str>>,
}
