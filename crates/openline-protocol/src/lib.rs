//! The messages that clients and servers exchange, protocol v1: what `spec/PROTOCOL.md` says, as
//! types.
//!
//! Text or bytes in, a [`Request`] out ([`parse_request`]); a [`Reply`] or a [`Publication`] in,
//! text or bytes out ([`Reply::encode`], [`Publication::encode`]). The payload of a publication is
//! checked, but neither copied nor taken apart: it is a slice of the message that it came in. The other
//! way round, for clients: [`Request::encode`] and [`Message::decode`].
//!
//! ```
//! use bytes::Bytes;
//! use openline_protocol::{Command, Format, parse_request};
//!
//! let text = Bytes::from_static(br#"{"type":"publish","id":7,"channel":"news","data":{"n":1}}"#);
//! let request = parse_request(Format::Json, &text)?;
//! let Command::Publish(publish) = request.command else { panic!() };
//! assert_eq!(publish.channel.as_str(), "news");
//! # Ok::<(), openline_protocol::Fault>(())
//! ```
//!
//! # Not here
//! Sockets, clocks, entropy, channels that hold anything, and what a server answers to which request:
//! this crate only knows how it is written.

mod channel;
mod codes;
mod data;
mod fault;
mod id;
mod json;
pub mod limits;
mod message;
mod msgpack;
mod position;
mod publication;
mod reply;
mod request;
mod writer;

pub use channel::{ChannelName, ChannelNameError};
pub use codes::{BUILT_IN_TYPES, ErrorCode, Reason, UnknownCode, close};
pub use data::Data;
pub use fault::{Fault, OfTransfer};
pub use id::Id;
pub use json::each_json_element;
pub use message::{
    DecodeError, Failure, HistoryPage, Message, PresenceChange, PresencePage, Published,
    Subscribed, Subscription, UploadOpen, Welcome,
};
pub use position::{BadPosition, Position};
pub use publication::{Publication, Sender};
pub use reply::{Joined, Member, Recovery, Reply, StoredFile, SubscribedTo};
pub use request::{
    Chunk, Command, Complete, Format, HistoryQuery, NewFile, Publish, Request, SubscribeTo, Upload,
    parse_request,
};
