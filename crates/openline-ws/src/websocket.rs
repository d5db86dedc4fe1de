//! [`WebSocket`]: a line with one owner.

use std::future::{Future, poll_fn};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use openline_ws_proto::handshake::Agreed;
use openline_ws_proto::{
    CloseCode, CloseReason, Closed, Compress, Connection, DeflateParams, Prepared,
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock;
use crate::error::Error;
use crate::line::{Arrived, Line};
use crate::message::Message;

/// Queued output above this makes [`WebSocket::feed`] and the [`Sink`](futures_sink::Sink) write
/// before they take more.
pub(crate) const FEED_BYTES_MAX: usize = 64 * 1024;

/// A WebSocket line over the transport `S`.
///
/// ```
/// # async fn echo(mut ws: openline_ws::WebSocket<tokio::io::DuplexStream>) -> Result<(), openline_ws::Error> {
/// while let Some(message) = ws.recv().await? {
///     ws.send(message).await?;
/// }
/// # Ok(()) }
/// ```
///
/// # When output leaves
/// [`send`](WebSocket::send) writes at once, unless more whole frames from the peer are in memory
/// already: then there is more to answer, and what is sent waits so that one write takes it all. It
/// leaves at the latest when
/// - [`recv`](WebSocket::recv) has handled the last of those frames and would wait for the peer, or
/// - 64 KiB are queued, or
/// - [`flush`](WebSocket::flush) or [`close`](WebSocket::close) is called.
///
/// So a loop like the one above answers a burst of 32 messages with one write. If the handling of
/// one message may take long, call `flush` after `send` in it.
///
/// # Pings and deadlines
/// They are served while any method of the line is being awaited, and no longer: a line that nobody
/// awaits neither answers pings nor reads, so a slow handler slows its peer down instead of growing
/// a queue.
///
/// # Memory
/// A line that waits holds no buffer.
#[derive(Debug)]
pub struct WebSocket<S> {
    /// Boxed, so that it costs the size of a pointer in each state of the futures that hold it.
    pub(crate) line: Box<Line<S>>,
}

/// What [`WebSocket::recv_any`] reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A message.
    Message(Message),
    /// A ping. The pong is queued already.
    Ping(Bytes),
    /// A pong.
    Pong(Bytes),
}

impl<S> WebSocket<S> {
    /// The subprotocol that the handshake agreed on.
    pub fn protocol(&self) -> Option<&str> {
        self.line.agreed.as_ref()?.protocol.as_deref()
    }

    /// The terms of compression that the handshake agreed on.
    pub fn deflate(&self) -> Option<DeflateParams> {
        self.line.agreed.as_ref()?.deflate
    }

    /// How the line closed, once it has.
    pub fn closed(&self) -> Option<&Closed> {
        self.line.connection.closed()
    }

    /// Bytes that are queued and not written yet; what browsers call `bufferedAmount`.
    pub fn queued_bytes(&self) -> usize {
        self.line.connection.queued_bytes()
    }

    /// The transport.
    pub fn get_ref(&self) -> &S {
        &self.line.io
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// A line whose handshake was done elsewhere. `rest` is what the peer sent behind its half of
    /// the handshake.
    pub fn from_parts(io: S, connection: Connection, agreed: Agreed, rest: Vec<u8>) -> Self {
        Self { line: Box::new(Line::new(io, connection, agreed, &rest)) }
    }

    /// The next message; `None` when the line is closed, see [`WebSocket::closed`] for how. Pings
    /// are answered on the way.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped before it is ready.
    ///
    /// # Errors
    /// When the peer breaks the protocol (it has been told), a deadline passes, or the transport
    /// fails other than by the peer's going away. The line is over then.
    pub fn recv(&mut self) -> impl Future<Output = Result<Option<Message>, Error>> {
        poll_fn(|cx| self.poll_recv(cx))
    }

    /// As [`WebSocket::recv`], and tells of pings and pongs too.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    pub async fn recv_any(&mut self) -> Result<Option<Incoming>, Error> {
        poll_fn(|cx| self.poll_recv_any(cx)).await
    }

    /// Sends a message, and waits until the transport has taken what is queued unless output is
    /// corked (see the type's documentation). An error of the transport is reported here or by a
    /// later call.
    ///
    /// # Cancel safety
    /// The message is queued at the first poll. If the future is dropped later, it leaves with what
    /// is sent next, or while the line is being received from.
    ///
    /// # Errors
    /// [`Error::Closed`] on a line that is closed or closing.
    pub fn send(&mut self, message: impl Into<Message>) -> impl Future<Output = Result<(), Error>> {
        self.send_with(message, Compress::Auto)
    }

    /// As [`WebSocket::send`], with a say in whether the message is compressed. `Never` is for what
    /// is compressed already, or for secrets beside text that an attacker may choose.
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub fn send_with(
        &mut self,
        message: impl Into<Message>,
        compress: Compress,
    ) -> impl Future<Output = Result<(), Error>> {
        // Not an async block, which would keep the message's place beside its own state: the future
        // of an idle line's task is as large as its largest state.
        let message = message.into();
        // Taken apart, so that it is moved in the pieces in which it was stored.
        let kind = message.kind();
        let mut unsent = Some(message.into_bytes());
        poll_fn(move |cx| {
            if let Some(payload) = unsent.take() {
                self.line.connection.send_shared(kind, payload, compress)?;
            }
            self.poll_uncorked(cx)
        })
    }

    /// Sends a message that was prepared for many lines.
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn send_prepared(&mut self, message: &Prepared) -> Result<(), Error> {
        self.line.connection.send_prepared(message)?;
        poll_fn(|cx| self.poll_uncorked(cx)).await
    }

    /// Queues a message without writing, unless 64 KiB are queued already; call
    /// [`WebSocket::flush`] behind the last.
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn feed(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        self.queue(message.into(), Compress::Auto)?;
        poll_fn(|cx| self.poll_feed_ready(cx)).await
    }

    /// Writes all that is queued.
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.line.poll_flush_in_time(cx)).await
    }

    /// Sends a ping with a payload of at most 125 bytes. [`WebSocket::recv_any`] tells of the pong.
    ///
    /// # Errors
    /// As [`WebSocket::send`]; [`Error::Misuse`] for a longer payload.
    pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        self.line.connection.ping(payload)?;
        poll_fn(|cx| self.poll_uncorked(cx)).await
    }

    /// Closes the line: sends a close frame behind what is queued, waits for the peer's (5 s at
    /// most, see [`Timeouts::close`](openline_ws_proto::Timeouts::close)) and ends the transport.
    /// Messages that arrive meanwhile are dropped. Returns how the line closed; on a line that is
    /// closed already, that is all it does.
    ///
    /// # Errors
    /// [`Error::Misuse`] when `code` may not be sent; nothing has happened then. Otherwise as
    /// [`WebSocket::recv`].
    pub async fn close(
        &mut self,
        code: impl Into<CloseCode>,
        reason: &str,
    ) -> Result<Closed, Error> {
        self.line.connection.close(CloseReason::new(code, reason), clock::now())?;
        loop {
            let event = poll_fn(|cx| self.line.poll_event(cx)).await?;
            if event.is_none() {
                return Ok(self.closed().expect("a line that is over has closed").clone());
            }
        }
    }

    /// The polled form of [`WebSocket::recv`].
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    #[inline]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        self.end_streaming();
        match self.line.message_at_hand() {
            Some(message) => Poll::Ready(Ok(Some(message))),
            None => self.poll_recv_event(cx),
        }
    }

    fn poll_recv_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        loop {
            self.end_streaming();
            match ready!(self.line.poll_event(cx)?) {
                Some(Arrived::Message(message)) => return Poll::Ready(Ok(Some(message))),
                // A chunk is the rest of a message of which the application has read enough.
                Some(
                    Arrived::Ping(_) | Arrived::Pong(_) | Arrived::Chunk { .. } | Arrived::Close,
                ) => {}
                None => return Poll::Ready(Ok(None)),
            }
        }
    }

    fn poll_recv_any(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Incoming>, Error>> {
        loop {
            self.end_streaming();
            let incoming = match ready!(self.line.poll_event(cx)?) {
                Some(Arrived::Message(message)) => Incoming::Message(message),
                Some(Arrived::Ping(payload)) => Incoming::Ping(payload),
                Some(Arrived::Pong(payload)) => Incoming::Pong(payload),
                Some(Arrived::Chunk { .. } | Arrived::Close) => continue,
                None => return Poll::Ready(Ok(None)),
            };
            return Poll::Ready(Ok(Some(incoming)));
        }
    }

    /// Receives whole messages again, once no message is under way of which a part was handed over.
    #[inline]
    fn end_streaming(&mut self) {
        if self.line.streaming && !self.line.connection.in_streamed_message() {
            self.set_streaming(false);
        }
    }

    pub(crate) fn set_streaming(&mut self, on: bool) {
        self.line.streaming = on;
        self.line.connection.set_streaming(on);
    }

    pub(crate) fn queue(&mut self, message: Message, compress: Compress) -> Result<(), Error> {
        let kind = message.kind();
        Ok(self.line.connection.send_shared(kind, message.into_bytes(), compress)?)
    }

    /// Writes what is queued unless output is corked.
    pub(crate) fn poll_uncorked(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.line.is_corked() {
            return Poll::Ready(Ok(()));
        }
        self.line.poll_flush_in_time(cx)
    }

    /// Writes what is queued if it is much.
    pub(crate) fn poll_feed_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.queued_bytes() < FEED_BYTES_MAX {
            return Poll::Ready(Ok(()));
        }
        self.line.poll_flush_in_time(cx)
    }
}
