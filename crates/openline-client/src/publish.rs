//! Publishing to a channel.

use std::future::IntoFuture;
use std::pin::Pin;

use bytestring::ByteString;
use openline_protocol::{ChannelName, Command, Data, Message, Published};

use crate::client::Client;
use crate::core::Outgoing;
use crate::error::Error;

/// A message for a channel, which is sent when it is awaited.
///
/// It waits for a line where there is none, and goes out again, in its order and under the same key,
/// where the line was lost before the server had accepted it. So it is published once, or it fails.
/// After [`Error::Timeout`] that is not known; publishing again with the same [`key`](Self::key) is
/// safe for 5 minutes.
#[must_use = "it is sent when it is awaited"]
pub struct Publish {
    client: Client,
    channel: Result<ChannelName, Error>,
    data: Result<Data, Error>,
    event: Option<ByteString>,
    key: Option<ByteString>,
    echo: bool,
    volatile: bool,
}

impl Publish {
    pub(crate) fn new(client: Client, channel: &str, data: Result<Data, Error>) -> Self {
        let channel = ChannelName::new(channel).map_err(Error::from);
        Self { client, channel, data, event: None, key: None, echo: true, volatile: false }
    }

    /// What becomes the type of the publication: 1 to 64 bytes.
    pub fn event(mut self, event: impl Into<ByteString>) -> Self {
        self.event = Some(event.into());
        self
    }

    /// The key under which it is published once: 1 to 64 bytes. Without this one is made.
    pub fn key(mut self, key: impl Into<ByteString>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Whether the client's own subscription gets it too. Default: true.
    pub fn echo(mut self, echo: bool) -> Self {
        self.echo = echo;
        self
    }

    /// It is not kept, and not worth waiting for a line: where there is none, or it is lost, the
    /// answer is [`Error::ConnectionLost`].
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }
}

impl IntoFuture for Publish {
    type Output = Result<Published, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let key = match (self.key, self.volatile) {
                (None, false) => Some(format!("{:032x}", rand::random::<u128>()).into()),
                (key, _) => key,
            };
            let command = Command::Publish(openline_protocol::Publish {
                channel: self.channel?,
                event: self.event,
                data: self.data?,
                key,
                echo: self.echo,
                volatile: self.volatile,
            });
            let again = !self.volatile;
            let message =
                Outgoing { command, again, timeout: None, volatile: self.volatile, patient: false };
            match self.client.handle.shared.call(message).await? {
                Message::Published { published, .. } => Ok(published),
                _ => Err(Error::Unexpected),
            }
        })
    }
}
