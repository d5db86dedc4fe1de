//! A line in two: a [`Reader`] with one owner and a [`Sender`] that many can hold.
//!
//! The task that awaits the reader does the writing as well: a sender queues and wakes it, so all
//! that is queued in one turn of the runtime leaves in one write. Only when that task is busy
//! elsewhere does a sender write by itself; it may be that very task that waits in a sender.

mod detach;
mod queue;
mod state;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use openline_ws_proto::{CloseCode, CloseReason, Closed, Compress, Prepared, PreparedBatch};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock;
use crate::error::Error;
use crate::line::Line;
use crate::message::Message;
use crate::websocket::WebSocket;
use state::{Outgoing, ReaderTask, State};

pub use detach::{Detached, Received};
pub use queue::{QueueOptions, QueueStats, SlowConsumer, TrySendError};

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
    phase: Mutex<Phase<S>>,
}

#[derive(Debug)]
enum Phase<S> {
    Running(State<S>),
    /// The reader was dropped, and the transport with it.
    Ended(Closed, QueueStats),
}

/// A line without the type of its transport.
trait Outlet: Send + Sync {
    fn try_send(&self, key: Option<u64>, message: Outgoing) -> Result<(), TrySendError>;
    fn try_write_batch(&self, batch: &PreparedBatch) -> Result<(), TrySendError>;
    fn poll_send(
        &self,
        message: &mut Option<Outgoing>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Error>>;
    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>>;
    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Closed>;
    fn ping(&self, payload: &[u8]) -> Result<(), Error>;
    fn interrupt(&self);
    fn close(&self, reason: CloseReason) -> Result<(), Error>;
    fn abort(&self, reason: CloseReason) -> Result<(), Error>;
    fn queued_bytes(&self) -> usize;
    fn own_bytes(&self) -> usize;
    fn is_open(&self) -> bool;
    fn quiet_for(&self) -> Duration;
    fn stats(&self) -> QueueStats;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> WebSocket<S> {
    /// Splits the line, with the default queue.
    pub fn split(self) -> (Reader<S>, Sender) {
        self.split_with(QueueOptions::default())
    }

    /// Splits the line.
    ///
    /// Options in an [`Arc`] are shared by all lines that are given the same.
    pub fn split_with(self, options: impl Into<Arc<QueueOptions>>) -> (Reader<S>, Sender) {
        let state = State {
            ws: self,
            options: options.into(),
            backlog: VecDeque::new(),
            backlog_bytes: 0,
            stats: QueueStats::default(),
            reader: ReaderTask::Busy,
            is_interrupted: false,
            waiting: Arc::default(),
        };
        let shared = Arc::new(Shared { phase: Mutex::new(Phase::Running(state)) });
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
        let mut receiving = Receiving { shared: &self.shared, waits: false };
        poll_fn(|cx| receiving.poll(cx)).await
    }

    /// How the line closed, once it has.
    pub fn closed(&self) -> Option<Closed> {
        self.shared.lock().running()?.ws.closed().cloned()
    }

    /// The subprotocol that the handshake agreed on.
    pub fn protocol(&self) -> Option<String> {
        self.shared.lock().running()?.ws.protocol().map(str::to_owned)
    }
}

/// Ends the line and lets go of the transport, however many senders there still are.
impl<S> Drop for Reader<S> {
    fn drop(&mut self) {
        let mut phase = self.shared.lock();
        let Some(state) = phase.running() else { return };
        state.ws.line.connection.handle_eof();
        let closed = state.ws.closed().expect("handle_eof() closes what is not closed").clone();
        let stats = state.stats;
        let ended = std::mem::replace(&mut *phase, Phase::Ended(closed, stats));
        drop(phase);
        if let Phase::Running(state) = ended {
            state.waiting.wake_all();
        }
    }
}

/// A receive under way. When it is dropped before it is ready, nobody writes for the senders any
/// more, and they are to know.
struct Receiving<'a, S: AsyncRead + AsyncWrite + Unpin> {
    shared: &'a Shared<S>,
    waits: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiving<'_, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Message>, Error>> {
        let mut phase = self.shared.lock();
        let state = phase.running().expect("the reader is borrowed, so it was not dropped");
        let polled = state.poll_recv(cx);
        self.waits = polled.is_pending();
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Receiving<'_, S> {
    fn drop(&mut self) {
        if self.waits
            && let Some(state) = self.shared.lock().running()
        {
            state.reader = ReaderTask::Busy;
            // What fails here shows in the reader's next turn as well.
            let _ = state.poll_write_here(Line::poll_flush);
        }
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

    /// As [`Sender::try_send`], with a batch for many lines, which is written here and now if nothing
    /// waits before it. For a publisher that goes through its subscribers once in a turn of its
    /// loop: no task is woken for a line that takes the batch whole.
    ///
    /// # Errors
    /// See [`TrySendError`].
    pub fn try_write_batch(&self, batch: &PreparedBatch) -> Result<(), TrySendError> {
        self.outlet.try_write_batch(batch)
    }

    /// As [`Sender::try_send_prepared`], with a batch, which leaves with what else is queued in this
    /// turn.
    ///
    /// # Errors
    /// See [`TrySendError`].
    pub fn try_send_batch(&self, batch: &PreparedBatch) -> Result<(), TrySendError> {
        self.outlet.try_send(None, Outgoing::Batch(batch.clone()))
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

    /// As [`Sender::close`], dropping what is queued and of which nothing is written yet, to end a
    /// line whose peer does not read. What stands in one piece with what has begun goes with it: the
    /// messages gathered there, and the one whose head is its end.
    ///
    /// # Errors
    /// As [`Sender::close`]; nothing is dropped then.
    pub fn abort(&self, code: impl Into<CloseCode>, reason: &str) -> Result<(), Error> {
        self.outlet.abort(CloseReason::new(code, reason))
    }

    /// Waits until the line is closed.
    pub async fn closed(&self) -> Closed {
        poll_fn(|cx| self.outlet.poll_closed(cx)).await
    }

    /// Bytes that wait for the peer.
    pub fn queued_bytes(&self) -> usize {
        self.outlet.queued_bytes()
    }

    /// Bytes that wait for the peer and that nobody else holds: what an end of the line frees of them.
    /// A message that was prepared for many counts for the last who holds it.
    ///
    /// It looks at each message that waits.
    pub fn own_bytes(&self) -> usize {
        self.outlet.own_bytes()
    }

    /// Whether messages are still taken: neither side has begun to close.
    pub fn is_open(&self) -> bool {
        self.outlet.is_open()
    }

    /// For how long nothing has come from the peer; a ping that was sent for its silence begins it
    /// anew. Zero when the line is closed.
    pub fn quiet_for(&self) -> Duration {
        self.outlet.quiet_for()
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
    fn lock(&self) -> MutexGuard<'_, Phase<S>> {
        self.phase.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<S> Phase<S> {
    fn running(&mut self) -> Option<&mut State<S>> {
        match self {
            Self::Running(state) => Some(state),
            Self::Ended(..) => None,
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Outlet for Shared<S> {
    fn try_write_batch(&self, batch: &PreparedBatch) -> Result<(), TrySendError> {
        if let Some(state) = self.lock().running()
            && state.write_batch(batch)
        {
            return Ok(());
        }
        self.try_send(None, Outgoing::Batch(batch.clone()))
    }

    fn try_send(&self, key: Option<u64>, message: Outgoing) -> Result<(), TrySendError> {
        let mut phase = self.lock();
        let Some(state) = phase.running().filter(|state| state.is_open()) else {
            return Err(TrySendError::Closed);
        };
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
        let mut phase = self.lock();
        let Some(state) = phase.running().filter(|state| state.is_open()) else {
            return Poll::Ready(Err(Error::Closed));
        };
        let Some(outgoing) = message.take() else { return Poll::Ready(Ok(())) };
        if !state.fits(&outgoing) {
            state.waiting.add(cx.waker());
            let written = state.poll_write_for_waiting();
            if !state.fits(&outgoing) {
                *message = Some(outgoing);
                return match written {
                    Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                    _ => Poll::Pending,
                };
            }
        }
        Poll::Ready(state.push(None, outgoing))
    }

    fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut phase = self.lock();
        let Some(state) = phase.running() else { return Poll::Ready(Err(Error::Closed)) };
        if !state.wants_write() {
            return Poll::Ready(Ok(()));
        }
        if state.ws.line.is_over() {
            return Poll::Ready(Err(Error::Closed));
        }
        state.waiting.add(cx.waker());
        state.poll_write_for_waiting()
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Closed> {
        let mut phase = self.lock();
        let state = match &mut *phase {
            Phase::Running(state) => state,
            Phase::Ended(closed, _) => return Poll::Ready(closed.clone()),
        };
        if let Some(closed) = state.ws.closed()
            && state.ws.line.is_over()
        {
            return Poll::Ready(closed.clone());
        }
        state.waiting.add(cx.waker());
        Poll::Pending
    }

    fn ping(&self, payload: &[u8]) -> Result<(), Error> {
        let mut phase = self.lock();
        let state = phase.running().ok_or(Error::Closed)?;
        state.ws.line.connection.ping(payload)?;
        state.write_soon();
        Ok(())
    }

    fn interrupt(&self) {
        if let Some(state) = self.lock().running() {
            state.is_interrupted = true;
            if let ReaderTask::Waiting(waker) = &state.reader {
                waker.wake_by_ref();
            }
        }
    }

    fn close(&self, reason: CloseReason) -> Result<(), Error> {
        let mut phase = self.lock();
        let Some(state) = phase.running() else { return Ok(()) };
        // What waits goes first, as everywhere; it is bounded by the queue's own limit.
        while let Some(waiting) = state.backlog.pop_front() {
            state.backlog_bytes -= waiting.message.cost();
            let _ = state.queue(waiting.message);
        }
        state.ws.line.connection.close(reason, clock::now())?;
        state.waiting.wake_all();
        state.write_soon();
        Ok(())
    }

    fn abort(&self, reason: CloseReason) -> Result<(), Error> {
        let mut phase = self.lock();
        let Some(state) = phase.running() else { return Ok(()) };
        state.abort(reason)
    }

    fn queued_bytes(&self) -> usize {
        self.lock().running().map_or(0, |state| state.queued_bytes())
    }

    fn own_bytes(&self) -> usize {
        self.lock().running().map_or(0, |state| state.own_bytes())
    }

    fn is_open(&self) -> bool {
        self.lock().running().is_some_and(|state| state.is_open())
    }

    fn quiet_for(&self) -> Duration {
        let mut phase = self.lock();
        let Some(state) = phase.running() else { return Duration::ZERO };
        let heard = state.ws.line.connection.last_heard();
        Duration::from_millis(clock::now().0.saturating_sub(heard.0))
    }

    fn stats(&self) -> QueueStats {
        match &*self.lock() {
            Phase::Running(state) => state.stats,
            Phase::Ended(_, stats) => *stats,
        }
    }
}
