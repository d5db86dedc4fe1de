//! Talks in a room: `cargo run -p openline-client --example talk -- ws://127.0.0.1:8000/ws`.

use openline_client::{ChannelEvent, Client};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or("ws://127.0.0.1:8000/ws".to_owned());
    talk(&url).await
}

async fn talk(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let client = Client::builder(url)?.build()?;
    client.connect().await?;
    let mut room = client.channel("room:1").history(10).subscribe().await?;
    client.publish("room:1", "hello").event("chat").await?;
    while let Some(event) = room.next().await {
        match event {
            ChannelEvent::Publication(message) => println!("{}", message.json::<String>()?),
            ChannelEvent::Gap { reason, .. } => println!("(messages are missing: {reason:?})"),
            ChannelEvent::Recovered { count } => println!("(back, {count} messages missed)"),
            _ => {}
        }
    }
    Ok(())
}
