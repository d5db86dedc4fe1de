//! `/chat`: the plain-JSON chat. A page needs no library for it, only `JSON.parse`.

mod command;
mod member;
mod reply;
mod room;

pub(crate) use member::serve;
pub(crate) use room::Rooms;

/// The subprotocols that are taken, the best first.
pub(crate) const PROTOCOLS: [&str; 4] = ["chat-v2", "chat-v1", "chat", "v2"];
