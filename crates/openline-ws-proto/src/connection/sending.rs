//! What a connection sends, and how it is written.

use bytes::Bytes;

use super::Connection;
use crate::buffer_pool;
use crate::close::{CloseCode, CloseReason};
use crate::config::{Role, Timestamp};
use crate::deadlines::Deadline;
use crate::error::SendError;
use crate::frame::{CONTROL_PAYLOAD_MAX, FrameHead, Opcode};
use crate::mask::MaskKey;
use crate::outbox::{Compress, FrameKind, Outbox, SHARE_FROM};
use crate::outbox_pool;
use crate::prepared::{Prepared, PreparedBatch};
use crate::state::Trigger;

impl Connection {
    /// Queues a message; the payload is copied.
    ///
    /// A text is to be UTF-8; [`Connection::send_shared`] and this trust the caller in that, so that
    /// what was checked once is not checked again.
    ///
    /// # Errors
    /// See [`SendError`]; nothing is queued then.
    pub fn send(&mut self, kind: FrameKind, payload: &[u8]) -> Result<(), SendError> {
        self.may_send_message()?;
        if self.compresses(payload.len(), Compress::Auto) && self.push_compressed(kind, payload) {
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
    #[inline]
    pub fn send_shared(
        &mut self,
        kind: FrameKind,
        payload: Bytes,
        compress: Compress,
    ) -> Result<(), SendError> {
        self.may_send_message()?;
        if self.compresses(payload.len(), compress) && self.push_compressed(kind, &payload) {
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
            && let Some(deflated) = message.deflated(deflate.send_window_bits())
        {
            deflate.forget_sent();
            self.outbox().push_encoded(deflated);
        } else {
            self.outbox().push_encoded(message.plain());
        }
        Ok(())
    }

    /// Queues messages that were prepared for many, all or none of them.
    ///
    /// # Errors
    /// As [`Connection::send`].
    pub fn send_batch(&mut self, batch: &PreparedBatch) -> Result<(), SendError> {
        self.may_send_message()?;
        match self.batch_frames(batch).cloned() {
            Some(frames) => self.outbox().push_encoded(&frames),
            None => {
                for message in batch.messages() {
                    self.send_prepared(message)?;
                }
            }
        }
        Ok(())
    }

    /// The bytes that [`Connection::send_batch`] would queue, where they are the same for many
    /// connections and nothing waits before them: a caller that gives them to the transport itself
    /// saves the queue. What the transport does not take is to be queued with
    /// [`Connection::send_batch`] and reported with [`Connection::handle_transmitted`].
    pub fn batch_bytes<'a>(&self, batch: &'a PreparedBatch) -> Option<&'a [u8]> {
        let free = !self.wants_transmit() && self.may_send_message().is_ok();
        free.then(|| self.batch_frames(batch)).flatten().map(|frames| &frames[..])
    }

    /// None where each message has to be looked at for itself: masked by clients, or compressed.
    fn batch_frames<'a>(&self, batch: &'a PreparedBatch) -> Option<&'a Bytes> {
        let plain = self.role == Role::Server && !self.compresses(batch.longest(), Compress::Auto);
        plain.then(|| batch.plain())
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
        if !self.may_send() {
            return Err(SendError::Closed);
        }
        let opcode = match (kind, self.sending_fragments) {
            (Some(_), true) => return Err(SendError::MessageUnfinished),
            (None, false) => return Err(SendError::NoMessageStarted),
            (Some(kind), false) => kind.opcode(),
            (None, true) => Opcode::Continuation,
        };
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
        check_code(&reason)?;
        if self.step(Trigger::SendClose) {
            self.push_close(&reason, now);
        }
        Ok(())
    }

    /// As [`Connection::close`], dropping what waits and of which nothing is written yet, to end a
    /// line whose peer does not read. What has begun goes first, because a frame cannot be taken
    /// back. Returns how many bytes were dropped.
    ///
    /// One act, because a line that lost messages cannot go on: a message cut short would lack its
    /// end, and a compressed one what it refers to.
    ///
    /// # Errors
    /// As [`Connection::close`]; nothing is dropped then.
    pub fn abort(&mut self, reason: CloseReason, now: Timestamp) -> Result<usize, SendError> {
        check_code(&reason)?;
        if !self.state.may_send() {
            return Ok(0);
        }
        let dropped = self.outbox.as_mut().map_or(0, |outbox| outbox.discard_unstarted());
        self.release_outbox();
        self.close(reason, now)?;
        Ok(dropped)
    }

    /// What is to be written, in order. Report how much of it was with
    /// [`Connection::handle_transmitted`].
    pub fn poll_transmit(&mut self) -> impl Iterator<Item = &[u8]> {
        self.outbox.as_deref_mut().into_iter().flat_map(Outbox::poll_transmit)
    }

    /// The first `written` bytes of what [`Connection::poll_transmit`] showed were taken by the
    /// transport; 0 says that it takes nothing now, which starts the deadline for writing.
    ///
    /// # Panics
    /// When more bytes are reported than wait.
    pub fn handle_transmitted(&mut self, written: usize, now: Timestamp) {
        let Some(outbox) = &mut self.outbox else {
            assert!(written == 0, "{written} bytes were reported as written, and none wait");
            return;
        };
        outbox.advance(written);
        if outbox.is_empty() {
            self.release_outbox();
        } else if written > 0 || !self.deadlines.is_set(Deadline::Write) {
            self.deadlines.set(Deadline::Write, now, self.config.timeouts.write);
            // While output waits this deadline watches the peer: a ping would wait too, and its pong.
            self.deadlines.clear(Deadline::Pong);
        }
    }

    /// The transport takes no more bytes, though some may still come from it. All that waits is
    /// dropped, and from here on nothing can be sent ([`SendError::Closed`]); pongs and the answer to
    /// a close frame are not queued. Go on with input until [`Connection::handle_eof`].
    pub fn handle_write_end(&mut self) {
        self.write_ended = true;
        if let Some(outbox) = &mut self.outbox {
            outbox.clear();
        }
        self.release_outbox();
    }

    /// Queues a pong that answers a ping.
    pub(super) fn push_answer(&mut self, payload: &[u8]) {
        // RFC 6455 §5.5.2: unless a close frame came already. That none follows ours is a deviation,
        // see `State::may_send`.
        if self.may_send() {
            let head = self.head(Opcode::Pong, payload.len());
            self.outbox().push_pong(head, payload);
        }
    }

    pub(super) fn push_keepalive(&mut self) {
        if self.may_send() {
            let head = self.head(Opcode::Ping, 0);
            self.outbox().push_keepalive(head);
        }
    }

    pub(super) fn push_close(&mut self, reason: &CloseReason, now: Timestamp) {
        if !self.write_ended {
            let mut payload = Vec::with_capacity(2 + reason.text.len());
            reason.encode(&mut payload);
            let head = self.head(Opcode::Close, payload.len());
            self.outbox().push_close(head, &payload);
        }
        self.deadlines.clear(Deadline::Pong);
        self.deadlines.set(Deadline::Close, now, self.config.timeouts.close);
    }

    fn may_send(&self) -> bool {
        self.state.may_send() && !self.write_ended
    }

    fn may_send_message(&self) -> Result<(), SendError> {
        if !self.may_send() {
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
        if !self.may_send() {
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

    /// Queues the message compressed, or nothing if it does not get smaller by that: then it is to be
    /// sent as it is.
    #[inline(never)] // It would lengthen the way of small messages, which take none of it.
    fn push_compressed(&mut self, kind: FrameKind, payload: &[u8]) -> bool {
        let deflate = self.deflate.as_mut().expect("compresses() saw it");
        let mut compressed = buffer_pool::take();
        let smaller = deflate.compress(payload, &mut compressed);
        if !smaller && self.config.deflate.threshold > 0 {
            buffer_pool::give(compressed);
            return false;
        }
        let head = FrameHead { compressed: true, ..self.head(kind.opcode(), compressed.len()) };
        if compressed.len() < SHARE_FROM {
            self.outbox().push_frame(head, &compressed);
            buffer_pool::give(compressed);
        } else {
            self.outbox().push_frame_shared(head, compressed.into());
        }
        true
    }

    fn outbox(&mut self) -> &mut Outbox {
        self.outbox.get_or_insert_with(outbox_pool::take)
    }

    /// Gives the outbox back if it is empty.
    fn release_outbox(&mut self) {
        if let Some(outbox) = self.outbox.take_if(|outbox| outbox.is_empty()) {
            outbox_pool::give(outbox);
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

fn check_code(reason: &CloseReason) -> Result<(), SendError> {
    if reason.code != CloseCode::NO_STATUS && !reason.code.may_be_sent() {
        return Err(SendError::InvalidCloseCode(reason.code));
    }
    Ok(())
}
