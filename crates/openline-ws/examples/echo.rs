//! The echo server of the README, which the benchmark measures and a test runs.
//!
//! ```sh
//! cargo run --release -p openline-ws --example echo -- --listen 127.0.0.1:9001
//! ```

use std::error::Error;

use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1).skip_while(|argument| argument != "--listen");
    let address = arguments.nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(async move {
            let mut ws = openline_ws::accept(stream).await?.accept().await?;
            while let Some(message) = ws.recv().await? {
                ws.send(message).await?;
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
    }
}
