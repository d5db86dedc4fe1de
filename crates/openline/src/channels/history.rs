//! `--history-of`: what a channel has kept, page by page.

use openline_client::{ChannelName, Client, Publication};

use super::failure::Stop;
use super::output::Output;
use super::publication;
use crate::cli::Channels;

/// Messages that are asked for at a time.
const PAGE: u32 = 100;

pub(super) async fn run(
    client: &Client,
    channel: &ChannelName,
    channels: &Channels,
    output: Output,
) -> Result<(), Stop> {
    match (channels.since, channels.history) {
        (None, Some(newest)) => {
            for message in before_now(client, channel, newest).await? {
                publication::print(&message, false, output)?;
            }
            Ok(())
        }
        (_, max) => forward(client, channel, channels, max, output).await,
    }
}

/// From a position, or from the beginning, on.
async fn forward(
    client: &Client,
    channel: &ChannelName,
    channels: &Channels,
    max: Option<u32>,
    output: Output,
) -> Result<(), Stop> {
    let (mut since, mut left) = (channels.since, max.unwrap_or(u32::MAX));
    while left > 0 {
        let query = client.history(channel.as_str()).limit(PAGE.min(left));
        let page = match since {
            Some(position) => query.since(position).await?,
            None => query.since_time(0).await?,
        };
        for message in &page.messages {
            publication::print(message, false, output)?;
        }
        left = left.saturating_sub(page.messages.len() as u32);
        since = page.messages.last().and_then(|message| message.position);
        if !page.more || since.is_none() {
            break;
        }
    }
    Ok(())
}

/// The newest, in the order in which they were published.
async fn before_now(
    client: &Client,
    channel: &ChannelName,
    newest: u32,
) -> Result<Vec<Publication>, Stop> {
    let (mut found, mut before) = (Vec::new(), None);
    while found.len() < newest as usize {
        let left = newest - found.len() as u32;
        let query = client.history(channel.as_str()).limit(PAGE.min(left)).reverse();
        let page = match before {
            Some(position) => query.before(position).await?,
            None => query.await?,
        };
        before = page.messages.last().and_then(|message| message.position);
        found.extend(page.messages);
        if !page.more || before.is_none() {
            break;
        }
    }
    found.reverse();
    Ok(found)
}
