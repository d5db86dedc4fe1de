//! Endpoints with a vocabulary of their own: messages that are plain JSON objects, and messages that
//! are whatever the endpoint's handlers make of them. The handlers are those of [`app`](crate::app);
//! what a client says is read in [`session`](crate::session).

mod door;
mod form;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod object;
mod read;

pub(crate) use door::{Door, Guest, enter, spawn};
pub(crate) use form::{Form, Told, as_it_is, bare};
pub(crate) use read::{Incoming, Unreadable};
