//! What a client is made from.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use openline_protocol::Format;
use openline_ws::{Connector, Limits, Proxy, Timeouts, tls::rustls::ClientConfig};

use crate::auth::{Auth, AuthContext, AuthError};
use crate::client::Client;
use crate::core::Core;
use crate::dial::{self, Dialer, Stream};
use crate::error::BuildError;
use crate::options::{self, Backoff, Heartbeat, Queue};
use crate::shared::Shared;

/// A message of the greatest length in a `subscribed` that is full of them.
const MESSAGE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Makes a [`Client`]. See [`Client::builder`].
pub struct ClientBuilder {
    url: String,
    auth: Option<Auth>,
    backoff: Backoff,
    heartbeat: Heartbeat,
    connect_timeout: Duration,
    request_timeout: Duration,
    queue: Queue,
    format: Format,
    headers: HeaderMap,
    connector: Connector,
    over: Option<OverFn>,
}

type OverFn = Arc<
    dyn Fn() -> std::pin::Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send>>
        + Send
        + Sync,
>;

impl ClientBuilder {
    pub(crate) fn new(url: &str) -> Result<Self, BuildError> {
        Ok(Self {
            url: dial::endpoint(url)?,
            auth: None,
            backoff: Backoff::default(),
            heartbeat: Heartbeat::default(),
            connect_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(10),
            queue: Queue::default(),
            format: Format::Json,
            headers: HeaderMap::new(),
            connector: Connector::new(),
            over: None,
        })
    }

    /// Asks for a token before each attempt, when one has run out, and before one does. `Ok(None)`:
    /// there is none, and none is needed. Without this the client shows no token.
    #[must_use]
    pub fn auth<F, T>(mut self, auth: F) -> Self
    where
        F: Fn(AuthContext) -> T + Send + Sync + 'static,
        T: Future<Output = Result<Option<String>, AuthError>> + Send + 'static,
    {
        self.auth = Some(Arc::new(move |context| Box::pin(auth(context))));
        self
    }

    /// Sets when to come back. Default: [`Backoff::default`].
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets how a dead line is noticed. Default: [`Heartbeat::default`].
    #[must_use]
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// Sets how long opening a line may take, the token too, and then showing the token. Default: 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets how long requests wait for their answer that say nothing else. Default: 10 s.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Sets how much may wait. Default: 1,000 messages, 1 MiB, 60 s, refused beyond that.
    #[must_use]
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queue = queue;
        self
    }

    /// Sets how messages are written. Default: JSON. MessagePack is for payloads of bytes, which JSON
    /// makes a third longer.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }

    /// Adds a header to the handshake. What is wrong with it, [`ClientBuilder::build`] says.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sets TLS up otherwise than by the system's roots.
    #[must_use]
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.connector = self.connector.tls(config);
        self
    }

    /// Goes through this proxy. The default is what the environment says: `HTTPS_PROXY` and the like.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.connector = self.connector.proxy(proxy);
        self
    }

    /// Goes through no proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.connector = self.connector.no_proxy();
        self
    }

    /// Opens lines over streams that `open` gives, in place of sockets of its own: a socket of the
    /// system, a tunnel, or for tests a stream in memory. Proxies and TLS are left to it.
    #[must_use]
    pub fn over<F, T, S>(mut self, open: F) -> Self
    where
        F: Fn() -> T + Send + Sync + 'static,
        T: Future<Output = io::Result<S>> + Send + 'static,
        S: Stream,
    {
        self.over = Some(Arc::new(move || {
            let stream = open();
            Box::pin(async move { Ok(Box::new(stream.await?) as Box<dyn Stream>) })
        }));
        self
    }

    /// Makes the client. Nothing is opened before [`Client::connect`].
    ///
    /// # Errors
    /// When an option is beyond its bounds, or a header cannot be one of a handshake.
    pub fn build(self) -> Result<Client, BuildError> {
        options::check(&self.queue)?;
        if let Some(own) = self.headers.keys().find(|name| is_own(name)) {
            return Err(BuildError::Header(format!("{own} is written by the client itself")));
        }
        let protocol = match self.format {
            Format::Json => "openline.v1.json",
            Format::MessagePack => "openline.v1.msgpack",
        };
        let limits = Limits {
            frame_bytes_max: MESSAGE_BYTES_MAX,
            message_bytes_max: MESSAGE_BYTES_MAX,
            ..Limits::default()
        };
        // The machine asks for signs of life itself, in a way that also tells how busy the server is.
        let timeouts = Timeouts { ping_interval: None, ..Timeouts::default() };
        let mut connector = self.connector.protocol(protocol).limits(limits).timeouts(timeouts);
        connector = connector.timeout(self.connect_timeout);
        for (name, value) in &self.headers {
            connector = connector.header(name.clone(), value.clone());
        }
        let machine = options::machine(&self.backoff, &self.heartbeat, self.connect_timeout);
        let core = Core::new(machine, self.format, self.queue);
        let dialer = Dialer { url: self.url, connector, over: self.over };
        Ok(Client::new(Shared::new(core, dialer, self.auth), self.request_timeout))
    }
}

fn is_own(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("sec-websocket-") || matches!(name, "upgrade" | "connection")
}
