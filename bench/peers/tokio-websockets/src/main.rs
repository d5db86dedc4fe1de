//! tokio-websockets: as its echo example does, no frame splitting and no length limit.

use futures_util::{SinkExt, StreamExt};
use peer_shell::EchoLoop;
use tokio::net::TcpStream;
use tokio_websockets::{Config, Limits, Message, ServerBuilder};

fn main() {
    peer_shell::serve(echo);
}

async fn echo(stream: TcpStream, echo_loop: EchoLoop) {
    let accepted = ServerBuilder::new()
        .config(Config::default().frame_size(usize::MAX))
        .limits(Limits::unlimited())
        .accept(stream)
        .await;
    let Ok((_request, mut line)) = accepted else {
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
