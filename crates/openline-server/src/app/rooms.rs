//! Joining and leaving rooms: subscriptions that a handler makes.

use std::sync::Arc;

use openline_protocol::{ChannelName, ErrorCode, Publication, Reply};

use super::client::Client;
use super::reply::Refusal;
use crate::exchange::PAGE;

/// Puts a client into a room. `greet` is called before what is said there from now on reaches it.
pub(super) async fn join(
    client: &Arc<Client>,
    channel: &ChannelName,
    newest: u32,
    greet: impl FnOnce(&[Arc<Publication>]) + Send,
) -> Result<(), Refusal> {
    let place = client.place();
    let settings = &place.node.settings();
    match place.enter(channel, None, Some(newest), &PAGE, settings).await {
        Ok(read) => {
            let tell = |joined: &_| {
                if client.line.speaks_protocol() {
                    client.line.reply(&Reply::Subscribed {
                        id: None,
                        channels: std::slice::from_ref(joined),
                    });
                }
                if let Ok(joined) = &joined.outcome {
                    greet(&joined.messages);
                }
            };
            place.go_live_and(channel, read, tell);
            Ok(())
        }
        Err(fault) if fault.code == ErrorCode::AlreadySubscribed => {
            let messages = crate::session::newest(client.node(), channel, newest, &PAGE).await;
            greet(&messages.map_err(Refusal::of_fault)?);
            Ok(())
        }
        Err(fault) => Err(Refusal::of_fault(fault)),
    }
}

/// Takes a client out of a room; returns whether it was in.
pub(super) fn leave(client: &Arc<Client>, channel: &ChannelName) -> bool {
    let left = client.place().leave(channel);
    if left && client.line.speaks_protocol() {
        let channels = std::slice::from_ref(channel);
        let reason = Some("the server ended it");
        client.line.reply(&Reply::Unsubscribed { id: None, channels, reason });
    }
    left
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use openline_protocol::ChannelName;

    use crate::app::Handlers;
    use crate::testkit::TestServer;

    #[tokio::test]
    async fn who_fell_behind_is_in_its_rooms_all_the_same() {
        let server = TestServer::new(Handlers::new());
        let (mut ann, mut ben) = (server.client().await, server.client().await);
        ann.subscribe("red").await.unwrap();
        ben.subscribe("blue").await.unwrap();
        let space = server.namespace("/");
        let red = ChannelName::new("red").unwrap();
        server.node().exchange.shards()[0].hub().lose_place(&red, None);
        // What was missed is read after the next turn, which brings these.
        space.everybody().except("red").emit("said", "not red").await.unwrap();
        space.to("red").to("blue").emit("said", "either").await.unwrap();
        assert_eq!(ann.expect("said").await.data, "either");
        assert_eq!(ben.expect("said").await.data, "not red");
        assert_eq!(ben.expect("said").await.data, "either");
    }
}
