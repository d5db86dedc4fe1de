//! How clients reach their sessions.

mod entry;
pub(crate) mod poll;
pub(crate) mod sse;
pub(crate) mod websocket;

pub(crate) use entry::{Visitor, enter};
