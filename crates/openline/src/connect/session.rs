//! The line and the input, taken in turns by one task.
//!
//! The line is not split: the reader of a split line does not tell of pings. So one task does both,
//! and [`Session::next`] never waits for one half alone: while the server takes nothing the line is
//! still read, and while it sends nothing the input still goes out.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use openline_ws::{CloseCode, CloseReason, Error, Incoming, Message, Transport, WebSocket};
use tokio::sync::mpsc::Receiver;

/// With this much unsent, no more input is taken.
const QUEUED_BYTES_MAX: usize = 64 * 1024;

pub(super) type Line = WebSocket<Transport>;

/// What happened next.
pub(super) enum Turn<T> {
    Incoming(Incoming),
    Input(T),
    /// There is no more input. Told once.
    InputEnded,
    Over(End),
}

/// How a line ended.
#[derive(Debug)]
pub(super) enum End {
    ByServer(CloseReason),
    ByUs { reason: CloseReason, answered: bool },
    Failed(Error),
}

pub(super) struct Session<T> {
    ws: Line,
    input: Option<Receiver<T>>,
    /// Whose turn it is to be asked first, so that neither side starves the other.
    input_first: bool,
}

impl<T> Session<T> {
    pub(super) fn new(ws: Line, input: Receiver<T>) -> Self {
        Self { ws, input: Some(input), input_first: false }
    }

    pub(super) fn line(&self) -> &Line {
        &self.ws
    }

    /// The next thing from either side. What was queued is written meanwhile. Nothing is lost when
    /// the future is dropped.
    pub(super) async fn next(&mut self) -> Turn<T> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next thing, if it is there already.
    pub(super) async fn try_next(&mut self) -> Option<Turn<T>> {
        poll_fn(|cx| match self.poll_next(cx) {
            Poll::Ready(turn) => Poll::Ready(Some(turn)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Queues a message; [`Session::next`] writes it.
    pub(super) async fn queue(&mut self, message: impl Into<Message>) -> Result<(), Error> {
        queued(self.ws.feed(message)).await
    }

    /// Queues a ping.
    pub(super) async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
        queued(self.ws.ping(payload)).await
    }

    /// Closes the line, and waits for the server's answer.
    pub(super) async fn close(&mut self, code: CloseCode, reason: &str) -> End {
        if let Some(closed) = self.ws.closed() {
            return End::ByServer(closed.reason.clone());
        }
        match self.ws.close(code, reason).await {
            // The server may have begun to close at the same moment, for a reason of its own.
            Ok(closed) if closed.clean && closed.reason.code != code => {
                End::ByServer(closed.reason)
            }
            Ok(closed) => {
                End::ByUs { reason: CloseReason::new(code, reason), answered: closed.clean }
            }
            Err(error) => End::Failed(error),
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Turn<T>> {
        self.input_first = !self.input_first;
        if self.input_first
            && let Poll::Ready(turn) = self.poll_input(cx)
        {
            return Poll::Ready(turn);
        }
        if let Poll::Ready(turn) = self.poll_line(cx) {
            return Poll::Ready(turn);
        }
        // Asked behind the line, which may have written something and made room.
        self.poll_input(cx)
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Turn<T>> {
        let received = pin!(self.ws.recv_any()).poll(cx);
        received.map(|received| match received {
            Ok(Some(incoming)) => Turn::Incoming(incoming),
            Ok(None) => {
                let closed = self.ws.closed().expect("a line that is over has closed");
                Turn::Over(End::ByServer(closed.reason.clone()))
            }
            Err(error) => Turn::Over(End::Failed(error)),
        })
    }

    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Turn<T>> {
        let Some(input) = &mut self.input else { return Poll::Pending };
        if self.ws.queued_bytes() >= QUEUED_BYTES_MAX {
            return Poll::Pending;
        }
        input.poll_recv(cx).map(|received| match received {
            Some(input) => Turn::Input(input),
            None => {
                self.input = None;
                Turn::InputEnded
            }
        })
    }
}

/// Polls an act that queues something when it is first polled, and leaves the writing to others: to
/// wait for it here would stop the reading, and two sides that both wait to write are stuck.
async fn queued(act: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let mut act = pin!(act);
    poll_fn(|cx| match act.as_mut().poll(cx) {
        // The next turn tells how the line closed.
        Poll::Pending | Poll::Ready(Err(Error::Closed)) => Poll::Ready(Ok(())),
        ready => ready,
    })
    .await
}
