use openline_client::{ChannelEvent, Client, Error};

async fn follow(client: &Client) -> Result<(), Error> {
    let mut room = client.channel("counter").subscribe().await?;
    let mut counter = 0;
    while let Some(event) = room.next().await {
        match event {
            ChannelEvent::Publication(message) => counter = message.json()?,
            // What comes next waits in the subscription until it is asked for.
            ChannelEvent::Gap { .. } => counter = load_state().await,
            ChannelEvent::Recovered { count } => println!("back, {count} messages follow"),
            ChannelEvent::Unsubscribed { reason } => println!("{counter}, and no more: {reason}"),
            _ => {}
        }
    }
    Ok(())
}

async fn load_state() -> u64 {
    150
}
