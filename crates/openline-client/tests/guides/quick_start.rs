use openline_client::{ChannelEvent, Client};
use serde_json::{Value, json};

async fn say_hello(url: &str) -> Result<String, Box<dyn std::error::Error>> {
    let client = Client::builder(url)?.build()?;
    client.connect().await?;

    let mut room = client.channel("room:1").history(10).subscribe().await?;
    client.publish("room:1", &json!({ "text": "hello" })).await?;
    while let Some(event) = room.next().await {
        match event {
            ChannelEvent::Publication(message) => {
                return Ok(message.json::<Value>()?["text"].to_string());
            }
            ChannelEvent::Gap { reason, .. } => println!("messages are missing: {reason:?}"),
            _ => {}
        }
    }
    Err("the subscription has ended".into())
}
