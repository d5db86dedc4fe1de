//! The buffers that all lines of a thread share.
//!
//! A line reads into it and takes out what it understands before anything else runs on the thread,
//! so a line that waits holds no buffer.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::thread::LocalKey;

use tokio::io::{AsyncRead, ReadBuf};

/// Large enough that one read takes what the kernel has for a line in nearly every case: a read that
/// fills less than the buffer tells tokio that the socket is empty, which saves a call.
const SCRATCH_BYTES: usize = 128 * 1024;

/// For what TLS reads and writes: as much as one write encrypts, and room for what comes of it.
#[cfg(feature = "tls")]
const SEALED_BYTES: usize = 132 * 1024;

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    #[cfg(feature = "tls")]
    static SEALED: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Runs `with` on the thread's buffer. A transport that is itself read through this gets one of its
/// own for the time.
pub(crate) fn with<R>(with: impl FnOnce(&mut [u8]) -> R) -> R {
    lend(&SCRATCH, SCRATCH_BYTES, with)
}

/// As [`with`], a buffer for what is encrypted: what was decrypted goes into the other.
#[cfg(feature = "tls")]
pub(crate) fn with_sealed<R>(with: impl FnOnce(&mut [u8]) -> R) -> R {
    lend(&SEALED, SEALED_BYTES, with)
}

fn lend<R>(
    kept: &'static LocalKey<Cell<Option<Box<[u8]>>>>,
    bytes: usize,
    with: impl FnOnce(&mut [u8]) -> R,
) -> R {
    let mut scratch = kept.take().unwrap_or_else(|| vec![0; bytes].into_boxed_slice());
    let result = with(&mut scratch);
    kept.set(Some(scratch));
    result
}

/// Frees the buffers until they are needed again.
pub(crate) fn free() {
    SCRATCH.take();
    #[cfg(feature = "tls")]
    SEALED.take();
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
