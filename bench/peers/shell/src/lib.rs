//! What every Rust peer does the same way: arguments, accept loop, and the batched echo.

use std::net::SocketAddr;

use futures_util::{FutureExt, Sink, SinkExt, Stream, StreamExt};
use tokio::net::{TcpSocket, TcpStream};

/// Messages that a batched loop takes before it answers.
pub const BATCH_MAX: usize = 64;

/// How a peer answers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum EchoLoop {
    /// Receive one, send it, repeat: the loop of the READMEs.
    Plain,
    /// Feed what has arrived, flush when nothing is left. The application has
    /// to ask for it.
    Batched,
}

/// Serves `--listen ADDR` on one thread, with the plain loop unless `--batched` is given.
pub fn serve<H, F>(handle: H)
where
    H: Fn(TcpStream, EchoLoop) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let (address, echo_loop) = arguments();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async {
        let socket = TcpSocket::new_v4().expect("a socket can be made");
        socket.set_reuseaddr(true).expect("the address can be reused");
        socket.bind(address).expect("the address is free");
        let listener = socket.listen(4096).expect("the socket can listen");
        println!("listening on {address}");
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            if stream.set_nodelay(true).is_ok() {
                // Tokio's cooperative budget is not what is measured; two of
                // the libraries' own echo examples switch it off like this.
                tokio::spawn(tokio::task::unconstrained(handle(stream, echo_loop)));
            }
        }
    });
}

/// The batched loop for any library whose line is a `Stream` and a `Sink`.
///
/// All messages are taken before the first is fed, because tokio-websockets
/// flushes what is queued whenever it is asked for the next message. A library
/// that fails ends the line; the load generator notices.
pub async fn echo_batched<L, M, E>(mut line: L, is_data: impl Fn(&M) -> bool)
where
    L: Stream<Item = Result<M, E>> + Sink<M, Error = E> + Unpin,
{
    let mut batch = Vec::new();
    while let Some(Ok(message)) = line.next().await {
        batch.push(message);
        while batch.len() < BATCH_MAX
            && let Some(next) = line.next().now_or_never()
        {
            let Some(Ok(message)) = next else { return };
            batch.push(message);
        }
        for message in batch.drain(..).filter(&is_data) {
            if line.feed(message).await.is_err() {
                return;
            }
        }
        if line.flush().await.is_err() {
            return;
        }
    }
}

fn arguments() -> (SocketAddr, EchoLoop) {
    let mut address = None;
    let mut echo_loop = EchoLoop::Plain;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--listen" => address = words.next().and_then(|value| value.parse().ok()),
            "--batched" => echo_loop = EchoLoop::Batched,
            _ => panic!("unknown argument {word:?}"),
        }
    }
    (address.expect("--listen HOST:PORT is needed"), echo_loop)
}
