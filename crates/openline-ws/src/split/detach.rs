//! Ending a [`Reader`] without ending its line, so that somebody else can go on with it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use openline_ws_proto::handshake::Agreed;
use openline_ws_proto::{CloseCode, CloseReason, Closed, Config, Connection, Role};
use tokio::io::{AsyncRead, AsyncWrite};

use super::state::State;
use super::{Phase, Reader, Receiving, Sender};
use crate::clock;
use crate::error::Error;
use crate::message::Message;
use crate::websocket::WebSocket;

/// A line that was taken off its reader: what it takes to go on with it elsewhere
/// ([`Detached::resume`]), in another process even.
#[derive(Debug)]
pub struct Detached<S> {
    /// The transport. The peer knows of nothing.
    pub io: S,
    /// What the handshake agreed on.
    pub agreed: Agreed,
    /// What came from the peer and was not handled.
    pub rest: Vec<u8>,
}

/// What [`Reader::recv_or_interrupt`] returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message.
    Message(Message),
    /// Nothing has come; [`Sender::interrupt`] was called.
    Interrupted,
    /// The line is closed.
    Closed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Detached<S> {
    /// The line again. `role` and the limits are to be those that it had; other settings may be others.
    ///
    /// # Panics
    /// As [`Connection::new`].
    pub fn resume(self, role: Role, config: Arc<Config>) -> WebSocket<S> {
        let Self { io, agreed, rest } = self;
        let connection = Connection::new(role, config, agreed.deflate, clock::now());
        WebSocket::from_parts(io, connection, agreed, rest)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reader<S> {
    /// As [`Reader::recv`], and returns as well when [`Sender::interrupt`] was called, before it or
    /// meanwhile; once for any number of calls.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped before it is ready.
    ///
    /// # Errors
    /// As [`Reader::recv`].
    pub async fn recv_or_interrupt(&mut self) -> Result<Received, Error> {
        let mut receiving = Receiving { shared: &self.shared, waits: false };
        poll_fn(|cx| receiving.poll_or_interrupt(cx)).await
    }

    /// Whether [`Reader::detach`] would do it now.
    pub fn is_quiet(&self) -> bool {
        self.shared.lock().running().is_some_and(|state| state.is_quiet())
    }

    /// Ends this half and leaves the line as it is: no close frame is sent and the transport stays
    /// open. Senders find the line closed from here on, without a close frame (1006).
    ///
    /// It takes a quiet moment: the line is open, nothing waits to be written, no part of a frame or
    /// of a message has been taken in or sent, and compression, if any, keeps no window between
    /// messages. What has come and was not handled goes along.
    ///
    /// # Errors
    /// The reader, where the moment is not quiet: go on with it.
    pub fn detach(self) -> Result<Detached<S>, Self> {
        let mut phase = self.shared.lock();
        let Some(state) = phase.running().filter(|state| state.is_quiet()) else {
            drop(phase);
            return Err(self);
        };
        let reason = CloseReason::new(CloseCode::ABNORMAL, "");
        let ended = Phase::Ended(Closed { reason, clean: false }, state.stats);
        let Phase::Running(state) = std::mem::replace(&mut *phase, ended) else {
            unreachable!("it was running above, and the lock is held");
        };
        drop(phase);
        state.waiting.wake_all();
        let (io, agreed, rest) = state.ws.line.into_parts();
        Ok(Detached { io, agreed, rest })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Receiving<'_, S> {
    fn poll_or_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<Received, Error>> {
        let mut phase = self.shared.lock();
        let state = phase.running().expect("the reader is borrowed, so it was not dropped");
        if std::mem::take(&mut state.is_interrupted) {
            // What senders queue from here on they write by themselves. What is queued already is
            // tried when this is dropped.
            self.waits = true;
            return Poll::Ready(Ok(Received::Interrupted));
        }
        let polled = state.poll_recv(cx);
        self.waits = polled.is_pending();
        polled.map_ok(|message| message.map_or(Received::Closed, Received::Message))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> State<S> {
    fn is_quiet(&self) -> bool {
        self.backlog.is_empty() && self.ws.line.is_quiet()
    }
}

impl Sender {
    /// Has [`Reader::recv_or_interrupt`] return, now or when it is called next.
    pub fn interrupt(&self) {
        self.outlet.interrupt();
    }
}
