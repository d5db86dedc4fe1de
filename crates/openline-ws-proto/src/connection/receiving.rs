//! What a connection makes of the bytes that come in.

use std::borrow::Cow;
use std::ops::Range;

use super::{Closed, Connection, Progress};
use crate::close::{CloseCode, CloseReason};
use crate::config::Timestamp;
use crate::deadlines::Deadline;
use crate::error::ProtocolError;
use crate::event::{Chunk, Event, PlainMessage};
use crate::frame::{FrameRules, Opcode, PlainFrame};
use crate::mask::mask;
use crate::outbox::FrameKind;
use crate::receiver::{ChunkData, ControlPayload, Found, Surroundings, text_in_place};
use crate::state::{State, Trigger};

impl Connection {
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
        if let Some(frame) = self.plain_frame(input) {
            let consumed = frame.end;
            let event = match self.plain_message(frame, input, now)? {
                PlainMessage::Text(text) => Event::Text(Cow::Borrowed(text)),
                PlainMessage::Binary(data) => Event::Binary(Cow::Borrowed(data)),
            };
            return Ok(Progress { consumed, event: Some(event) });
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

    /// As [`Connection::handle_input`], for what most input is: a message in one uncompressed frame, which lies whole
    /// in `input` and is the next thing there. Comes with how many bytes are done with. `None` leaves what else there
    /// may be to `handle_input`.
    ///
    /// It is the same in fewer steps, for callers whose messages are small and many.
    #[inline]
    pub fn handle_plain_input<'a>(
        &mut self,
        input: &'a mut [u8],
        now: Timestamp,
    ) -> Option<Result<(PlainMessage<'a>, usize), ProtocolError>> {
        let frame = self.plain_frame(input).filter(|_| self.state.listens())?;
        self.last_heard = now;
        self.deadlines.clear(Deadline::Pong);
        let consumed = frame.end;
        Some(self.plain_message(frame, input, now).map(|message| (message, consumed)))
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

    /// Whether [`Connection::handle_input`] would come to something with `rest`, the input that was
    /// not consumed yet, and no more: to a whole frame, to a piece of one that is under way, or to
    /// what was put together of a message before it was streamed.
    pub fn has_whole_frame(&self, rest: &[u8]) -> bool {
        if !self.state.listens() {
            return false;
        }
        if self.plain_frame(rest).is_some() {
            return true;
        }
        let rules = FrameRules { sender: self.role.peer(), deflate: self.deflate.is_some() };
        self.receiver.has_work(rest, rules)
    }

    /// A message that is one uncompressed frame and lies whole in the input, where it is the next
    /// thing that may come. [`Connection::find`] would find it too, in three times the time.
    #[inline]
    fn plain_frame(&self, input: &[u8]) -> Option<PlainFrame> {
        if self.receiver.is_unfinished() || self.receiver.streaming {
            return None;
        }
        let frame = PlainFrame::find(input, self.role.peer())?;
        let len = (frame.end - frame.start) as u64;
        let limits = &self.config.limits;
        let fits = len <= limits.frame_bytes_max && len <= limits.message_bytes_max;
        (fits && limits.fragments_max > 0).then_some(frame)
    }

    #[inline]
    fn plain_message<'a>(
        &mut self,
        frame: PlainFrame,
        input: &'a mut [u8],
        now: Timestamp,
    ) -> Result<PlainMessage<'a>, ProtocolError> {
        if let Some(key) = frame.mask {
            mask(&mut input[frame.start..frame.end], key, 0);
        }
        if !frame.text {
            return Ok(PlainMessage::Binary(&input[frame.start..frame.end]));
        }
        match text_in_place(input, frame.start..frame.end) {
            Ok(text) => Ok(PlainMessage::Text(text)),
            Err(error) => Err(self.fail(error, now)),
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
                self.push_answer(&payload);
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
            // RFC 6455 §5.5.1: the answer typically echoes the code. The text goes back too, since
            // browsers show a page what the answer says.
            self.push_close(&reason, now);
        }
        self.end_input();
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
        self.end_input();
        self.closed = Some(Box::new(Closed {
            reason: CloseReason::new(CloseCode::ABNORMAL, error.to_string()),
            clean: false,
        }));
        error
    }

    /// Lets go of what only further input or messages of ours would need.
    fn end_input(&mut self) {
        self.deadlines.clear(Deadline::Message);
        self.receiver.clear();
        self.deflate = None;
    }

    fn watch_message(&mut self, now: Timestamp) {
        if !self.receiver.is_unfinished() || self.receiver.streaming {
            self.deadlines.clear(Deadline::Message);
        } else if !self.deadlines.is_set(Deadline::Message) {
            self.deadlines.set(Deadline::Message, now, self.config.timeouts.message);
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
