//! Where the listening socket comes from, and how one process of a server takes over from another so
//! that no client is refused.
//!
//! | The new process (`predecessor`) | The running one (`successor`) |
//! |---|---|
//! | `hello` | |
//! | | `listener`, with the socket |
//! | `ready`: only the store is missing | |
//! | | closes the store; `revoked`, `given` |
//! | opens the store; `serving` | |
//! | | passes lines, where both can: see `movers` |
//! | accepts | |
//! | | accepts no more, and drains |
//!
//! Each step has a time. Until it has heard `serving` the running process takes everything back when
//! the new one ends or is late, and its lines notice nothing but that publications are refused for a
//! moment, with an error that clients try again after.
//!
//! - *Invariant:* one process orders and keeps at a time. The store's lock sees to it, and a process
//!   that is not heard in time cannot say `serving` any more ([`talk::Talk::stop_hearing`]).

mod control;
mod listening;
mod movers;
mod newcomers;
mod predecessor;
mod revoked;
mod successor;
mod talk;

pub use listening::Listening;
pub use predecessor::TakeoverError;

pub(crate) use successor::serve;
