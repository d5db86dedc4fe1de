//! [`Subscription`]: what happens in a channel, as a stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use openline_protocol::{ChannelName, Position};

use crate::client::Client;
use crate::core::{Inbox, Wanted};
use crate::error::Error;
use crate::event::ChannelEvent;

/// Events that wait for the reader where nothing else was said.
const BUFFER: usize = 256;

/// A subscription that is to be made. See [`Client::channel`].
#[must_use = "it is made by `subscribe`"]
pub struct ChannelBuilder {
    client: Client,
    channel: Result<ChannelName, Error>,
    since: Option<Position>,
    history: Option<u32>,
    token: Option<String>,
    buffer: usize,
    timeout: Duration,
}

impl ChannelBuilder {
    pub(crate) fn new(client: Client, name: &str) -> Self {
        let channel = ChannelName::new(name).map_err(Error::from);
        let timeout = client.handle.request_timeout;
        let (since, history, token) = (None, None, None);
        Self { client, channel, since, history, token, buffer: BUFFER, timeout }
    }

    /// Begins behind this position: that of the last message that the application dealt with.
    pub fn since(mut self, position: Position) -> Self {
        self.since = Some(position);
        self
    }

    /// Begins with so many of the newest messages, where no position is given.
    pub fn history(mut self, messages: u32) -> Self {
        self.history = Some(messages);
        self
    }

    /// A token for this channel, where its namespace asks for one.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// How many events may wait for the reader. What comes beyond that is read from the history when
    /// there is room, so a slow reader costs the server twice and the client nothing. Default: 256.
    pub fn buffer(mut self, events: usize) -> Self {
        self.buffer = events.max(2);
        self
    }

    /// How long the first answer may take, waiting for a line included. Default: that of requests.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Makes the subscription. It lasts over lost lines until it is dropped, or the server ends it.
    ///
    /// # Errors
    /// Why there is none: what the server answers, [`Error::Timeout`],
    /// [`Error::AlreadySubscribed`] where this client has one to the channel.
    pub async fn subscribe(self) -> Result<Subscription, Error> {
        let wanted = Wanted {
            channel: self.channel?,
            since: self.since,
            history: self.history,
            token: self.token,
            buffer: self.buffer,
        };
        let channel = wanted.channel.clone();
        let shared = &self.client.handle.shared;
        shared.run();
        let (serial, inbox, answer) = shared.with(|core, _| core.subscribe(wanted))?;
        // Made now, so that it is given up if this future is dropped.
        let position = None;
        let mut subscription =
            Subscription { client: self.client.clone(), channel, serial, inbox, position };
        let answer = tokio::time::timeout(self.timeout, answer).await;
        let begin = answer.map_err(|_| Error::Timeout)?.map_err(|_| Error::ConnectionLost)??;
        subscription.position = begin;
        Ok(subscription)
    }
}

/// What happens in a channel. Dropping it leaves the channel.
///
/// It is a [`Stream`]; [`Subscription::next`] is there for those who need no more of one.
pub struct Subscription {
    client: Client,
    channel: ChannelName,
    serial: u64,
    inbox: Arc<Inbox>,
    position: Option<Position>,
}

impl Subscription {
    /// The next event; none after [`ChannelEvent::Unsubscribed`]. Nothing is lost when the future is
    /// dropped before it is ready.
    pub async fn next(&mut self) -> Option<ChannelEvent> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The channel.
    pub fn channel(&self) -> &ChannelName {
        &self.channel
    }

    /// That of the last message that was taken from here, to be given to
    /// [`ChannelBuilder::since`] one day. None where the channel keeps no history.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Tells the others in the channel that this client's user is writing, or has stopped. It may be
    /// called for every key: it is sent every 2 s at most, and not at all where there is no line.
    pub fn typing(&self, is_typing: bool) {
        self.client.handle.shared.with(|core, now| core.typing(now, &self.channel, is_typing));
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        let (event, has_room) = self.inbox.poll_next(cx);
        if has_room {
            self.client.handle.shared.with(|core, _| core.catch_up(&self.channel));
        }
        match &event {
            Poll::Ready(Some(ChannelEvent::Publication(publication))) => {
                self.position = publication.position.or(self.position);
            }
            Poll::Ready(Some(ChannelEvent::Gap { position, .. })) => {
                self.position = position.or(self.position);
            }
            _ => {}
        }
        event
    }
}

impl Stream for Subscription {
    type Item = ChannelEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ChannelEvent>> {
        self.poll_event(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let shared = &self.client.handle.shared;
        shared.with(|core, _| core.unsubscribe(&self.channel, self.serial));
    }
}
