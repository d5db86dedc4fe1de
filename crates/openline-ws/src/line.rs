//! A connection and its transport, driven together: the polls that everything else is made of.
//!
//! All reading ends in [`Line::poll_event`]. It takes what is in memory first, then writes what is
//! queued, and only then reads; that order is the automatic cork. [`Line::message_at_hand`] is a
//! shorter way to what it would take first.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use bytestring::ByteString;
use openline_ws_proto::handshake::Agreed;
use openline_ws_proto::{
    Chunk, Connection, Event, Expired, FrameKind, PlainMessage, ProtocolError, Role, State,
    Timestamp,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::Message;
use crate::error::{Error, is_peer_gone};
use crate::rest::Rest;
use crate::timer::Timer;
use crate::{clock, scratch};

/// Queued output above this is written even while more input waits to be handled, and above it a
/// server reads nothing more until its peer takes some. A client reads on: if both waited for the
/// other to read, neither would.
const CORK_BYTES_MAX: usize = 64 * 1024;

/// Slices given to one write.
const SLICES_MAX: usize = 32;

/// What came from the peer, owned.
#[derive(Debug)]
pub(crate) enum Arrived {
    Message(Message),
    Chunk { kind: FrameKind, data: Bytes, last: bool },
    Ping(Bytes),
    Pong(Bytes),
    Close,
}

#[derive(Debug)]
pub(crate) struct Line<S> {
    pub(crate) io: S,
    pub(crate) connection: Connection,
    pub(crate) agreed: Option<Box<Agreed>>,
    /// Input that was read and not handled yet: whole frames, mostly.
    rest: Option<Box<Rest>>,
    /// When input was last read.
    read_at: Timestamp,
    timer: Timer,
    /// What to report once the peer had its chance to read our close frame.
    failure: Option<Box<Error>>,
    write_half_ended: bool,
    /// The peer takes no more bytes; there may still be some of its own to read.
    write_half_broken: bool,
    pub(crate) streaming: bool,
    over: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// `rest` is what came behind the handshake.
    pub(crate) fn new(io: S, connection: Connection, agreed: Agreed, rest: &[u8]) -> Self {
        Self {
            io,
            connection,
            agreed: (agreed != Agreed::default()).then(|| Box::new(agreed)),
            rest: Rest::keep(rest),
            read_at: clock::now(),
            timer: Timer::default(),
            failure: None,
            write_half_ended: false,
            write_half_broken: false,
            streaming: false,
            over: false,
        }
    }

    /// A message that is in memory and the next thing there, as most of a busy line are.
    ///
    /// [`Line::poll_event`] finds it too. Here it goes straight to its place: as one of the things that may have
    /// arrived it would be moved three times, in pieces that the processor has to wait for.
    #[inline(always)]
    pub(crate) fn message_at_hand(&mut self) -> Option<Message> {
        let rest = self.rest.as_mut()?;
        match self.connection.handle_plain_input(rest.bytes_mut(), self.read_at)? {
            Ok((PlainMessage::Text(text), consumed)) => {
                let message = Message::Text(ByteString::from(text));
                self.consume_rest(consumed);
                Some(message)
            }
            Ok((PlainMessage::Binary(data), consumed)) => {
                let message = Message::Binary(Bytes::copy_from_slice(data));
                self.consume_rest(consumed);
                Some(message)
            }
            Err(error) => {
                self.fail_input(error);
                None
            }
        }
    }

    /// The next thing from the peer; `None` when the line is over.
    pub(crate) fn poll_event(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Arrived>, Error>> {
        loop {
            if self.over {
                return Poll::Ready(self.take_failure().map_or(Ok(None), Err));
            }
            if let Some(arrived) = self.handle_rest() {
                return Poll::Ready(Ok(Some(arrived)));
            }
            let flushed = match self.poll_flush(cx) {
                Poll::Ready(Ok(()) | Err(Error::Closed)) => true,
                Poll::Ready(Err(error)) => {
                    self.end(Some(error));
                    continue;
                }
                Poll::Pending => false,
            };
            if flushed && self.poll_wind_up(cx).is_ready() {
                continue;
            }
            if (flushed || self.reads_while_blocked())
                && let Poll::Ready(arrived) = self.poll_read(cx)
            {
                match arrived {
                    Some(arrived) => return Poll::Ready(Ok(Some(arrived))),
                    None => continue,
                }
            }
            ready!(self.poll_deadlines(cx));
        }
    }

    fn reads_while_blocked(&self) -> bool {
        self.connection.queued_bytes() < CORK_BYTES_MAX || self.connection.role() == Role::Client
    }

    /// Writes all that is queued.
    ///
    /// [`Error::Closed`] says that the peer takes no more. There may still be a close frame of its
    /// own to read, so the end is left to the reader.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.connection.wants_transmit() && !self.write_half_broken {
            let written = match self.poll_write(cx) {
                Poll::Ready(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(result) => result,
                Poll::Pending => {
                    self.connection.handle_transmitted(0, clock::now());
                    return Poll::Pending;
                }
            };
            match written {
                Ok(written) => {
                    // The time matters only if something is left.
                    let all = written == self.connection.queued_bytes();
                    let now = if all { self.read_at } else { clock::now() };
                    self.connection.handle_transmitted(written, now);
                }
                Err(error) if is_peer_gone(&error) => self.write_half_broken = true,
                Err(error) => return Poll::Ready(Err(Error::Io(error))),
            }
        }
        if !self.write_half_broken {
            // Transports with a buffer of their own, such as TLS, notice here that the peer is gone.
            match ready!(Pin::new(&mut self.io).poll_flush(cx)) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) if is_peer_gone(&error) => self.write_half_broken = true,
                Err(error) => return Poll::Ready(Err(Error::Io(error))),
            }
        }
        self.connection.handle_write_end();
        Poll::Ready(Err(Error::Closed))
    }

    /// As [`Line::poll_flush`], ending when a deadline passes.
    pub(crate) fn poll_flush_in_time(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            if self.over {
                return Poll::Ready(Err(self.take_failure().unwrap_or(Error::Closed)));
            }
            if let Poll::Ready(result) = self.poll_flush(cx) {
                return Poll::Ready(result);
            }
            ready!(self.poll_deadlines(cx));
        }
    }

    /// Whether output may wait: more whole frames are in memory, so there will be more to say, and
    /// one write can take it all.
    pub(crate) fn is_corked(&self) -> bool {
        self.rest.as_ref().is_some_and(|rest| {
            self.connection.queued_bytes() < CORK_BYTES_MAX
                && self.connection.has_whole_frame(rest.bytes())
        })
    }

    /// Whether nothing is under way, so that another can go on from here.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.over
            && self.failure.is_none()
            && !self.write_half_broken
            && !self.streaming
            && self.connection.is_quiet()
    }

    /// The transport, the terms, and what was read and not handled.
    pub(crate) fn into_parts(self) -> (S, Agreed, Vec<u8>) {
        let rest = self.rest.map_or_else(Vec::new, |rest| rest.bytes().to_vec());
        (self.io, self.agreed.map_or_else(Agreed::default, |agreed| *agreed), rest)
    }

    /// Whether nothing more will come.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (slot, piece) in slices.iter_mut().zip(self.connection.poll_transmit()) {
            *slot = IoSlice::new(piece);
            count += 1;
        }
        let io = Pin::new(&mut self.io);
        if count == 1 || !io.is_write_vectored() {
            io.poll_write(cx, &slices[0])
        } else {
            io.poll_write_vectored(cx, &slices[..count])
        }
    }

    /// Handles input that is in memory, up to the next event.
    fn handle_rest(&mut self) -> Option<Arrived> {
        let rest = self.rest.as_mut()?;
        let input = rest.bytes_mut();
        let len = input.len();
        let (consumed, arrived) = match self.connection.handle_input(input, self.read_at) {
            Ok(progress) => (progress.consumed, progress.event.map(Arrived::from)),
            Err(error) => {
                self.fail_input(error);
                (len, None)
            }
        };
        self.consume_rest(consumed);
        arrived
    }

    /// Lets go of so much of the input that is in memory.
    #[inline(always)]
    fn consume_rest(&mut self, consumed: usize) {
        if let Some(rest) = &mut self.rest
            && rest.consume(consumed)
            && let Some(rest) = self.rest.take()
        {
            Rest::give(rest);
        }
    }

    /// Input that was in memory breaks the protocol.
    #[cold]
    fn fail_input(&mut self, error: ProtocolError) {
        self.failure = Some(Box::new(Error::Protocol(error)));
        // It may have waited long behind a slow handler: the peer's time to read the close frame
        // begins now.
        self.connection.restart_close_deadline(clock::now());
    }

    /// Reads once. `Ready(None)` says that something happened but no event.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arrived>> {
        scratch::with(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match ready!(Pin::new(&mut self.io).poll_read(cx, &mut buffer)) {
                Ok(()) if buffer.filled().is_empty() => self.end(None),
                Ok(()) => {
                    self.read_at = clock::now();
                    let input = buffer.filled_mut();
                    return Poll::Ready(match self.connection.handle_input(input, self.read_at) {
                        Ok(progress) => {
                            let (consumed, arrived) =
                                (progress.consumed, progress.event.map(Arrived::from));
                            self.rest = Rest::keep(&input[consumed..]);
                            arrived
                        }
                        Err(error) => {
                            self.failure = Some(Box::new(Error::Protocol(error)));
                            None
                        }
                    });
                }
                Err(error) if is_peer_gone(&error) => self.end(None),
                Err(error) => self.end(Some(Error::Io(error))),
            }
            Poll::Ready(None)
        })
    }

    /// Once the closing handshake is through, or the peer has been told what it did wrong: ends our
    /// half, so that the peer's system does not throw away the close frame, and the whole when it is
    /// this side's turn. Ready when there is news.
    fn poll_wind_up(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let failed = self.connection.state() == State::Failed;
        let should_end = self.connection.should_end_transport();
        if !failed && !should_end {
            return Poll::Pending;
        }
        if !self.write_half_ended {
            // An error here means that the transport is gone, which the next read finds as well.
            let _ = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
            self.write_half_ended = true;
        }
        if should_end {
            self.end(None);
            return Poll::Ready(());
        }
        Poll::Pending
    }

    /// Lets deadlines act; ready when one has passed.
    fn poll_deadlines(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.connection.poll_timeout() else { return Poll::Pending };
        // Looked at by the clock rather than by what woke the task: most wake-ups are for data, and
        // the deadline has moved away since it was set.
        if due > self.read_at && due > clock::now() {
            self.timer.wake_at(due, cx);
            return Poll::Pending;
        }
        if let Some(expired) = self.connection.handle_timeout(clock::now()) {
            // What can leave at once does: the close frame may say why.
            let _ = self.poll_flush(cx);
            // A closing handshake that the peer did not complete is told by how the line closed.
            let failure = (expired != Expired::Close).then_some(Error::Timeout(expired));
            self.end(failure);
        }
        Poll::Ready(())
    }

    fn end(&mut self, failure: Option<Error>) {
        self.connection.handle_eof();
        self.timer.clear();
        self.over = true;
        if let Some(failure) = failure {
            self.failure.get_or_insert_with(|| Box::new(failure));
        }
    }

    fn take_failure(&mut self) -> Option<Error> {
        self.failure.take().map(|failure| *failure)
    }
}

impl From<Event<'_>> for Arrived {
    #[inline(always)]
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Message(Message::Text(match text {
                std::borrow::Cow::Borrowed(text) => ByteString::from(text),
                std::borrow::Cow::Owned(text) => ByteString::from(text),
            })),
            Event::Binary(data) => Self::Message(Message::Binary(owned(data))),
            Event::Chunk(Chunk { kind, data, last, .. }) => {
                Self::Chunk { kind, data: owned(data), last }
            }
            Event::Ping(payload) => Self::Ping(owned(payload)),
            Event::Pong(payload) => Self::Pong(owned(payload)),
            Event::Close(_) => Self::Close,
        }
    }
}

fn owned(data: std::borrow::Cow<'_, [u8]>) -> Bytes {
    match data {
        std::borrow::Cow::Borrowed(data) => Bytes::copy_from_slice(data),
        std::borrow::Cow::Owned(data) => Bytes::from(data),
    }
}
