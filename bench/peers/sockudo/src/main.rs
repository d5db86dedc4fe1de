//! sockudo-ws: its simple echo example, with its defaults (UTF-8 checked, write
//! coalescing on, no compression). `--batched` feeds and flushes at batch ends,
//! as its documentation of `write_coalescing` advises.

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use peer_shell::EchoLoop;
use sockudo_ws::handshake::{build_response, generate_accept_key, parse_request};
use sockudo_ws::protocol::Message;
use sockudo_ws::{Config, Error, WebSocketStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

fn main() {
    // The clock's calibration belongs before the runtime, says its README.
    sockudo_ws::init_clock();
    peer_shell::serve(echo);
}

async fn echo(mut stream: TcpStream, echo_loop: EchoLoop) {
    if shake_hands(&mut stream).await.is_err() {
        return;
    }
    let mut line = WebSocketStream::server(stream, Config::default());
    let is_data = |message: &Message| matches!(message, Message::Text(_) | Message::Binary(_));
    if echo_loop == EchoLoop::Batched {
        return peer_shell::echo_batched(line, is_data).await;
    }
    while let Some(Ok(message)) = line.next().await {
        if is_data(&message) && line.send(message).await.is_err() {
            return;
        }
    }
}

async fn shake_hands(stream: &mut TcpStream) -> Result<(), Error> {
    let mut head = BytesMut::with_capacity(4096);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(Error::ConnectionClosed);
        }
        if let Some((request, _)) = parse_request(&head)? {
            let answer = build_response(&generate_accept_key(request.key), None, None);
            stream.write_all(&answer).await?;
            return Ok(());
        }
    }
}
