//! One connection after its handshake.

mod receiving;
mod sending;

use std::sync::Arc;

use crate::close::{CloseCode, CloseReason};
use crate::config::{Config, Role, Timestamp};
use crate::deadlines::{Deadline, Deadlines, NEVER};
use crate::deflate::{Deflate, DeflateParams};
use crate::event::Event;
use crate::outbox::Outbox;
use crate::receiver::Receiver;
use crate::state::{State, Trigger};

/// A WebSocket connection as a state machine.
///
/// Its methods come in four families: `handle_*` takes in what happened, `poll_*` tells what is to
/// be done next, `send*`, [`Connection::ping`] and [`Connection::close`] queue output, the rest
/// answers questions. After any call of the first and third family look at
/// [`Connection::poll_transmit`] and [`Connection::poll_timeout`] again.
#[derive(Debug)]
pub struct Connection {
    config: Arc<Config>,
    receiver: Receiver,
    /// What waits to be written, while anything does.
    outbox: Option<Box<Outbox>>,
    deflate: Option<Box<Deflate>>,
    closed: Option<Box<Closed>>,
    last_heard: Timestamp,
    deadlines: Deadlines,
    role: Role,
    state: State,
    /// We have begun a fragmented message and not ended it.
    sending_fragments: bool,
    /// The transport takes nothing more.
    write_ended: bool,
}

/// How far [`Connection::handle_input`] came.
#[derive(Debug, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Bytes of the input that are done with. When it is less than all, call again with the rest.
    pub consumed: usize,
    /// What they amounted to, if anything.
    pub event: Option<Event<'a>>,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// The peer's code and reason; 1006 when there was no close frame.
    pub reason: CloseReason,
    /// Both sides sent a close frame (RFC 6455 §7.1.4).
    pub clean: bool,
}

/// A deadline passed and the connection is over: end the transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// Nothing came after our ping.
    Pong,
    /// A message began and did not end; the close frame (1008) that says so is queued.
    Message,
    /// The peer takes nothing of what waits for it.
    Write,
    /// The closing handshake was not completed.
    Close,
}

impl std::fmt::Display for Expired {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Pong => "no answer to a ping in time",
            Self::Message => "a message was not finished in time",
            Self::Write => "the peer takes no data",
            Self::Close => "the peer did not complete the closing handshake in time",
        })
    }
}

impl Connection {
    /// A connection whose handshake is done. `deflate` is what the handshake agreed on.
    ///
    /// # Panics
    /// When `role` is [`Role::Client`] and the configuration has no mask source.
    pub fn new(
        role: Role,
        config: Arc<Config>,
        deflate: Option<DeflateParams>,
        now: Timestamp,
    ) -> Self {
        assert!(
            role == Role::Server || config.mask_source.is_some(),
            "Config::mask_source must be set for a client"
        );
        let level = config.deflate.level;
        Self {
            config,
            receiver: Receiver::default(),
            outbox: None,
            deflate: deflate.map(|params| Box::new(Deflate::new(params, role, level))),
            closed: None,
            last_heard: now,
            deadlines: Deadlines::default(),
            role,
            state: State::Open,
            sending_fragments: false,
            write_ended: false,
        }
    }

    /// The transport has ended, by the peer or by an error. Nothing more will come.
    pub fn handle_eof(&mut self) {
        self.step(Trigger::TransportEnd);
        self.closed.get_or_insert_with(|| {
            Box::new(Closed { reason: CloseReason::new(CloseCode::ABNORMAL, ""), clean: false })
        });
    }

    /// Lets deadlines act that have passed; call it when [`Connection::poll_timeout`] is reached.
    /// It may queue a ping.
    ///
    /// When it returns [`Expired`], write what can be written without waiting and end the transport.
    pub fn handle_timeout(&mut self, now: Timestamp) -> Option<Expired> {
        if self.state == State::Ended {
            return None;
        }
        let expired = match self.deadlines.passed(now) {
            Some(Deadline::Close) => Expired::Close,
            Some(Deadline::Write) => Expired::Write,
            Some(Deadline::Pong) => Expired::Pong,
            Some(Deadline::Message) => {
                let reason =
                    CloseReason::new(CloseCode::POLICY_VIOLATION, Expired::Message.to_string());
                let _ = self.close(reason, now);
                Expired::Message
            }
            None => {
                if now >= self.ping_due() {
                    self.deadlines.set(Deadline::Pong, now, self.config.timeouts.pong);
                    // With no pong deadline the next ping is due after another quiet interval.
                    self.last_heard = now;
                    self.push_keepalive();
                }
                return None;
            }
        };
        self.handle_eof();
        Some(expired)
    }

    /// When [`Connection::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        if self.state == State::Ended {
            return None;
        }
        let next = self.ping_due().min(self.deadlines.next());
        (next != NEVER).then_some(next)
    }

    /// Bytes that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.queued_bytes())
    }

    /// Bytes that wait to be written and that nobody else holds: what an end of the connection frees
    /// of them. A payload that was prepared for many counts for the last who holds it.
    pub fn own_bytes(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.own_bytes())
    }

    /// Whether anything waits to be written.
    pub fn wants_transmit(&self) -> bool {
        self.outbox.is_some()
    }

    /// Whether nothing is under way: the connection is open, nothing waits to be written, no part of a
    /// frame or of a message has been taken in or sent, and no window of compression is kept from one
    /// message to the next. One that is made anew under the same terms goes on where this one is.
    pub fn is_quiet(&self) -> bool {
        self.state == State::Open
            && !self.write_ended
            && self.outbox.is_none()
            && !self.sending_fragments
            && !self.receiver.is_unfinished()
            && !self.receiver.streaming
            && self.deflate.as_ref().is_none_or(|deflate| !deflate.keeps_windows())
    }

    /// Which side this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where the connection is in its life.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether the transport is to be ended by this side now: both close frames are through and this
    /// is the server (RFC 6455 §7.1.1), or nothing more can come of the connection.
    pub fn should_end_transport(&self) -> bool {
        match self.state {
            State::Ended => true,
            State::Closed => self.role == Role::Server && self.outbox.is_none(),
            State::Open | State::Closing | State::Failed => false,
        }
    }

    /// How the connection ended, once it has: the peer's close frame came, or the transport ended.
    pub fn closed(&self) -> Option<&Closed> {
        self.closed.as_deref()
    }

    /// Moves along the table; returns whether the trigger changed anything.
    fn step(&mut self, trigger: Trigger) -> bool {
        let next = self.state.after(trigger);
        self.state = next.unwrap_or(self.state);
        next.is_some()
    }

    /// Lets the time for the closing handshake begin anew, if it has begun: for input that is handled
    /// later than at the time it is handled under.
    pub fn restart_close_deadline(&mut self, now: Timestamp) {
        if self.deadlines.is_set(Deadline::Close) {
            self.deadlines.set(Deadline::Close, now, self.config.timeouts.close);
        }
    }

    /// When something came from the peer last, or, if later, when it was last sent a ping for its
    /// silence.
    pub fn last_heard(&self) -> Timestamp {
        self.last_heard
    }

    fn ping_due(&self) -> Timestamp {
        match self.config.timeouts.ping_interval {
            Some(interval)
                if self.state == State::Open
                    && !self.deadlines.is_set(Deadline::Pong)
                    && !self.deadlines.is_set(Deadline::Write) =>
            {
                self.last_heard.after(interval)
            }
            _ => NEVER,
        }
    }
}
