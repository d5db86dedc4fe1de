//! How a client is to behave.

use std::time::Duration;

use crate::error::BuildError;
use crate::machine;

/// For how long a key is sure to be known to the server, with room for a slow answer.
const TTL_MAX: Duration = Duration::from_secs(240);

/// How much may wait to be sent or answered, and what happens beyond it. Each publish and request
/// counts until it is answered.
#[derive(Debug, Clone)]
pub struct Queue {
    pub(crate) messages_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) ttl: Duration,
    pub(crate) overflow: Overflow,
}

/// What happens to a message for which there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused with [`Error::QueueFull`](crate::Error::QueueFull).
    #[default]
    Reject,
    /// The oldest that was not sent yet is refused in its place.
    DropOldest,
    /// The call waits until there is room.
    Wait,
}

impl Queue {
    /// At most so many messages; 1 MiB, 60 s, [`Overflow::Reject`].
    pub fn bounded(messages: usize) -> Self {
        Self {
            messages_max: messages,
            bytes_max: 1 << 20,
            ttl: Duration::from_secs(60),
            overflow: Overflow::default(),
        }
    }

    /// At most so many bytes. A message alone may have more.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// For how long a publish may wait for its answer, over all lines. At most 240 s: beyond that the
    /// server might not know its key any more.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// What happens beyond the bounds.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::bounded(1000)
    }
}

/// When to come back after a line was lost. What the server says about it goes first: it knows how
/// many clients it has.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    max: Duration,
    attempts_max: Option<u32>,
}

impl Backoff {
    /// Each delay is chosen at random below a bound that begins at `base` and doubles up to `max`.
    pub fn full_jitter(base: Duration, max: Duration) -> Self {
        Self { base, max, attempts_max: None }
    }

    /// Stops after so many failures in a row. Default: never.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.attempts_max = Some(attempts);
        self
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::full_jitter(Duration::from_millis(500), Duration::from_secs(30))
    }
}

/// How a dead line is noticed.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    interval: Option<Duration>,
    timeout: Duration,
}

impl Heartbeat {
    /// Asks for a sign of life after this quiet. Without it, after what the server says.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Gives the line up when none comes for this long. Default: 10 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Default for Heartbeat {
    fn default() -> Self {
        Self { interval: None, timeout: Duration::from_secs(10) }
    }
}

/// The machine's options.
pub(crate) fn machine(
    backoff: &Backoff,
    heartbeat: &Heartbeat,
    connect_timeout: Duration,
) -> machine::Options {
    machine::Options {
        connect_timeout: milliseconds(connect_timeout),
        heartbeat_interval: heartbeat.interval.map(milliseconds),
        heartbeat_timeout: milliseconds(heartbeat.timeout),
        delay_base: milliseconds(backoff.base),
        delay_max: milliseconds(backoff.max),
        attempts_max: backoff.attempts_max,
        ..machine::Options::default()
    }
}

/// Whether the queue's bounds make sense.
pub(crate) fn check(queue: &Queue) -> Result<(), BuildError> {
    if queue.messages_max == 0 {
        return Err(BuildError::Option("a queue needs room for 1 message at least".to_owned()));
    }
    if queue.ttl > TTL_MAX {
        let (ttl, max) = (queue.ttl.as_secs(), TTL_MAX.as_secs());
        return Err(BuildError::Option(format!(
            "the queue's ttl is {ttl} s; {max} s are allowed, for which a server surely knows a key"
        )));
    }
    Ok(())
}

pub(crate) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
