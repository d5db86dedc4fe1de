use openline_client::{ChannelEvent, Client, Error};
use serde_json::json;

async fn meet(client: &Client) -> Result<usize, Error> {
    let mut room = client.channel("room:1").subscribe().await?;
    let mine = json!({ "name": "ann" });
    client.set_presence().channel("room:1").status("here").data(&mine).await?;
    room.typing(true);
    let members = client.presence("room:1").await?;
    while let Some(event) = room.next().await {
        match event {
            ChannelEvent::Presence(change) => {
                println!("{} came, {} went", change.joined.len(), change.left.len());
                return Ok(members.len());
            }
            ChannelEvent::Typing { user, is_typing, .. } => println!("{user:?} types: {is_typing}"),
            _ => {}
        }
    }
    Ok(members.len())
}
