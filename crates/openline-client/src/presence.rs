//! What others see of a client.

use std::future::IntoFuture;
use std::pin::Pin;

use openline_protocol::{ChannelName, Command, Data};
use serde::Serialize;

use crate::client::Client;
use crate::error::Error;
use crate::event::to_data;

/// What others are to see of this client; it is set when it is awaited. What is not said stays as it
/// was.
#[must_use = "it is set when it is awaited"]
pub struct SetPresence {
    client: Client,
    channel: Option<Result<ChannelName, Error>>,
    status: Option<String>,
    data: Option<Result<Data, Error>>,
}

impl SetPresence {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, channel: None, status: None, data: None }
    }

    /// In this channel alone. Without it, in all that the client is subscribed to.
    pub fn channel(mut self, name: &str) -> Self {
        self.channel = Some(ChannelName::new(name).map_err(Error::from));
        self
    }

    /// A word about the client: at most 64 bytes.
    pub fn status(mut self, status: impl Into<String>) -> Self {
        self.status = Some(status.into());
        self
    }

    /// More about it.
    pub fn data<T: Serialize + ?Sized>(mut self, data: &T) -> Self {
        self.data = Some(to_data(data));
        self
    }
}

impl IntoFuture for SetPresence {
    type Output = Result<(), Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let channel = self.channel.transpose()?;
            let (status, data) = (self.status, self.data.transpose()?);
            let shared = &self.client.handle.shared;
            shared.with(|core, _| core.keep_presence(channel.as_ref(), &status, &data));
            self.client.ask(Command::SetPresence { channel, status, data }).await.map(drop)
        })
    }
}
