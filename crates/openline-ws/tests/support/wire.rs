//! A transport in memory, of which the test holds the other end.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The end that the line under test runs over.
#[derive(Debug)]
pub(crate) struct Wire(Arc<Mutex<State>>);

/// The end that the test holds.
#[derive(Debug, Clone)]
pub(crate) struct Peer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    to_line: VecDeque<u8>,
    from_line: Vec<u8>,
    /// What reading meets once `to_line` is empty.
    end: Option<End>,
    /// Bytes that may still be written.
    room: Option<usize>,
    write_error: Option<io::ErrorKind>,
    /// Every byte is moved by itself, and before each the transport stalls once.
    stalling: bool,
    stalled_read: bool,
    stalled_write: bool,
    reads: usize,
    writes: usize,
    ended: bool,
    dropped: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Eof,
    Error(io::ErrorKind),
}

pub(crate) fn pair() -> (Wire, Peer) {
    let state = Arc::<Mutex<State>>::default();
    (Wire(state.clone()), Peer(state))
}

impl Peer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Sends bytes to the line.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.to_line.extend(bytes);
        state.wake_reader();
    }

    /// Ends the peer's half.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.end = Some(End::Eof);
        state.wake_reader();
    }

    /// Has reading fail once all that was pushed is read.
    pub(crate) fn fail_reads(&self, kind: io::ErrorKind) {
        let mut state = self.lock();
        state.end = Some(End::Error(kind));
        state.wake_reader();
    }

    /// Has writing fail.
    pub(crate) fn fail_writes(&self, kind: io::ErrorKind) {
        let mut state = self.lock();
        state.write_error = Some(kind);
        state.wake_writer();
    }

    /// Takes what the line wrote.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.lock().from_line)
    }

    /// Takes what the line wrote, as frames.
    pub(crate) fn take_frames(&self) -> Vec<super::frames::Frame> {
        super::frames::read(&self.take())
    }

    /// From now on `room` more bytes can be written.
    pub(crate) fn set_room(&self, room: usize) {
        let mut state = self.lock();
        state.room = Some(room);
        state.wake_writer();
    }

    /// From now on any number of bytes can be written.
    pub(crate) fn lift_room(&self) {
        let mut state = self.lock();
        state.room = None;
        state.wake_writer();
    }

    /// From now on every byte is moved by itself, and before each the transport stalls once.
    pub(crate) fn stall(&self) {
        self.lock().stalling = true;
    }

    pub(crate) fn reset_counts(&self) {
        let mut state = self.lock();
        (state.reads, state.writes) = (0, 0);
    }

    /// Reads that brought something, and writes that took something.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        (state.reads, state.writes)
    }

    /// Bytes that the line has not read yet.
    pub(crate) fn unread(&self) -> usize {
        self.lock().to_line.len()
    }

    /// Whether the line ended its half.
    pub(crate) fn is_ended(&self) -> bool {
        self.lock().ended
    }

    /// Whether the line let go of the transport.
    pub(crate) fn is_dropped(&self) -> bool {
        self.lock().dropped
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut state = self.0.lock().unwrap();
        state.ended = true;
        state.dropped = true;
    }
}

impl State {
    fn wake_reader(&mut self) {
        self.reader.take().into_iter().for_each(Waker::wake);
    }

    fn wake_writer(&mut self) {
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    fn poll_room(&mut self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(kind) = self.write_error {
            return Poll::Ready(Err(kind.into()));
        }
        if self.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.stalling && !std::mem::replace(&mut self.stalled_write, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.stalled_write = false;
        match self.room {
            Some(0) => {
                self.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            room if self.stalling => Poll::Ready(Ok(room.unwrap_or(1).min(1))),
            room => Poll::Ready(Ok(room.unwrap_or(usize::MAX))),
        }
    }

    fn write(&mut self, data: &[u8]) {
        self.from_line.extend_from_slice(data);
        if let Some(room) = &mut self.room {
            *room -= data.len();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.lock().unwrap();
        if state.to_line.is_empty() {
            return match state.end {
                Some(End::Eof) => Poll::Ready(Ok(())),
                Some(End::Error(kind)) => Poll::Ready(Err(kind.into())),
                None => {
                    state.reader = Some(cx.waker().clone());
                    Poll::Pending
                }
            };
        }
        if state.stalling && !std::mem::replace(&mut state.stalled_read, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        state.stalled_read = false;
        let most = if state.stalling { 1 } else { buffer.remaining() };
        let count = state.to_line.len().min(most);
        let bytes: Vec<u8> = state.to_line.drain(..count).collect();
        buffer.put_slice(&bytes);
        state.reads += 1;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(data)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.0.lock().unwrap();
        let room = match state.poll_room(cx) {
            Poll::Ready(Ok(room)) => room,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return Poll::Pending,
        };
        let mut left = room;
        for slice in slices {
            let count = slice.len().min(left);
            state.write(&slice[..count]);
            left -= count;
        }
        state.writes += 1;
        Poll::Ready(Ok(room - left))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap().ended = true;
        Poll::Ready(Ok(()))
    }
}
