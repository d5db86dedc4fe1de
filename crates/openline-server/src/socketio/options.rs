//! [`SocketIo`]: how Socket.IO clients are served.

use std::time::Duration;

use super::engine;

/// How long a lost socket is waited for, at most: as far as the journals reach.
const RECOVERY_MAX: Duration = Duration::from_secs(120);

/// How Socket.IO clients are served; for [`ServerBuilder::socket_io`](crate::app::ServerBuilder).
#[derive(Debug, Clone)]
pub struct SocketIo {
    pub(super) recovery: Option<Duration>,
    pub(super) connect_timeout: Duration,
    ping_interval: Duration,
    ping_timeout: Duration,
    pub(super) payload_bytes_max: usize,
}

impl Default for SocketIo {
    fn default() -> Self {
        let engine = engine::Options::default();
        Self {
            recovery: Some(RECOVERY_MAX),
            connect_timeout: Duration::from_secs(45),
            ping_interval: engine.ping_interval,
            ping_timeout: engine.ping_timeout,
            payload_bytes_max: engine.payload_bytes_max,
        }
    }
}

impl SocketIo {
    /// As if nothing was said.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a socket that lost its connection stays in its rooms, so that its client can go on
    /// where it was: 2 minutes if nothing is said, and at most. With none each connection begins anew,
    /// and events have no offset as their last argument.
    #[must_use]
    pub fn recovery(mut self, recovery: Option<Duration>) -> Self {
        self.recovery = recovery.map(|recovery| recovery.min(RECOVERY_MAX));
        self
    }

    /// How long a client may take to ask for its first namespace; 45 s if nothing is said.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long after an answer to a ping the next one is sent; 25 s if nothing is said.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval;
        self
    }

    /// How long after a ping a client that is not heard is taken for gone; 20 s if nothing is said.
    #[must_use]
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.ping_timeout = timeout;
        self
    }

    /// The largest message, and the largest packet with its attachments, in bytes; 1,000,000 if
    /// nothing is said.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.payload_bytes_max = bytes;
        self
    }

    /// Whether sockets can come back.
    pub(crate) fn recovers(&self) -> bool {
        self.recovery.is_some()
    }

    pub(super) fn engine(&self) -> engine::Options {
        engine::Options {
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            payload_bytes_max: self.payload_bytes_max,
            ..engine::Options::default()
        }
    }
}
