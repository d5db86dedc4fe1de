//! The life of a connection after the handshake, as one table.
//!
//! Every transition stands in [`TRANSITIONS`], and nothing here knows which side it plays:
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> Open
//!     Open --> Closing: SendClose
//!     Open --> Closed: ReceiveClose
//!     Open --> Failed: Violation
//!     Open --> Ended: TransportEnd
//!     Closing --> Closed: ReceiveClose
//!     Closing --> Failed: Violation
//!     Closing --> Ended: TransportEnd
//!     Failed --> Ended: TransportEnd
//!     Closed --> Ended: TransportEnd
//!     Ended --> [*]
//! ```

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Messages flow both ways.
    Open,
    /// Our close frame is queued or sent; the peer's is awaited. Messages still come in.
    Closing,
    /// The peer broke the protocol: our close frame says how. What comes in is ignored.
    Failed,
    /// Both close frames were exchanged. The server now ends the transport, the client waits for
    /// that (RFC 6455 §7.1.1).
    Closed,
    /// The transport has ended.
    Ended,
}

/// What moves a connection from one state to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// We send a close frame.
    SendClose,
    /// The peer's close frame arrives.
    ReceiveClose,
    /// The peer breaks the protocol.
    Violation,
    /// The transport ends, by the peer, by an error, or because a deadline passed.
    TransportEnd,
}

/// All transitions. A pair that does not stand here is not a transition: the trigger is ignored.
pub const TRANSITIONS: &[(State, Trigger, State)] = &[
    (State::Open, Trigger::SendClose, State::Closing),
    // RFC 6455 §5.5.1: an endpoint that receives a close frame and has not sent one answers it.
    (State::Open, Trigger::ReceiveClose, State::Closed),
    (State::Open, Trigger::Violation, State::Failed),
    (State::Open, Trigger::TransportEnd, State::Ended),
    (State::Closing, Trigger::ReceiveClose, State::Closed),
    // Our close frame is queued already and there is only one (RFC 6455 §5.5.1): just stop listening.
    (State::Closing, Trigger::Violation, State::Failed),
    (State::Closing, Trigger::TransportEnd, State::Ended),
    (State::Failed, Trigger::TransportEnd, State::Ended),
    (State::Closed, Trigger::TransportEnd, State::Ended),
];

impl State {
    /// The state after `trigger`, or `None` when it changes nothing.
    pub fn after(self, trigger: Trigger) -> Option<Self> {
        TRANSITIONS
            .iter()
            .find(|(from, by, _)| *from == self && *by == trigger)
            .map(|(_, _, to)| *to)
    }

    /// Whether messages, pings and pongs may be sent. RFC 6455 §5.5.1 forbids data frames after our
    /// close frame; we send no pongs either, which §5.5.2 would have us do until the peer's close
    /// frame comes: a peer that looks at nothing after a close frame is not rare, and the line has
    /// [`crate::Timeouts::close`] to live.
    pub fn may_send(self) -> bool {
        self == Self::Open
    }

    /// Whether what the peer sends is still looked at.
    pub fn listens(self) -> bool {
        matches!(self, Self::Open | Self::Closing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_pair_once_and_never_leaves_the_end() {
        for (i, (from, by, to)) in TRANSITIONS.iter().enumerate() {
            assert_ne!(*from, State::Ended);
            assert_ne!(from, to);
            let again = TRANSITIONS[i + 1..].iter().any(|(f, b, _)| f == from && b == by);
            assert!(!again, "{from:?} {by:?} stands twice");
        }
    }

    #[test]
    fn the_diagram_is_the_table() {
        let drawn: Vec<&str> = include_str!("state.rs")
            .lines()
            .map_while(|line| line.strip_prefix("//!"))
            .map(str::trim)
            .filter(|line| line.contains("-->") && !line.contains("[*]"))
            .collect();
        let rows = TRANSITIONS.iter().map(|(from, by, to)| format!("{from:?} --> {to:?}: {by:?}"));
        assert_eq!(drawn, rows.collect::<Vec<_>>());
    }

    #[test]
    fn the_transport_may_end_in_every_state() {
        for state in [State::Open, State::Closing, State::Failed, State::Closed] {
            assert_eq!(state.after(Trigger::TransportEnd), Some(State::Ended));
        }
    }
}
