//! [`Namespace`]: the clients of a namespace, and the names of its rooms.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use openline_protocol::{ChannelName, ErrorCode, Publication};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::Serialize;

use super::audience::Audience;
use super::handlers::Set;
use super::payload::Payload;
use super::reply::Refusal;
use crate::exchange::PAGE;
use crate::node::Node;

/// The clients of a namespace: those of all doors that it is served at. Cloning is cheap.
#[derive(Clone)]
pub struct Namespace {
    node: Arc<Node>,
    set: Arc<Set>,
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Namespace").field(&self.set.namespace).finish()
    }
}

impl Namespace {
    pub(crate) fn new(node: Arc<Node>, set: Arc<Set>) -> Self {
        Self { node, set }
    }

    /// The namespace of this name, if it has handlers.
    pub(crate) fn find(node: &Arc<Node>, name: &str) -> Option<Self> {
        let set = node.operator.doors.namespace(name)?.clone();
        Some(Self::new(node.clone(), set))
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// What it is called, such as `/`.
    pub fn name(&self) -> &str {
        &self.set.namespace
    }

    /// Another namespace of the same server, if it has handlers.
    pub fn other(&self, name: &str) -> Option<Self> {
        Self::find(&self.node, name)
    }

    /// Those in a room.
    pub fn to(&self, room: &str) -> Audience {
        self.everybody().to(room)
    }

    /// One client, by its id.
    pub fn client(&self, id: &str) -> Audience {
        self.everybody().to_client(id)
    }

    /// Everybody in the namespace, in rooms or not.
    pub fn everybody(&self) -> Audience {
        Audience::new(self.clone())
    }

    /// Sends everybody in the namespace an event.
    ///
    /// # Errors
    /// When the data cannot be written.
    pub async fn emit<T: Serialize + ?Sized>(&self, event: &str, data: &T) -> Result<(), Refusal> {
        self.everybody().emit_payload(event, Payload::new(data)?).await
    }

    /// What was said in a room last, at most so many, oldest first. There is nothing where the room's
    /// channel keeps no history.
    ///
    /// # Errors
    /// When the room has no name or its channel no configured namespace, or the broker does not
    /// answer.
    pub async fn history(&self, room: &str, newest: u32) -> Result<Vec<Arc<Publication>>, Refusal> {
        let channel = self.channel(room)?;
        let page = crate::session::newest(&self.node, &channel, newest, &PAGE).await;
        page.map_err(Refusal::of_fault)
    }

    /// The channel that a room is. Characters that channels may not have in their names are escaped
    /// as in addresses, and so is `%`, so that no two rooms are one channel.
    ///
    /// # Errors
    /// When the name is empty or too long.
    pub(crate) fn channel(&self, room: &str) -> Result<ChannelName, Refusal> {
        let mut name = match &*self.set.prefix {
            "" => String::new(),
            prefix => format!("{prefix}:"),
        };
        if room.is_empty() {
            return Err(Refusal::new(ErrorCode::BadChannel.as_str(), "a room has a name"));
        }
        for character in room.chars() {
            let mut buffer = [0; 4];
            let text = character.encode_utf8(&mut buffer);
            match character == '%' || character.is_whitespace() || character.is_control() {
                true => name.extend(percent_encode(text.as_bytes(), NON_ALPHANUMERIC)),
                false => name.push_str(text),
            }
        }
        ChannelName::new(&name)
            .map_err(|error| Refusal::new(ErrorCode::BadChannel.as_str(), error.to_string()))
    }

    /// The room that a channel is, if it is one of this namespace.
    pub(crate) fn room(&self, channel: &ChannelName) -> Option<String> {
        let name = match &*self.set.prefix {
            "" => channel.as_str(),
            prefix => channel.as_str().strip_prefix(prefix)?.strip_prefix(':')?,
        };
        Some(
            percent_decode_str(name)
                .decode_utf8()
                .map_or_else(|_| name.to_owned(), Cow::into_owned),
        )
    }
}
