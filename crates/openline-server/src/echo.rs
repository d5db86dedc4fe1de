//! `/echo`: every message goes back as it came.

use std::panic::AssertUnwindSafe;

use openline_ws::{CloseCode, Error, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::catch_panic;

pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut ws: WebSocket<S>) {
    if catch_panic(AssertUnwindSafe(echo(&mut ws))).await.is_err() {
        let _ = ws.close(CloseCode::INTERNAL_ERROR, "internal error").await;
    }
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(ws: &mut WebSocket<S>) -> Result<(), Error> {
    while let Some(message) = ws.recv().await? {
        ws.send(message).await?;
    }
    Ok(())
}
