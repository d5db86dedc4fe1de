//! tokio-tungstenite: defaults (128 KiB read and write buffers, 64 MiB messages).
//!
//! The plain loop is `send` per message. The library's own echo example uses
//! `forward`, which flushes only when nothing is left to read; that is `--batched`.

use futures_util::{SinkExt, StreamExt};
use peer_shell::EchoLoop;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

fn main() {
    peer_shell::serve(echo);
}

async fn echo(stream: TcpStream, echo_loop: EchoLoop) {
    let Ok(mut line) = tokio_tungstenite::accept_async(stream).await else {
        return;
    };
    let is_data = |message: &Message| message.is_text() || message.is_binary();
    if echo_loop == EchoLoop::Batched {
        return peer_shell::echo_batched(line, is_data).await;
    }
    while let Some(Ok(message)) = line.next().await {
        if is_data(&message) && line.send(message).await.is_err() {
            return;
        }
    }
}
