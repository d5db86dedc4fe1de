//! What a client's line goes through, without sockets: time and chance are arguments.

mod states;

pub use states::{Act, Event, State, transition};
