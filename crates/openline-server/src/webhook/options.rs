//! What an operator sets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, ORIGIN, USER_AGENT};
use http::{HeaderMap, HeaderName};
use openline_ws::tls::rustls::pki_types::CertificateDer;

use super::outbox::Limits;
use super::{EVENT_ID, Kind, SIGNATURE};
use crate::outbound::{Allowed, Resolve, system_resolver};

const SECRETS_MAX: usize = 4;
const SECRET_BYTES_MIN: usize = 16;
const FORWARD_HEADERS_MAX: usize = 32;
const BATCH_EVENTS_MAX: usize = 100;
const BATCH_DELAY: Duration = Duration::from_millis(100);

/// How webhooks behave.
#[derive(Clone)]
pub(crate) struct Options {
    /// Where questions go.
    pub(crate) decide_url: Option<String>,
    /// Where events go.
    pub(crate) inform_url: Option<String>,
    /// What is asked and told; nothing else is.
    pub(crate) kinds: Vec<Kind>,
    /// Requests are signed with each of these, so that a secret can be replaced without a moment in
    /// which the backend knows none.
    pub(crate) secrets: Vec<Secret>,
    /// Sent with each request.
    pub(crate) headers: HeaderMap,
    /// Which headers of the client's request a question carries.
    pub(crate) forward_headers: Vec<HeaderName>,
    /// How long a request may take in all; for a question, waiting for its turn counts.
    pub(crate) timeout: Duration,
    /// How much of that may go into the name, TCP and TLS.
    pub(crate) connect_timeout: Duration,
    /// How long an answer may be.
    pub(crate) response_bytes_max: usize,
    /// Whether what the backend cannot be asked about, because it is out of reach, is allowed.
    /// Requests never are, for nobody has answered them.
    pub(crate) fail_open: bool,
    /// How many questions may be with the backend at a time. Others wait for their turn.
    pub(crate) decisions_max: usize,
    /// How often a batch is sent again when the backend did not take it.
    pub(crate) retries: u32,
    /// How many events wait for the backend. One more pushes out the oldest.
    pub(crate) queue_events_max: usize,
    /// How long a channel has to stay vacated before that is told.
    pub(crate) vacated_delay: Duration,
    /// How long events that are left when the server stops may take.
    pub(crate) drain_timeout: Duration,
    /// Which addresses that are not public may be reached beside those of the URLs.
    pub(crate) allow_private: Vec<Allowed>,
    /// Certificates to trust beside the system's roots.
    pub(crate) extra_roots: Vec<CertificateDer<'static>>,
    /// How names become addresses.
    pub(crate) resolver: Resolve,
    /// Gets a sentence about a failure, for a log; every five seconds at most.
    pub(crate) report: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            decide_url: None,
            inform_url: None,
            kinds: Vec::new(),
            secrets: Vec::new(),
            headers: HeaderMap::new(),
            forward_headers: vec![AUTHORIZATION, COOKIE, ORIGIN, USER_AGENT],
            timeout: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(3),
            response_bytes_max: 1024 * 1024,
            fail_open: false,
            decisions_max: 256,
            retries: 8,
            queue_events_max: 10_000,
            vacated_delay: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(5),
            allow_private: Vec::new(),
            extra_roots: Vec::new(),
            resolver: system_resolver(),
            report: Arc::new(|_| ()),
        }
    }
}

impl Options {
    pub(super) fn check(&self) -> Result<(), OptionsError> {
        let wrong = |what: &dyn fmt::Display| Err(OptionsError::new(what));
        for kind in &self.kinds {
            let (url, name) = match kind {
                Kind::Question(_) => (&self.decide_url, "deciding"),
                Kind::Event(_) => (&self.inform_url, "informing"),
            };
            if url.is_none() {
                return wrong(&format_args!("{kind} is wanted, but there is no URL for {name}"));
            }
        }
        if self.secrets.is_empty() || self.secrets.len() > SECRETS_MAX {
            return wrong(&format_args!(
                "there have to be 1 to {SECRETS_MAX} secrets, there are {}",
                self.secrets.len()
            ));
        }
        if self.forward_headers.len() > FORWARD_HEADERS_MAX {
            return wrong(&format_args!("more than {FORWARD_HEADERS_MAX} headers to forward"));
        }
        for own in [&SIGNATURE, &EVENT_ID] {
            if self.headers.contains_key(own) {
                return wrong(&format_args!("the header {own} is set by the server"));
            }
        }
        if self.timeout.is_zero() || self.connect_timeout.is_zero() {
            return wrong(&"a timeout of 0 lets nothing through");
        }
        if self.decisions_max == 0 || self.queue_events_max == 0 || self.response_bytes_max == 0 {
            return wrong(&"a limit of 0 lets nothing through");
        }
        Ok(())
    }

    pub(super) fn outbox_limits(&self) -> Limits {
        Limits {
            queue_events_max: self.queue_events_max,
            batch_events_max: BATCH_EVENTS_MAX.min(self.queue_events_max),
            batch_delay: BATCH_DELAY,
            vacated_delay: self.vacated_delay,
        }
    }
}

/// Shows neither secrets nor URLs, in whose path or query one may stand, nor headers.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("kinds", &self.kinds)
            .field("timeout", &self.timeout)
            .field("fail_open", &self.fail_open)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}

/// What requests are signed with. It is never shown.
#[derive(Clone)]
pub(crate) struct Secret(Vec<u8>);

impl Secret {
    /// # Errors
    /// When it is too short to be one.
    pub(crate) fn new(text: &str) -> Result<Self, OptionsError> {
        if text.len() < SECRET_BYTES_MIN {
            return Err(OptionsError::new(&format_args!(
                "a secret needs {SECRET_BYTES_MIN} bytes at least, this one has {}",
                text.len()
            )));
        }
        Ok(Self(text.as_bytes().to_vec()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is wrong with the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionsError(String);

impl OptionsError {
    pub(super) fn new(what: &dyn fmt::Display) -> Self {
        Self(what.to_string())
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "webhooks: {}", self.0)
    }
}

impl std::error::Error for OptionsError {}
