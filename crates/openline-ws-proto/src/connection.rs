//! One connection after its handshake.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::close::{CloseCode, CloseReason};
use crate::config::{Config, Role, Timestamp};
use crate::deadlines::{Deadline, Deadlines, NEVER};
use crate::deflate::{Deflate, DeflateParams};
use crate::error::{ProtocolError, SendError};
use crate::event::{Chunk, Event};
use crate::frame::{CONTROL_PAYLOAD_MAX, FrameHead, FrameRules, Opcode};
use crate::mask::MaskKey;
use crate::outbox::{Compress, FrameKind, Outbox};
use crate::prepared::Prepared;
use crate::receiver::{ChunkData, ControlPayload, Found, Receiver, Surroundings, text_in_place};
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
        }
    }

    /// Takes bytes from the peer, up to the next event. Payloads are unmasked in place, so do not
    /// use what was consumed afterwards.
    ///
    /// Call it again with the rest until all is consumed; then write what is queued.
    ///
    /// # Errors
    /// When the peer breaks the protocol. The close frame that tells it so is queued: write it, and
    /// wait for the end of the transport until [`Connection::poll_timeout`]. Input is ignored from
    /// here on.
    pub fn handle_input<'a>(
        &'a mut self,
        input: &'a mut [u8],
        now: Timestamp,
    ) -> Result<Progress<'a>, ProtocolError> {
        if !self.state.listens() {
            return Ok(Progress { consumed: input.len(), event: None });
        }
        if !input.is_empty() {
            self.last_heard = now;
            self.deadlines.clear(Deadline::Pong);
        }
        let (consumed, found) = match self.find(input) {
            Ok(found) => found,
            Err(error) => return Err(self.fail(error, now)),
        };
        self.watch_message(now);
        match found {
            None => Ok(Progress { consumed, event: None }),
            Some(Found::Control(opcode, payload)) => {
                let payload = match payload {
                    ControlPayload::InPlace(range) => Cow::Borrowed(&input[range]),
                    ControlPayload::Owned(payload) => Cow::Owned(payload),
                };
                let event = self.control(opcode, payload, now)?;
                Ok(Progress { consumed, event: Some(event) })
            }
            Some(Found::InPlace(FrameKind::Text, range)) => match text_in_place(input, range) {
                Ok(text) => {
                    let event = Event::Text(Cow::Borrowed(text));
                    Ok(Progress { consumed, event: Some(event) })
                }
                Err(error) => Err(self.fail(error, now)),
            },
            Some(found) => Ok(Progress { consumed, event: Some(data_event(found, input)) }),
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
                    let _ = self.ping(&[]);
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

    /// What is to be written, in order. Report how much of it was with
    /// [`Connection::handle_transmitted`].
    pub fn poll_transmit(&mut self) -> impl Iterator<Item = &[u8]> {
        self.outbox.as_deref_mut().into_iter().flat_map(Outbox::poll_transmit)
    }

    /// The first `written` bytes of what [`Connection::poll_transmit`] showed were taken by the
    /// transport; 0 says that it takes nothing now, which starts the deadline for writing.
    pub fn handle_transmitted(&mut self, written: usize, now: Timestamp) {
        let Some(outbox) = &mut self.outbox else { return };
        outbox.advance(written);
        if outbox.is_empty() {
            self.release_outbox();
        } else if written > 0 || !self.deadlines.is_set(Deadline::Write) {
            self.deadlines.set(Deadline::Write, now, self.config.timeouts.write);
        }
    }

    /// Queues a message; the payload is copied.
    ///
    /// A text is to be UTF-8; [`Connection::send_shared`] and this trust the caller in that, so that
    /// what was checked once is not checked again.
    ///
    /// # Errors
    /// See [`SendError`]; nothing is queued then.
    pub fn send(&mut self, kind: FrameKind, payload: &[u8]) -> Result<(), SendError> {
        self.may_send_message()?;
        if self.compresses(payload.len(), Compress::Auto) {
            self.push_compressed(kind, payload);
            return Ok(());
        }
        let head = self.head(kind.opcode(), payload.len());
        self.outbox().push_frame(head, payload);
        Ok(())
    }

    /// Queues a message; a large payload is shared instead of copied.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn send_shared(
        &mut self,
        kind: FrameKind,
        payload: Bytes,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.may_send_message()?;
        if self.compresses(payload.len(), compress) {
            self.push_compressed(kind, &payload);
            return Ok(());
        }
        let head = self.head(kind.opcode(), payload.len());
        self.outbox().push_frame_shared(head, payload);
        Ok(())
    }

    /// Queues a message that was prepared for many.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn send_prepared(&mut self, message: &Prepared) -> Result<(), SendError> {
        if self.role == Role::Client {
            return self.send_shared(message.kind(), message.payload().clone(), Compress::Auto);
        }
        self.may_send_message()?;
        if self.compresses(message.payload().len(), Compress::Auto)
            && let Some(deflate) = &mut self.deflate
        {
            deflate.forget_sent();
            let window_bits = deflate.send_window_bits();
            self.outbox().push_encoded(message.deflated(window_bits));
        } else {
            self.outbox().push_encoded(message.plain());
        }
        Ok(())
    }

    /// Queues one fragment of a message, uncompressed: the first with its kind, later ones with
    /// `None`, the last with `fin`. Until then no other message can be sent; pings can.
    ///
    /// # Errors
    /// See [`SendError`].
    pub fn send_fragment(
        &mut self,
        kind: Option<FrameKind>,
        payload: Bytes,
        fin: bool,
    ) -> Result<(), SendError> {
        let opcode = match (kind, self.sending_fragments) {
            (Some(_), true) => return Err(SendError::MessageUnfinished),
            (None, false) => return Err(SendError::NoMessageStarted),
            (Some(kind), false) => kind.opcode(),
            (None, true) => Opcode::Continuation,
        };
        if !self.state.may_send() {
            return Err(SendError::Closed);
        }
        self.sending_fragments = !fin;
        let head = FrameHead { fin, ..self.head(opcode, payload.len()) };
        self.outbox().push_frame_shared(head, payload);
        Ok(())
    }

    /// Queues a ping, ahead of queued messages. A ping that still waits is replaced.
    ///
    /// # Errors
    /// A payload over 125 bytes, or a connection that is closing.
    pub fn ping(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_control(payload)?;
        let head = self.head(Opcode::Ping, payload.len());
        self.outbox().push_ping(head, payload);
        Ok(())
    }

    /// Queues a pong that nobody asked for (RFC 6455 §5.5.3).
    ///
    /// # Errors
    /// As [`Connection::ping`].
    pub fn pong(&mut self, payload: &[u8]) -> Result<(), SendError> {
        self.check_control(payload)?;
        let head = self.head(Opcode::Pong, payload.len());
        self.outbox().push_pong(head, payload);
        Ok(())
    }

    /// Begins the closing handshake: queues a close frame behind what is queued. Go on with input
    /// until the peer's close frame or [`Connection::poll_timeout`].
    ///
    /// # Errors
    /// A code that may not be sent. On a connection that is closing already it does nothing.
    pub fn close(&mut self, reason: CloseReason, now: Timestamp) -> Result<(), SendError> {
        if reason.code != CloseCode::NO_STATUS && !reason.code.may_be_sent() {
            return Err(SendError::InvalidCloseCode(reason.code));
        }
        if self.step(Trigger::SendClose) {
            self.push_close(&reason, now);
        }
        Ok(())
    }

    /// Drops the messages that wait and of which nothing is written yet, to end a line whose peer
    /// does not read. Call [`Connection::close`] next. Returns how many bytes were dropped.
    pub fn discard_queued(&mut self) -> usize {
        let dropped = self.outbox.as_mut().map_or(0, |outbox| outbox.discard_unstarted());
        self.release_outbox();
        dropped
    }

    /// Receives messages piece by piece ([`Event::Chunk`]) from here on, or whole again. A message
    /// that has begun goes on as chunks: what was put together of it comes first, with an empty
    /// input if need be. Switch back unless [`Connection::in_streamed_message`].
    pub fn set_streaming(&mut self, on: bool) {
        self.receiver.streaming = on;
        if on {
            self.deadlines.clear(Deadline::Message);
        }
    }

    /// Whether a message is under way of which a chunk was handed over already: the rest of it can
    /// only come as chunks.
    pub fn in_streamed_message(&self) -> bool {
        self.receiver.in_streamed_message()
    }

    /// Bytes that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        self.outbox.as_ref().map_or(0, |outbox| outbox.queued_bytes())
    }

    /// Whether anything waits to be written.
    pub fn wants_transmit(&self) -> bool {
        self.outbox.is_some()
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

    /// Whether `rest` begins with a whole frame, so that [`Connection::handle_input`] has something
    /// to do without more input. Only meaningful between frames, which is where it stops.
    pub fn has_whole_frame(&self, rest: &[u8]) -> bool {
        let rules = FrameRules { sender: self.role.peer(), deflate: self.deflate.is_some() };
        match FrameHead::parse(rest, rules) {
            Ok(Some((head, len))) => head.payload_len <= (rest.len() - len) as u64,
            Ok(None) => false,
            // An error is something to do as well.
            Err(_) => true,
        }
    }

    /// Steps through `input` until something is found or all of it is used.
    fn find(&mut self, input: &mut [u8]) -> Result<(usize, Option<Found>), ProtocolError> {
        let mut used = 0;
        loop {
            let around = Surroundings {
                role: self.role,
                limits: &self.config.limits,
                deflate: self.deflate.as_deref_mut(),
            };
            let (more, found) = self.receiver.step(&mut input[used..], around)?;
            let start = used;
            used += more;
            match found {
                Found::NeedMore => return Ok((used, None)),
                Found::Progress if used == input.len() => return Ok((used, None)),
                Found::Progress => {}
                found => return Ok((used, Some(found.shifted(start)))),
            }
        }
    }

    fn control<'a>(
        &mut self,
        opcode: Opcode,
        payload: Cow<'a, [u8]>,
        now: Timestamp,
    ) -> Result<Event<'a>, ProtocolError> {
        match opcode {
            Opcode::Ping => {
                // RFC 6455 §5.5.2: answer with a pong, unless a close frame came already; after our
                // own close frame nothing more may be sent (§5.5.1).
                if self.state.may_send() {
                    let head = self.head(Opcode::Pong, payload.len());
                    self.outbox().push_pong(head, &payload);
                }
                Ok(Event::Ping(payload))
            }
            Opcode::Pong => Ok(Event::Pong(payload)),
            _ => match CloseReason::parse(&payload) {
                Ok(reason) => Ok(self.close_received(reason, now)),
                Err(error) => Err(self.fail(error, now)),
            },
        }
    }

    fn close_received<'a>(&mut self, reason: CloseReason, now: Timestamp) -> Event<'a> {
        let answer_due = self.state == State::Open;
        self.step(Trigger::ReceiveClose);
        if answer_due {
            // RFC 6455 §5.5.1: the answer typically echoes the code.
            self.push_close(&CloseReason { code: reason.code, text: String::new() }, now);
        }
        self.deadlines.clear(Deadline::Message);
        self.closed = Some(Box::new(Closed { reason: reason.clone(), clean: true }));
        Event::Close(reason)
    }

    /// Fails the connection (RFC 6455 §7.1.7).
    fn fail(&mut self, error: ProtocolError, now: Timestamp) -> ProtocolError {
        let close_due = self.state == State::Open;
        self.step(Trigger::Violation);
        if close_due {
            self.push_close(&error.close_reason(), now);
        }
        self.deadlines.clear(Deadline::Message);
        self.closed = Some(Box::new(Closed {
            reason: CloseReason::new(CloseCode::ABNORMAL, error.to_string()),
            clean: false,
        }));
        error
    }

    fn push_close(&mut self, reason: &CloseReason, now: Timestamp) {
        let mut payload = Vec::with_capacity(2 + reason.text.len());
        reason.encode(&mut payload);
        let head = self.head(Opcode::Close, payload.len());
        self.outbox().push_close(head, &payload);
        self.deadlines.clear(Deadline::Pong);
        self.deadlines.set(Deadline::Close, now, self.config.timeouts.close);
    }

    /// Moves along the table; returns whether the trigger changed anything.
    fn step(&mut self, trigger: Trigger) -> bool {
        let next = self.state.after(trigger);
        self.state = next.unwrap_or(self.state);
        next.is_some()
    }

    fn watch_message(&mut self, now: Timestamp) {
        if !self.receiver.is_unfinished() || self.receiver.streaming {
            self.deadlines.clear(Deadline::Message);
        } else if !self.deadlines.is_set(Deadline::Message) {
            self.deadlines.set(Deadline::Message, now, self.config.timeouts.message);
        }
    }

    fn ping_due(&self) -> Timestamp {
        match self.config.timeouts.ping_interval {
            Some(interval)
                if self.state == State::Open && !self.deadlines.is_set(Deadline::Pong) =>
            {
                self.last_heard.after(interval)
            }
            _ => NEVER,
        }
    }

    fn may_send_message(&self) -> Result<(), SendError> {
        if !self.state.may_send() {
            return Err(SendError::Closed);
        }
        if self.sending_fragments {
            return Err(SendError::MessageUnfinished);
        }
        Ok(())
    }

    fn check_control(&self, payload: &[u8]) -> Result<(), SendError> {
        if payload.len() > CONTROL_PAYLOAD_MAX {
            return Err(SendError::ControlFrameTooLong);
        }
        if !self.state.may_send() {
            return Err(SendError::Closed);
        }
        Ok(())
    }

    fn compresses(&self, len: usize, compress: Compress) -> bool {
        let Some(deflate) = &self.deflate else { return false };
        let wanted = match compress {
            Compress::Auto => len >= self.config.deflate.threshold,
            Compress::Always => true,
            Compress::Never => false,
        };
        wanted && deflate.can_compress()
    }

    fn push_compressed(&mut self, kind: FrameKind, payload: &[u8]) {
        let deflate = self.deflate.as_mut().expect("compresses() saw it");
        let mut compressed = crate::buffer_pool::take();
        deflate.compress(payload, &mut compressed);
        let head = FrameHead { compressed: true, ..self.head(kind.opcode(), compressed.len()) };
        self.outbox().push_frame(head, &compressed);
        crate::buffer_pool::give(compressed);
    }

    fn outbox(&mut self) -> &mut Outbox {
        self.outbox.get_or_insert_with(Outbox::take)
    }

    /// Gives the outbox back if it is empty.
    fn release_outbox(&mut self) {
        if let Some(outbox) = self.outbox.take_if(|outbox| outbox.is_empty()) {
            Outbox::give(outbox);
            self.deadlines.clear(Deadline::Write);
        }
    }

    fn head(&self, opcode: Opcode, len: usize) -> FrameHead {
        FrameHead {
            fin: true,
            compressed: false,
            opcode,
            mask: self.mask_key(),
            payload_len: len as u64,
        }
    }

    /// RFC 6455 §5.3: a new key for each frame of a client.
    fn mask_key(&self) -> Option<MaskKey> {
        match self.role {
            Role::Server => None,
            Role::Client => self.config.mask_source.map(|source| source()),
        }
    }
}

impl Found {
    /// Moves its ranges by `by`.
    fn shifted(self, by: usize) -> Self {
        let shift = |range: Range<usize>| range.start + by..range.end + by;
        match self {
            Self::InPlace(kind, range) => Self::InPlace(kind, shift(range)),
            Self::Control(opcode, ControlPayload::InPlace(range)) => {
                Self::Control(opcode, ControlPayload::InPlace(shift(range)))
            }
            Self::Chunk { kind, data: ChunkData::InPlace(range), first, last } => {
                Self::Chunk { kind, data: ChunkData::InPlace(shift(range)), first, last }
            }
            owned => owned,
        }
    }
}

fn data_event(found: Found, input: &[u8]) -> Event<'_> {
    match found {
        Found::InPlace(_, range) => Event::Binary(Cow::Borrowed(&input[range])),
        Found::Assembled(FrameKind::Text, data) => Event::Text(Cow::Owned(
            String::from_utf8(data).expect("the receiver checked every piece and the end"),
        )),
        Found::Assembled(FrameKind::Binary, data) => Event::Binary(Cow::Owned(data)),
        Found::Chunk { kind, data, first, last } => {
            let data = match data {
                ChunkData::InPlace(range) => Cow::Borrowed(&input[range]),
                ChunkData::Owned(data) => Cow::Owned(data),
            };
            Event::Chunk(Chunk { kind, data, first, last })
        }
        Found::NeedMore | Found::Progress | Found::Control(..) => {
            unreachable!("handle_input() dealt with it")
        }
    }
}
