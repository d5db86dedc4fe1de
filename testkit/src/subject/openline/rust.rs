//! The Rust client, which comes back by itself.

use std::net::SocketAddr;
use std::time::Duration;

use openline_client::{Backoff, ChannelEvent, Client, Error, GapReason, Position, Subscription};
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};

use super::super::Heard;
use super::tasks::{TaskLine, Told};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Shorter than most would have it, so that much happens in a minute.
const BACKOFF_MAX: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(200);

pub(super) async fn line(address: SocketAddr) -> Result<TaskLine, String> {
    let builder =
        Client::builder(&format!("ws://{address}/ws")).map_err(|error| error.to_string())?;
    let backoff = Backoff::full_jitter(PAUSE, BACKOFF_MAX);
    let client = builder.no_proxy().backoff(backoff).build().map_err(|error| error.to_string())?;
    let connected = timeout(CONNECT_TIMEOUT, client.connect()).await;
    connected.map_err(|_| "it does not connect")?.map_err(|error| error.to_string())?;
    Ok(TaskLine::new(true, move |channel, position, tell| {
        let client = client.clone();
        async move {
            let told = match subscribe(&client, &channel, position.as_deref()).await {
                Ok(subscription) => read(subscription, channel, &tell).await,
                Err(error) => Some(Heard::Refused { channel, code: error.to_string() }),
            };
            if let Some(told) = told {
                let _ = tell.send(Ok(told)).await;
            }
        }
    }))
}

/// Subscribes, however long it takes.
async fn subscribe(
    client: &Client,
    channel: &str,
    position: Option<&str>,
) -> Result<Subscription, Error> {
    loop {
        let mut builder = client.channel(channel);
        if let Some(position) = position.and_then(|text| text.parse::<Position>().ok()) {
            builder = builder.since(position);
        }
        match builder.subscribe().await {
            Err(Error::Timeout | Error::ConnectionLost) => sleep(PAUSE).await,
            done => return done,
        }
    }
}

/// Tells what comes; returns what is to be told last, none if there is nobody left to tell.
async fn read(
    mut subscription: Subscription,
    channel: String,
    tell: &Sender<Told>,
) -> Option<Heard> {
    let position = subscription.position().map(|position| position.to_string());
    let (recovered, reason) = (None, None);
    let subscribed = Heard::Subscribed { channel: channel.clone(), position, recovered, reason };
    tell.send(Ok(subscribed)).await.ok()?;
    while let Some(event) = subscription.next().await {
        let channel = channel.clone();
        let heard = match event {
            ChannelEvent::Publication(publication) => {
                let position = publication.position.map(|position| position.to_string());
                let data = publication.json().unwrap_or_default();
                let Some(value) = super::message::value(
                    &serde_json::json!({ "data": serde_json::Value::String(data) }),
                ) else {
                    continue;
                };
                Heard::Message { channel, value, position }
            }
            ChannelEvent::Gap { reason, position } => {
                let reason = match reason {
                    GapReason::Server(reason) => reason.as_str().to_owned(),
                    other => format!("{other:?}"),
                };
                let position = position.map(|position| position.to_string());
                Heard::Unrecovered { channel, reason, position }
            }
            ChannelEvent::Unsubscribed { .. } => break,
            _ => continue,
        };
        tell.send(Ok(heard)).await.ok()?;
    }
    Some(Heard::Left { channel })
}
