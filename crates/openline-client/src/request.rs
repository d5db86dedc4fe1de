//! Requests of types of the application.

use std::future::IntoFuture;
use std::pin::Pin;
use std::time::Duration;

use openline_protocol::{Command, Data, Message};
use serde::de::DeserializeOwned;

use crate::client::Client;
use crate::core::Outgoing;
use crate::error::Error;
use crate::event::from_data;

/// A request that is sent when it is awaited.
#[must_use = "it is sent when it is awaited"]
pub struct Request {
    client: Client,
    kind: String,
    data: Result<Data, Error>,
    timeout: Duration,
    idempotent: bool,
}

impl Request {
    pub(crate) fn new(client: Client, kind: String, data: Result<Data, Error>) -> Self {
        let timeout = client.handle.request_timeout;
        Self { client, kind, data, timeout, idempotent: false }
    }

    /// Sets how long the answer may take, waiting for a line included.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// It may be done twice: it goes out again where the line was lost before the answer came. Without
    /// this the answer is then [`Error::ConnectionLost`].
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// Sends it, and reads the answer as a type of the application's.
    ///
    /// # Errors
    /// As awaiting it, and [`Error::Payload`] when the answer is of another shape.
    pub async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        from_data(&self.await?)
    }
}

impl IntoFuture for Request {
    type Output = Result<Data, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let command = Command::Other { kind: self.kind.into(), data: Some(self.data?) };
            let message = Outgoing {
                command,
                again: self.idempotent,
                timeout: Some(self.timeout),
                volatile: false,
                patient: false,
            };
            match self.client.handle.shared.call(message).await? {
                Message::Other { data, .. } => Ok(data.unwrap_or_else(Data::null)),
                _ => Err(Error::Unexpected),
            }
        })
    }
}
