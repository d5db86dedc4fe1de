//! [`WebSocket`] as a `Stream` and a `Sink`, for code that is written against those.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_sink::Sink;
use openline_ws_proto::{CloseCode, CloseReason, Compress};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock;
use crate::error::Error;
use crate::message::Message;
use crate::websocket::WebSocket;

/// Ends with `None` when the line is closed, and after an error.
impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(cx).map(Result::transpose)
    }
}

/// Unlike [`WebSocket::send`], `start_send` only queues: the sink's user flushes, as everywhere.
/// Closing the sink closes the line with 1000.
impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Message> for WebSocket<S> {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().poll_feed_ready(cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.get_mut().queue(message, Compress::Auto)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.get_mut().line.poll_flush_in_time(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let line = &mut self.get_mut().line;
        line.connection.close(CloseReason::new(CloseCode::NORMAL, ""), clock::now())?;
        while ready!(line.poll_event(cx)?).is_some() {}
        Poll::Ready(Ok(()))
    }
}
