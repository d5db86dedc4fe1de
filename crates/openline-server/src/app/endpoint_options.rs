//! [`EndpointOptions`]: how an endpoint with a vocabulary of its own differs from others.

use std::sync::Arc;

use openline_protocol::close;
use openline_ws::{CloseReason, QueueOptions, SlowConsumer};

/// How a plain or raw endpoint differs from others.
#[derive(Debug, Clone, Default)]
pub struct EndpointOptions {
    /// Subprotocols, the best first; an offer of others is answered with none.
    pub(crate) protocols: Vec<String>,
    pub(crate) repeats: bool,
    pub(crate) is_quiet: bool,
    pub(crate) is_open: bool,
    /// None where it is as the configuration says.
    pub(crate) queue: Option<Arc<QueueOptions>>,
}

impl EndpointOptions {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The subprotocols that are taken, the best first: a client gets the first of them that it
    /// offers, and none if it offers others.
    #[must_use]
    pub fn protocols<P: Into<String>>(mut self, protocols: impl IntoIterator<Item = P>) -> Self {
        self.protocols = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// Fields of what is sent stand at the top level and again under `data`, for pages that read
    /// either. What has a `data` of its own goes out as it is. Nothing changes at raw endpoints.
    #[must_use]
    pub fn repeat_under_data(mut self) -> Self {
        self.repeats = true;
        self
    }

    /// Does not tell clients who comes to their rooms, goes and types there (`presence`, `typing`).
    /// Handlers can still send events that are called so.
    #[must_use]
    pub fn without_presence(mut self) -> Self {
        self.is_quiet = true;
        self
    }

    /// Lets everyone in, whatever the configuration's `[auth]` says. Tokens are not looked at, and
    /// there are no users.
    #[must_use]
    pub fn open_to_all(mut self) -> Self {
        self.is_open = true;
        self
    }

    /// How many bytes may wait for a client that does not take them; beyond it its line is closed with
    /// 4006. If nothing is said, `limits.queue` and `limits.slow_consumer` hold.
    #[must_use]
    pub fn queue_bytes_max(mut self, bytes_max: usize) -> Self {
        let reason = CloseReason::new(close::SLOW_CONSUMER, "slow consumer");
        let slow_consumer = SlowConsumer::Close(reason);
        self.queue = Some(Arc::new(QueueOptions { bytes_max, slow_consumer }));
        self
    }
}
