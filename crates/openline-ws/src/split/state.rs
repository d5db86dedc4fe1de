//! What a reader and its senders share: the line, and the messages that wait for room in it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};

use openline_ws_proto::{CloseReason, Compress, Prepared, PreparedBatch};
use tokio::io::{AsyncRead, AsyncWrite};

use super::queue::{QueueOptions, QueueStats, SlowConsumer, TrySendError};
use crate::clock;
use crate::error::Error;
use crate::line::Line;
use crate::message::Message;
use crate::websocket::WebSocket;

#[derive(Debug)]
pub(super) struct State<S> {
    pub(super) ws: WebSocket<S>,
    pub(super) options: Arc<QueueOptions>,
    /// What waits because the socket takes nothing: kept as messages, so that a policy can choose
    /// among them. While the socket takes what it is given this is empty.
    pub(super) backlog: VecDeque<Waiting>,
    pub(super) backlog_bytes: usize,
    pub(super) stats: QueueStats,
    pub(super) reader: ReaderTask,
    /// The reader is to return, whether or not something has come.
    pub(super) is_interrupted: bool,
    pub(super) waiting: Arc<WaitingTasks>,
}

/// Tasks of senders that wait for room or for the end. As a waker it wakes them all: which of them
/// the transport or a deadline should wake is not known, and one of them may be gone by then.
#[derive(Debug, Default)]
pub(super) struct WaitingTasks(Mutex<Vec<Waker>>);

/// What the task that receives is doing.
#[derive(Debug)]
pub(super) enum ReaderTask {
    /// Something else than receiving.
    Busy,
    /// It waits in `recv`.
    Waiting(Waker),
    /// It was woken, and will write what is queued by then.
    Woken,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) key: Option<u64>,
    pub(super) message: Outgoing,
}

#[derive(Debug, Clone)]
pub(super) enum Outgoing {
    Message(Message, Compress),
    Prepared(Prepared),
    Batch(PreparedBatch),
}

impl Outgoing {
    /// What it counts for in the queue: its payload and a little more, or empty messages could wait
    /// without a limit.
    pub(super) fn cost(&self) -> usize {
        const MESSAGE_BYTES: usize = 16;
        let payload = match self {
            Self::Message(message, _) => message.as_bytes().len(),
            Self::Prepared(message) => message.payload().len(),
            Self::Batch(batch) => {
                batch.payload_bytes() + batch.messages().len().saturating_sub(1) * MESSAGE_BYTES
            }
        };
        payload + MESSAGE_BYTES
    }
}

impl Outgoing {
    /// What of it nobody else holds.
    fn own_bytes(&self) -> usize {
        let is_own = match self {
            Self::Message(Message::Text(text), _) => text.as_bytes().is_unique(),
            Self::Message(Message::Binary(data), _) => data.is_unique(),
            Self::Prepared(message) => message.is_unique(),
            Self::Batch(batch) => batch.is_unique(),
        };
        if is_own { self.cost() } else { 0 }
    }
}

impl WaitingTasks {
    pub(super) fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn add(&self, waker: &Waker) {
        let mut tasks = self.lock();
        if !tasks.iter().any(|task| task.will_wake(waker)) {
            tasks.push(waker.clone());
        }
    }

    pub(super) fn wake_all(&self) {
        let tasks = std::mem::take(&mut *self.lock());
        tasks.into_iter().for_each(Waker::wake);
    }
}

impl Wake for WaitingTasks {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

impl<S> State<S> {
    pub(super) fn queued_bytes(&self) -> usize {
        self.ws.queued_bytes() + self.backlog_bytes
    }

    pub(super) fn own_bytes(&self) -> usize {
        let backlog = self.backlog.iter().map(|waiting| waiting.message.own_bytes());
        self.ws.line.connection.own_bytes() + backlog.sum::<usize>()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> State<S> {
    pub(super) fn poll_recv(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Message>, Error>> {
        let had_waited = self.wants_write();
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
            self.waiting.wake_all();
        }
        polled
    }

    pub(super) fn wants_write(&self) -> bool {
        self.ws.line.connection.wants_transmit() || !self.backlog.is_empty()
    }

    /// Moves waiting messages to the connection while it has room; returns whether any moved.
    pub(super) fn refill(&mut self) -> bool {
        let before = self.backlog.len();
        while self.has_room()
            && let Some(waiting) = self.backlog.pop_front()
        {
            self.backlog_bytes -= waiting.message.cost();
            // A line that is closing takes no more; the rest is dropped with it.
            let _ = self.queue(waiting.message);
        }
        self.backlog.len() < before
    }

    /// Whether the connection takes another message; beyond it they wait as messages. Half of a small
    /// queue is kept for those, or the policy would have none to choose among.
    pub(super) fn has_room(&self) -> bool {
        let most = crate::websocket::FEED_BYTES_MAX.min(self.options.bytes_max / 2);
        self.ws.queued_bytes() < most.max(1)
    }

    pub(super) fn queue(&mut self, message: Outgoing) -> Result<(), Error> {
        match message {
            Outgoing::Message(message, compress) => self.ws.queue(message, compress),
            Outgoing::Prepared(message) => Ok(self.ws.line.connection.send_prepared(&message)?),
            Outgoing::Batch(batch) => Ok(self.ws.line.connection.send_batch(&batch)?),
        }
    }

    /// Writes a batch from the memory that all its lines share, if nothing waits before it and the
    /// reader's task has nothing to do; returns whether it was taken. The reader's task is not woken
    /// for it: of a thousand lines that would be a thousand turns.
    pub(super) fn write_batch(&mut self, batch: &PreparedBatch) -> bool {
        let ReaderTask::Waiting(waker) = &self.reader else { return false };
        let line = &mut self.ws.line;
        let Some(bytes) = line.connection.batch_bytes(batch) else { return false };
        let mut cx = Context::from_waker(waker);
        // What is pending has woken nobody yet: the reader's task is to wait for the transport.
        let Poll::Ready(Ok(written)) = Pin::new(&mut line.io).poll_write(&mut cx, bytes) else {
            return false;
        };
        if written < bytes.len() {
            line.connection.send_batch(batch).expect("batch_bytes() said that it may be sent");
            line.connection.handle_transmitted(written, clock::now());
            self.write_soon();
        } else if Pin::new(&mut line.io).poll_flush(&mut cx).is_pending() {
            self.write_soon();
        }
        true
    }

    /// Queues a message, behind those that wait.
    pub(super) fn push(&mut self, key: Option<u64>, message: Outgoing) -> Result<(), Error> {
        if self.backlog.is_empty() && self.has_room() {
            self.queue(message)?;
        } else {
            self.backlog_bytes += message.cost();
            self.backlog.push_back(Waiting { key, message });
        }
        self.write_soon();
        Ok(())
    }

    /// Has the reader's task write, or writes here if it is busy elsewhere.
    pub(super) fn write_soon(&mut self) {
        match std::mem::replace(&mut self.reader, ReaderTask::Woken) {
            ReaderTask::Waiting(waker) => waker.wake(),
            ReaderTask::Woken => {}
            ReaderTask::Busy => {
                self.reader = ReaderTask::Busy;
                if !self.ws.line.is_corked() {
                    // If the socket is full the reader's next turn goes on; an error shows there too.
                    let _ = self.poll_write_here(Line::poll_flush);
                }
            }
        }
    }

    /// While the reader's task is busy: writes, whatever is corked, and watches deadlines. That task
    /// may be the very one that waits for this, so nobody else would.
    pub(super) fn poll_write_for_waiting(&mut self) -> Poll<Result<(), Error>> {
        match self.reader {
            ReaderTask::Busy => self.poll_write_here(Line::poll_flush_in_time),
            ReaderTask::Waiting(_) | ReaderTask::Woken => Poll::Pending,
        }
    }

    /// Writes in place of the reader's task. Once the socket takes more, all who wait are woken.
    pub(super) fn poll_write_here(
        &mut self,
        poll_flush: impl Fn(&mut Line<S>, &mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Poll<Result<(), Error>> {
        let waker = Waker::from(self.waiting.clone());
        loop {
            let written = poll_flush(&mut self.ws.line, &mut Context::from_waker(&waker));
            // A part that was written may have made room as well.
            if matches!(written, Poll::Ready(Err(_))) || !self.refill() {
                return written;
            }
        }
    }

    pub(super) fn fits(&self, message: &Outgoing) -> bool {
        // A message larger than the whole queue passes when it is alone.
        let queued = self.queued_bytes();
        queued == 0 || queued + message.cost() <= self.options.bytes_max
    }

    pub(super) fn is_open(&self) -> bool {
        self.ws.line.connection.state().may_send()
    }

    /// Closes without what waits.
    pub(super) fn abort(&mut self, reason: CloseReason) -> Result<(), Error> {
        self.ws.line.connection.abort(reason, clock::now())?;
        self.stats.dropped += self.backlog.len() as u64;
        self.backlog.clear();
        self.backlog_bytes = 0;
        self.waiting.wake_all();
        self.write_soon();
        Ok(())
    }

    /// Makes room for a message that does not fit, by the policy. Returns the message if it is still
    /// to be queued.
    pub(super) fn make_room(
        &mut self,
        key: Option<u64>,
        message: Outgoing,
    ) -> Result<Option<Outgoing>, TrySendError> {
        match &self.options.slow_consumer {
            SlowConsumer::Refuse => return Err(TrySendError::Full),
            SlowConsumer::Close(reason) => {
                let reason = reason.clone();
                self.stats.dropped += 1;
                let _ = self.abort(reason);
                return Err(TrySendError::Closed);
            }
            SlowConsumer::DropNewest => {
                self.stats.dropped += 1;
                return Ok(None);
            }
            SlowConsumer::Conflate => {
                let same = self.backlog.iter().position(|w| key.is_some() && w.key == key);
                if let Some(same) = same {
                    self.stats.conflated += 1;
                    let before = self.backlog[same].message.cost();
                    self.backlog_bytes -= before;
                    if self.fits(&message) {
                        self.backlog_bytes += message.cost();
                        self.backlog[same].message = message;
                        return Ok(None);
                    }
                    // It is larger than what it replaces, so others have to make room.
                    self.backlog.remove(same);
                }
            }
            SlowConsumer::DropOldest => {}
        }
        while !self.fits(&message)
            && let Some(oldest) = self.backlog.pop_front()
        {
            self.backlog_bytes -= oldest.message.cost();
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
