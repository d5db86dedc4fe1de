//! Messages of a channel that were kept.

use std::future::IntoFuture;
use std::pin::Pin;

use openline_protocol::{ChannelName, Command, HistoryQuery, Message, Position};

use crate::client::Client;
use crate::error::Error;
use crate::event::Publication;

/// A page of a channel's history, which is asked for when it is awaited: the newest 100 messages,
/// oldest first, unless something else is said.
#[must_use = "it is asked for when it is awaited"]
pub struct HistoryBuilder {
    client: Client,
    channel: Result<ChannelName, Error>,
    limit: Option<u32>,
    since: Option<Position>,
    before: Option<Position>,
    since_time: Option<u64>,
    reverse: bool,
}

/// A page of a channel's history.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct History {
    /// In the order that was asked for.
    pub messages: Vec<Publication>,
    /// That of the channel's newest message.
    pub position: Option<Position>,
    /// Whether there are more in the same direction: behind the last of them, or, where the newest were
    /// asked for, before the first.
    pub more: bool,
}

impl HistoryBuilder {
    pub(crate) fn new(client: Client, channel: &str) -> Self {
        let channel = ChannelName::new(channel).map_err(Error::from);
        let (since, before, since_time) = (None, None, None);
        Self { client, channel, limit: None, since, before, since_time, reverse: false }
    }

    /// At most so many messages. The server has a limit of its own.
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Only messages after this position, from there on.
    pub fn since(mut self, position: Position) -> Self {
        self.since = Some(position);
        self
    }

    /// Only messages before this position.
    pub fn before(mut self, position: Position) -> Self {
        self.before = Some(position);
        self
    }

    /// Only messages accepted at this time or later, in milliseconds since 1970, from there on.
    pub fn since_time(mut self, time: u64) -> Self {
        self.since_time = Some(time);
        self
    }

    /// Newest first.
    pub fn reverse(mut self) -> Self {
        self.reverse = true;
        self
    }
}

impl IntoFuture for HistoryBuilder {
    type Output = Result<History, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let Self { client, channel, limit, since, before, since_time, reverse } = self;
            let channel = channel?;
            let query = HistoryQuery { channel, limit, since, before, since_time, reverse };
            let Message::History { page, .. } = client.ask(Command::History(query)).await? else {
                return Err(Error::Unexpected);
            };
            let replayed = |message| Publication::new(message, true);
            let messages = page.messages.into_iter().map(replayed).collect();
            Ok(History { messages, position: page.position, more: page.more })
        })
    }
}
