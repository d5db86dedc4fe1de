//! `/echo`: every message goes back as it came.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};

use openline_ws::{CloseCode, Error, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::catch_panic;

pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(ws: WebSocket<S>) {
    let mut line = Line(ws);
    if catch_panic(echo(&mut line.0)).await.is_err() {
        // Boxed for the same reason as below: it is rare.
        let _ = Box::pin(line.0.close(CloseCode::INTERNAL_ERROR, "internal error")).await;
    }
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocket<S>) -> Result<(), Error> {
    // Not `while let`, which would keep the place of what it matched through its body: the task of
    // an idle line is as large as its largest state.
    loop {
        let Some(message) = ws.recv().await? else { return Ok(()) };
        ws.send(message).await?;
    }
}

/// A line that takes its leave when its task is dropped before its end, which is what a server's stop
/// comes to. A list of lines to close would cost each of them memory for as long as it is open.
pub(crate) struct Line<S: AsyncRead + AsyncWrite + Unpin>(pub(crate) WebSocket<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> Drop for Line<S> {
    fn drop(&mut self) {
        // Polled once: the close frame is written if the socket takes it now. On a line that has
        // ended nothing happens.
        let close = pin!(self.0.close(CloseCode::GOING_AWAY, "server stops"));
        let _ = close.poll(&mut Context::from_waker(Waker::noop()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<F: Future>(_: impl FnOnce(WebSocket<tokio::net::TcpStream>) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn the_task_of_an_idle_line_is_small() {
        assert!(size(serve) <= 128, "{} bytes", size(serve));
    }
}
