//! How clients reach their sessions.

mod asked;
mod deadline;
mod elsewhere;
mod entry;
mod event;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod kept;
pub(crate) mod poll;
mod post;
mod secret;
pub(crate) mod sse;
mod web;
pub(crate) mod websocket;

pub(crate) use deadline::WriteDeadline;
pub(crate) use elsewhere::{Home, find_home, hand_over};
pub(crate) use entry::{
    Visitor, enter, enter_as, enter_endpoint, enter_uncounted, enter_without_line,
    enter_without_token,
};
pub(crate) use kept::KeptSessions;
pub(crate) use secret::SessionSecret;
