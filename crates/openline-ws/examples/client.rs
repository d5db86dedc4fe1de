//! Sends the lines of its standard input and prints what comes back.
//!
//! ```sh
//! echo hello | cargo run -p openline-ws --example client -- ws://127.0.0.1:9001/ PROTOCOL…
//! ```

use std::error::Error;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use openline_ws::{Connector, Message};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:9001/".to_owned());
    let mut connector = Connector::new()
        .timeout(Duration::from_secs(5))
        .header(HeaderName::from_static("user-agent"), HeaderValue::from_static("example"));
    for protocol in arguments {
        connector = connector.protocol(protocol);
    }
    let mut ws = connector.connect(&url).await?;
    println!("open; subprotocol {:?}, compression {:?}", ws.protocol(), ws.deflate());

    let mut lines = BufReader::new(stdin()).lines();
    let mut unanswered = 0;
    loop {
        // Both futures may be dropped at any time without losing anything.
        tokio::select! {
            line = lines.next_line() => match line? {
                Some(line) => {
                    ws.send(line).await?;
                    unanswered += 1;
                }
                None => break,
            },
            message = ws.recv() => match message? {
                Some(message) => {
                    print(&message);
                    unanswered -= 1;
                }
                None => break,
            },
        }
    }
    while unanswered > 0
        && let Some(message) = ws.recv().await?
    {
        print(&message);
        unanswered -= 1;
    }
    let closed = ws.close(1000, "").await?;
    println!("closed with {}, clean: {}", closed.reason, closed.clean);
    Ok(())
}

fn print(message: &Message) {
    match message {
        Message::Text(text) => println!("{text}"),
        Message::Binary(data) => println!("{} bytes", data.len()),
    }
}
