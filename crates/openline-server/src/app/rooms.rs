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
    match place.enter(channel, None, Some(newest), &PAGE).await {
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
