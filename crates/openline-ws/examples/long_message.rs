//! Sends a file as one message, and counts what comes, holding no more than a piece of it on either
//! side.
//!
//! ```sh
//! cargo run -p openline-ws --example long_message -- FILE
//! ```

use std::error::Error;
use std::io::Read;

use openline_ws::{Connector, FrameKind};
use tokio::net::TcpListener;

const PIECE_BYTES: usize = 64 * 1024;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

async fn receive(listener: TcpListener) -> Outcome<u64> {
    let (stream, _) = listener.accept().await?;
    let mut ws = openline_ws::accept(stream).await?.accept().await?;
    let mut length = 0;
    while let Some(mut message) = ws.recv_long().await? {
        while let Some(chunk) = message.chunk().await? {
            length += chunk.len() as u64;
        }
    }
    Ok(length)
}

async fn send(url: &str, path: &str) -> Outcome<()> {
    let mut file = std::fs::File::open(path)?;
    let mut ws = Connector::new().connect(url).await?;
    let mut message = ws.send_long(FrameKind::Binary);
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        // A local file is read fast enough not to hold up this one task.
        file.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            break;
        }
        message.write(piece).await?;
    }
    message.finish().await?;
    ws.close(1000, "").await?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let path = std::env::args().nth(1).ok_or("usage: long_message FILE")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("ws://{}/", listener.local_addr()?);
    let (received, sent) = tokio::join!(receive(listener), send(&url, &path));
    sent?;
    println!("{} bytes arrived", received?);
    Ok(())
}
