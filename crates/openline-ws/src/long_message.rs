//! Messages too large to hold: read and written piece by piece.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use openline_ws_proto::FrameKind;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::{Error, is_peer_gone};
use crate::line::Arrived;
use crate::websocket::WebSocket;

/// A message that is read as it arrives; made by [`WebSocket::recv_long`].
///
/// Read it to its end, chunk by chunk or through [`AsyncRead`]. What is left of it when the reader
/// is dropped is skipped by the next `recv`.
#[derive(Debug)]
pub struct MessageReader<'a, S> {
    ws: &'a mut WebSocket<S>,
    kind: FrameKind,
    next: Option<Bytes>,
    ended: bool,
}

/// A message that is written piece by piece; made by [`WebSocket::send_long`].
///
/// [`MessageWriter::finish`] it: until then the line takes no other message.
#[derive(Debug)]
pub struct MessageWriter<'a, S> {
    ws: &'a mut WebSocket<S>,
    /// The kind, until the first piece has carried it.
    kind: Option<FrameKind>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The next message, to be read as it arrives; `None` when the line is closed. The limits on
    /// messages, frames and fragments do not apply to it, and no more of it is held than one read
    /// brings, or one read inflates to.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped before it is ready.
    ///
    /// # Errors
    /// As [`WebSocket::recv`].
    pub async fn recv_long(&mut self) -> Result<Option<MessageReader<'_, S>>, Error> {
        // What is left of a message that was not read to its end is not the next message.
        while self.line.connection.in_streamed_message() {
            if poll_fn(|cx| self.line.poll_event(cx)).await?.is_none() {
                return Ok(None);
            }
        }
        self.set_streaming(true);
        loop {
            match poll_fn(|cx| self.line.poll_event(cx)).await? {
                Some(Arrived::Chunk { kind, data, last }) => {
                    return Ok(Some(MessageReader {
                        ws: self,
                        kind,
                        next: Some(data),
                        ended: last,
                    }));
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// Begins a message that is sent piece by piece, each as a fragment and none compressed.
    pub fn send_long(&mut self, kind: FrameKind) -> MessageWriter<'_, S> {
        MessageWriter { ws: self, kind: Some(kind) }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MessageReader<'_, S> {
    /// What the message is. The chunks of a text are UTF-8, but may end inside a character.
    pub fn kind(&self) -> FrameKind {
        self.kind
    }

    /// The next piece; `None` at the message's end.
    ///
    /// # Errors
    /// As [`WebSocket::recv`]; [`Error::Closed`] when the line closes before the message's end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Error>> {
        loop {
            if let Some(data) = self.next.take().filter(|data| !data.is_empty()) {
                return Poll::Ready(Ok(Some(data)));
            }
            if self.ended {
                return Poll::Ready(Ok(None));
            }
            match ready!(self.ws.line.poll_event(cx)?) {
                Some(Arrived::Chunk { data, last, .. }) => {
                    self.next = Some(data);
                    self.ended = last;
                }
                Some(_) => {}
                None => return Poll::Ready(Err(Error::Closed)),
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for MessageReader<'_, S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = self.get_mut();
        let chunk = ready!(this.poll_chunk(cx)).map_err(|error| match error {
            Error::Io(error) if !is_peer_gone(&error) => error,
            Error::Closed => std::io::ErrorKind::UnexpectedEof.into(),
            other => std::io::Error::other(other),
        })?;
        if let Some(mut chunk) = chunk {
            let taken = chunk.len().min(buffer.remaining());
            buffer.put_slice(&chunk[..taken]);
            chunk.advance(taken);
            this.next = Some(chunk);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> MessageWriter<'_, S> {
    /// Sends the next piece and waits until the transport has taken it. The pieces of a text
    /// together are to be UTF-8.
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn write(&mut self, data: impl Into<Bytes>) -> Result<(), Error> {
        self.fragment(data.into(), false).await
    }

    /// Ends the message.
    ///
    /// # Errors
    /// As [`WebSocket::send`].
    pub async fn finish(mut self) -> Result<(), Error> {
        self.fragment(Bytes::new(), true).await
    }

    async fn fragment(&mut self, data: Bytes, fin: bool) -> Result<(), Error> {
        self.ws.line.connection.send_fragment(self.kind, data, fin)?;
        self.kind = None;
        poll_fn(|cx| self.ws.line.poll_flush_in_time(cx)).await
    }
}
