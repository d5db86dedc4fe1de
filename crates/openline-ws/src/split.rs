//! A line in two: a [`Reader`] with one owner and a [`Sender`] that many can hold.
//!
//! The task that awaits the reader does the writing as well: a sender queues and wakes it, so all
//! that is queued in one turn of the runtime leaves in one write. Only when that task is busy
//! elsewhere does a sender write by itself.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use openline_ws_proto::{CloseCode, CloseReason, Closed, Compress, Prepared};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock;
use crate::error::Error;
use crate::message::Message;
use crate::websocket::WebSocket;

/// What [`Sender::try_send`] does when the peer reads more slowly than is sent to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SlowConsumer {
    /// Refuse the message ([`TrySendError::Full`]); the caller may wait with [`Sender::send`].
    #[default]
    Refuse,
    /// Drop what is queued and close the line with this reason.
    Close(CloseReason),
    /// Drop the message.
    DropNewest,
    /// Drop the oldest messages that wait, to make room.
    DropOldest,
    /// A message takes the place of a waiting one with the same key
    /// ([`Sender::try_send_keyed`]); one without a key, or with a key that does not wait, drops the
    /// oldest if there is no room.
    Conflate,
}

/// How much may wait for a peer, and what happens beyond it.
#[derive(Debug, Clone)]
pub struct QueueOptions {
    /// Payload bytes that may wait. Default: 1 MiB.
    pub bytes_max: usize,
    /// Beyond that. Default: refuse.
    pub slow_consumer: SlowConsumer,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { bytes_max: 1 << 20, slow_consumer: SlowConsumer::default() }
    }
}

/// What the queue of a line did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueStats {
    /// Messages that were dropped.
    pub dropped: u64,
    /// Messages that another took the place of.
    pub conflated: u64,
}

/// Why a message was not taken.
#[derive(Debug)]
pub enum TrySendError {
    /// Too much waits for the peer.
    Full,
    /// The line is closed or closing.
    Closed,
}

impl std::fmt::Display for TrySendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "the line's queue is full",
            Self::Closed => "the connection is closed",
        })
    }
}

impl std::error::Error for TrySendError {}

/// The receiving half of a line; see [`WebSocket::split`].
///
/// Keep it awaited: [`Reader::recv`] is what writes, answers pings and watches deadlines. Dropping
/// it ends the line.
#[derive(Debug)]
pub struct Reader<S> {
    shared: Arc<Shared<S>>,
}

/// The sending half of a line. Cloning is cheap; it works from any thread.
#[derive(Clone)]
pub struct Sender {
    outlet: Arc<dyn Outlet>,
}

#[derive(Debug)]
struct Shared<S> {
    state: Mutex<State<S>>,
}

#[derive(Debug)]
struct State<S> {
    ws: WebSocket<S>,
    options: QueueOptions,
    /// What waits because the socket takes nothing: kept as messages, so that a policy can choose
    /// among them. While the socket takes what it is given this is empty.
    backlog: VecDeque<Waiting>,
    backlog_bytes: usize,
    stats: QueueStats,
    reader: ReaderTask,
    /// Senders that wait for room or for the end.
    waiting: Vec<Waker>,
    reader_dropped: bool,
}

/// What the task that receives is doing.
#[derive(Debug)]
enum ReaderTask {
    /// Something else than receiving.
    Busy,
    /// It waits in `recv`.
    Waiting(Waker),
    /// It was woken, and will write what is queued by then.
    Woken,
}

#[derive(Debug)]
struct Waiting {
    key: Option<u64>,
    message: Outgoing,
}

#[derive(Debug, Clone)]
enum Outgoing {
    Message(Message, Compress),
    Prepared(Prepared),
}

impl Outgoing {
    fn len(&self) -> usize {
        match self {
            Self::Message(message, _) => message.as_bytes().len(),
            Self::Prepared(message) => message.payload().len(),
        }
    }
}

/// A line without the type of its transport.
trait Outlet: Send + Sync {
    fn try_send(&self, key: Option<u64>, message: Outgoing) -> Result<(), TrySendError>;
    fn poll_send(
        &self,
        message: &mut Option<Outgoing>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>>;
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;
    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Closed>;
    fn ping(&self, payload: &[u8]) -> Result<(), Error>;
    fn close(&self, reason: CloseReason) -> Result<(), Error>;
    fn queued_bytes(&self) -> usize;
    fn stats(&self) -> QueueStats;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> WebSocket<S> {
    /// Splits the line, with the default queue.
    pub fn split(self) -> (Reader<S>, Sender) {
        self.split_with(QueueOptions::default())
    }

    /// Splits the line.
    pub fn split_with(self, options: QueueOptions) -> (Reader<S>, Sender) {
        let state = State {
            ws: self,
            options,
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            stats: QueueStats::default(),
            reader: ReaderTask::Busy,
            waiting: Vec::new(),
            reader_dropped: false,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        (Reader { shared: shared.clone() }, Sender { outlet: shared })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// The next message; `None` when the line is closed. While it is awaited, what senders queue is
    /// written.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped before it is ready.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    pub async fn recv(&mut self) -> Result<Option<Message>, Error> {
        poll_fn(|cx| self.shared.lock().poll_recv(cx)).await
    }

    /// How the line closed, once it has.
    pub fn closed(&self) -> Option<Closed> {
        self.shared.lock().ws.closed().cloned()
    }

    /// The subprotocol that the handshake agreed on.
    pub fn protocol(&self) -> Option<String> {
        self.shared.lock().ws.protocol().map(str::to_owned)
    }
}

impl<S> Drop for Reader<S> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.reader_dropped = true;
        state.ws.line.connection.handle_eof();
        state.wake_waiting();
    }
}

impl Sender {
    /// Sends a message, waiting while too much waits for the peer. When it returns, the message is
    /// queued; the reader's task writes it (see [`Sender::flush`] to wait for that).
    ///
    /// # Cancel safety
    /// A dropped future has queued the message or not at all.
    ///
    /// # Errors
    /// [`Error::Closed`] on a line that is closed or closing.
    pub async fn send(&self, message: impl Into<Message>) -> Result<(), Error> {
        let mut message = Some(Outgoing::Message(message.into(), Compress::Auto));
        poll_fn(|cx| self.outlet.poll_send(&mut message, cx)).await
    }

    /// As [`Sender::send`], with a message that was prepared for many lines.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn send_prepared(&self, message: &Prepared) -> Result<(), Error> {
        let mut message = Some(Outgoing::Prepared(message.clone()));
        poll_fn(|cx| self.outlet.poll_send(&mut message, cx)).await
    }

    /// Queues a message without waiting; what happens when too much waits for the peer says
    /// [`QueueOptions::slow_consumer`].
    ///
    /// # Errors
    /// See [`TrySendError`].
    pub fn try_send(&self, message: impl Into<Message>) -> Result<(), TrySendError> {
        self.outlet.try_send(None, Outgoing::Message(message.into(), Compress::Auto))
    }

    /// As [`Sender::try_send`], with a message that was prepared for many lines.
    ///
    /// # Errors
    /// See [`TrySendError`].
    pub fn try_send_prepared(&self, message: &Prepared) -> Result<(), TrySendError> {
        self.outlet.try_send(None, Outgoing::Prepared(message.clone()))
    }

    /// As [`Sender::try_send`], with a message that replaces a waiting one of the same key under
    /// [`SlowConsumer::Conflate`].
    ///
    /// # Errors
    /// See [`TrySendError`].
    pub fn try_send_keyed(
        &self,
        key: u64,
        message: impl Into<Message>,
    ) -> Result<(), TrySendError> {
        self.outlet.try_send(Some(key), Outgoing::Message(message.into(), Compress::Auto))
    }

    /// Waits until all that is queued has been written.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn flush(&self) -> Result<(), Error> {
        poll_fn(|cx| self.outlet.poll_flush(cx)).await
    }

    /// Queues a ping, ahead of messages that wait.
    ///
    /// # Errors
    /// As [`WebSocket::ping`].
    pub fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        self.outlet.ping(payload)
    }

    /// Queues a close frame behind what is queued. The reader completes the closing handshake.
    ///
    /// # Errors
    /// [`Error::Misuse`] when `code` may not be sent.
    pub fn close(&self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        self.outlet.close(CloseReason::new(code, reason))
    }

    /// Waits until the line is closed.
    pub async fn closed(&self) -> Closed {
        poll_fn(|cx| self.outlet.poll_closed(cx)).await
    }

    /// Bytes that wait for the peer.
    pub fn queued_bytes(&self) -> usize {
        self.outlet.queued_bytes()
    }

    /// What was dropped or conflated so far.
    pub fn stats(&self) -> QueueStats {
        self.outlet.stats()
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("queued_bytes", &self.queued_bytes()).finish()
    }
}

impl<S> Shared<S> {
    /// A panic elsewhere while the lock was held leaves a line that is at worst cut off in
    /// mid-frame, which its peer notices; it is not a reason to panic here too.
    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<S> State<S> {
    fn wake_waiting(&mut self) {
        self.waiting.drain(..).for_each(Waker::wake);
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.waiting.push(cx.waker().clone());
        }
    }

    fn queued_bytes(&self) -> usize {
        self.ws.queued_bytes() + self.backlog_bytes
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> State<S> {
    fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let had_waited = self.queued_bytes() > 0 || !self.backlog.is_empty();
        let mut polled = self.ws.poll_recv(cx);
        // What is written makes room; what waits takes it, and is tried at once.
        while polled.is_pending() && self.refill() {
            polled = self.ws.poll_recv(cx);
        }
        self.reader = match polled.is_pending() {
            true => ReaderTask::Waiting(cx.waker().clone()),
            false => ReaderTask::Busy,
        };
        if had_waited || !matches!(polled, Poll::Ready(Ok(Some(_))) | Poll::Pending) {
            self.wake_waiting();
        }
        polled
    }

    /// Moves waiting messages to the connection while it has room; returns whether any moved.
    fn refill(&mut self) -> bool {
        let before = self.backlog.len();
        while self.has_room()
            && let Some(waiting) = self.backlog.pop_front()
        {
            self.backlog_bytes -= waiting.message.len();
            // A line that is closing takes no more; the rest is dropped with it.
            let _ = self.queue(waiting.message);
        }
        self.backlog.len() < before
    }

    /// Whether the connection takes another message; beyond it they wait as messages.
    fn has_room(&self) -> bool {
        self.ws.queued_bytes() < crate::websocket::FEED_BYTES_MAX
    }

    fn queue(&mut self, message: Outgoing) -> Result<(), Error> {
        match message {
            Outgoing::Message(message, compress) => self.ws.queue(message, compress),
            Outgoing::Prepared(message) => Ok(self.ws.line.connection.send_prepared(&message)?),
        }
    }

    /// Queues a message, behind those that wait.
    fn push(&mut self, key: Option<u64>, message: Outgoing) -> Result<(), Error> {
        if self.backlog.is_empty() && self.has_room() {
            self.queue(message)?;
        } else {
            self.backlog_bytes += message.len();
            self.backlog.push_back(Waiting { key, message });
        }
        self.write_soon();
        Ok(())
    }

    /// Has the reader's task write, or writes here if it is busy elsewhere.
    fn write_soon(&mut self) {
        match std::mem::replace(&mut self.reader, ReaderTask::Woken) {
            ReaderTask::Waiting(waker) => waker.wake(),
            ReaderTask::Woken => {}
            ReaderTask::Busy => {
                self.reader = ReaderTask::Busy;
                if !self.ws.line.is_corked() {
                    // If the socket is full the reader's next turn goes on; an error shows there too.
                    let _ = self.ws.line.poll_flush(&mut Context::from_waker(Waker::noop()));
                }
            }
        }
    }

    fn fits(&self, message: &Outgoing) -> bool {
        // A message larger than the whole queue passes when it is alone.
        let queued = self.queued_bytes();
        queued == 0 || queued + message.len() <= self.options.bytes_max
    }

    fn is_open(&self) -> bool {
        !self.reader_dropped && self.ws.line.connection.state().may_send()
    }

    /// Makes room for a message that does not fit, by the policy. Returns the message if it is still
    /// to be queued.
    fn make_room(
        &mut self,
        key: Option<u64>,
        message: Outgoing,
    ) -> Result<Option<Outgoing>, TrySendError> {
        match &self.options.slow_consumer {
            SlowConsumer::Refuse => return Err(TrySendError::Full),
            SlowConsumer::Close(reason) => {
                let reason = reason.clone();
                self.stats.dropped += self.backlog.len() as u64 + 1;
                self.backlog.clear();
                self.backlog_bytes = 0;
                let _ = self.ws.line.connection.abort(reason, clock::now());
                self.write_soon();
                return Err(TrySendError::Closed);
            }
            SlowConsumer::DropNewest => {
                self.stats.dropped += 1;
                return Ok(None);
            }
            SlowConsumer::Conflate => {
                if let Some(same) = self.backlog.iter_mut().find(|w| key.is_some() && w.key == key)
                {
                    self.backlog_bytes = self.backlog_bytes - same.message.len() + message.len();
                    same.message = message;
                    self.stats.conflated += 1;
                    return Ok(None);
                }
            }
            SlowConsumer::DropOldest => {}
        }
        while !self.fits(&message)
            && let Some(oldest) = self.backlog.pop_front()
        {
            self.backlog_bytes -= oldest.message.len();
            self.stats.dropped += 1;
        }
        if self.fits(&message) {
            return Ok(Some(message));
        }
        // What is encoded already cannot be taken back.
        self.stats.dropped += 1;
        Ok(None)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Outlet for Shared<S> {
    fn try_send(&self, key: Option<u64>, message: Outgoing) -> Result<(), TrySendError> {
        let mut state = self.lock();
        if !state.is_open() {
            return Err(TrySendError::Closed);
        }
        let message = match state.fits(&message) {
            true => Some(message),
            false => state.make_room(key, message)?,
        };
        match message {
            Some(message) => state.push(key, message).map_err(|_| TrySendError::Closed),
            None => Ok(()),
        }
    }

    fn poll_send(
        &self,
        message: &mut Option<Outgoing>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let mut state = self.lock();
        if !state.is_open() {
            return Poll::Ready(Err(Error::Closed));
        }
        let Some(outgoing) = message.take() else { return Poll::Ready(Ok(())) };
        if !state.fits(&outgoing) {
            *message = Some(outgoing);
            state.wait(cx);
            return Poll::Pending;
        }
        Poll::Ready(state.push(None, outgoing))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut state = self.lock();
        state.write_soon();
        if state.queued_bytes() == 0 && state.backlog.is_empty() {
            return Poll::Ready(Ok(()));
        }
        if state.reader_dropped || state.ws.line.is_over() {
            return Poll::Ready(Err(Error::Closed));
        }
        state.wait(cx);
        Poll::Pending
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Closed> {
        let mut state = self.lock();
        if let Some(closed) = state.ws.closed()
            && (state.ws.line.is_over() || state.reader_dropped)
        {
            return Poll::Ready(closed.clone());
        }
        state.wait(cx);
        Poll::Pending
    }

    fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        let mut state = self.lock();
        state.ws.line.connection.ping(payload)?;
        state.write_soon();
        Ok(())
    }

    fn close(&self, reason: CloseReason) -> Result<(), Error> {
        let mut state = self.lock();
        // What waits goes first, as everywhere; it is bounded by the queue's own limit.
        while let Some(waiting) = state.backlog.pop_front() {
            state.backlog_bytes -= waiting.message.len();
            let _ = state.queue(waiting.message);
        }
        state.ws.line.connection.close(reason, clock::now())?;
        state.write_soon();
        Ok(())
    }

    fn queued_bytes(&self) -> usize {
        self.lock().queued_bytes()
    }

    fn stats(&self) -> QueueStats {
        self.lock().stats
    }
}
