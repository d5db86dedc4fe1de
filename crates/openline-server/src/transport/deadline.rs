//! [`WriteDeadline`]: a connection that ends when the other side does not read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

pin_project! {
    /// A stream that fails when a write makes no headway for so long. Without it, an answer to a
    /// client that does not read would hold its memory until the client is gone.
    #[derive(Debug)]
    pub(crate) struct WriteDeadline<S> {
        #[pin]
        stream: S,
        within: Duration,
        // Set while a write waits.
        ends: Option<Pin<Box<Sleep>>>,
    }
}

impl<S> WriteDeadline<S> {
    pub(crate) fn new(stream: S, within: Duration) -> Self {
        Self { stream, within, ends: None }
    }
}

/// Passes on what became of a write, unless it has waited for too long.
fn watch<T>(
    polled: Poll<io::Result<T>>,
    within: Duration,
    ends: &mut Option<Pin<Box<Sleep>>>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    if polled.is_ready() {
        *ends = None;
        return polled;
    }
    let ends = ends.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
    ends.as_mut().poll(cx).map(|()| {
        let message = "the other side does not read";
        Err(io::Error::new(io::ErrorKind::TimedOut, message))
    })
}

impl<S: AsyncWrite> AsyncWrite for WriteDeadline<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        watch(this.stream.poll_write(cx, bytes), *this.within, this.ends, cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        watch(this.stream.poll_write_vectored(cx, slices), *this.within, this.ends, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        watch(this.stream.poll_flush(cx), *this.within, this.ends, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        watch(this.stream.poll_shutdown(cx), *this.within, this.ends, cx)
    }
}

impl<S: AsyncRead> AsyncRead for WriteDeadline<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().stream.poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_write_that_makes_no_headway_fails() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut near = WriteDeadline::new(near, Duration::from_secs(10));
        near.write_all(b"12345678").await.unwrap();
        // It is slow, but it reads.
        let slow = tokio::spawn(async move {
            let mut bytes = [0; 8];
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(9)).await;
                far.read_exact(&mut bytes).await.unwrap();
            }
            far
        });
        for _ in 0..5 {
            near.write_all(b"12345678").await.unwrap();
        }
        let _far = slow.await.unwrap();
        let failed = near.write_all(b"1").await.unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_connection_does_not_fail() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut near = WriteDeadline::new(near, Duration::from_secs(10));
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            near.write_all(b"1").await.unwrap();
            assert_eq!(far.read_u8().await.unwrap(), b'1');
        }
    }
}
