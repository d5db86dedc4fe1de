//! The read buffer that all lines of a thread share.
//!
//! A line reads into it and takes out what it understands before anything else runs on the thread,
//! so a line that waits holds no buffer.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

/// Large enough that one read takes what the kernel has for a line in nearly every case: a read that
/// fills less than the buffer tells tokio that the socket is empty, which saves a call.
const SCRATCH_BYTES: usize = 128 * 1024;

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Runs `with` on the thread's buffer. A transport that is itself read through this gets one of its
/// own for the time.
pub(crate) fn with<R>(with: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut scratch = SCRATCH.take().unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice());
    let result = with(&mut scratch);
    SCRATCH.set(Some(scratch));
    result
}

/// Reads once from `stream` and shows `with` what came: nothing at the end of the stream.
pub(crate) async fn read<S: AsyncRead + Unpin, R>(
    stream: &mut S,
    with: impl FnOnce(&[u8]) -> R,
) -> io::Result<R> {
    let mut with = Some(with);
    poll_fn(|cx| {
        self::with(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
            let with = with.take().expect("poll_fn is not polled again after it was ready");
            Poll::Ready(Ok(with(buffer.filled())))
        })
    })
    .await
}
