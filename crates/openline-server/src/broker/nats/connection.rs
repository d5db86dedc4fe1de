//! [`Connection`]: the one to NATS, which comes back by itself, and what JetStream is asked by it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use async_nats::{Client, HeaderMap, Message, Request, RequestErrorKind, Subscriber};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::streams::Access;
use crate::broker::BrokerError;

/// The reason why JetStream did not do something, of all its error codes those that have a meaning
/// here.
const STREAM_NOT_FOUND: u64 = 10059;
const MESSAGE_NOT_FOUND: u64 = 10037;
const WRONG_LAST_SEQUENCE: u64 = 10071;
const NO_JETSTREAM: [u64; 2] = [10039, 10076];
const FULL: [u64; 4] = [10023, 10028, 10047, 10077];

const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";
const MESSAGE_ID: &str = "Nats-Msg-Id";
const SEQUENCE: &str = "Nats-Sequence";
const SUBJECT: &str = "Nats-Subject";

/// The connection to NATS.
pub(super) struct Connection {
    client: OnceLock<Client>,
    /// Whether it is there; changed by who watches its events.
    is_up: watch::Sender<bool>,
    /// How often it was lost. What was known of the server before may not be true any more.
    losses: AtomicU64,
    warnings: Mutex<Vec<String>>,
    timeout: Duration,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// No answer, or no connection. Whether it was done is not known.
    Unavailable,
    /// Another message was stored on the subject than was expected.
    WrongSequence,
    /// There is no such stream.
    NoStream,
    /// There is no such message.
    NoMessage,
    NoJetStream,
    Full,
    /// JetStream's words.
    Refused(String),
}

/// What became of a message that was to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct Ack {
    #[serde(rename = "seq")]
    pub(super) sequence: u64,
    /// Another one with its id is stored already, at that sequence.
    #[serde(default)]
    pub(super) duplicate: bool,
}

/// A message that is stored.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) subject: String,
    pub(super) sequence: u64,
    pub(super) payload: Bytes,
}

/// Which message of a stream is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which<'a> {
    /// The last of a subject.
    Last(&'a str),
    /// The first of a subject at this sequence or behind it.
    From(&'a str, u64),
    /// The one at this sequence.
    At(u64),
}

impl Connection {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            client: OnceLock::new(),
            is_up: watch::Sender::new(false),
            losses: AtomicU64::new(0),
            warnings: Mutex::default(),
            timeout,
        }
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// It can be used once it is up.
    pub(super) fn set_client(&self, client: Client) {
        let _ = self.client.set(client);
    }

    pub(super) fn came_up(&self) {
        self.is_up.send_replace(true);
    }

    pub(super) fn went_down(&self) {
        self.losses.fetch_add(1, Ordering::SeqCst);
        self.is_up.send_replace(false);
    }

    pub(super) fn is_up(&self) -> bool {
        *self.is_up.borrow()
    }

    /// How often it was lost.
    pub(super) fn losses(&self) -> u64 {
        self.losses.load(Ordering::SeqCst)
    }

    /// Notes something that an operator is to know; once.
    pub(super) fn warn(&self, warning: String) {
        let mut warnings = self.warned();
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        self.warned().clone()
    }

    fn warned(&self) -> MutexGuard<'_, Vec<String>> {
        self.warnings.lock().expect("nothing under this lock panics")
    }

    /// The client, whether the connection is up or not.
    pub(super) fn client_now(&self) -> Option<&Client> {
        self.client.get()
    }

    pub(super) async fn wait_until_up(&self) -> Result<(), Failure> {
        if !self.is_up() {
            let mut up = self.is_up.subscribe();
            let waited = timeout(self.timeout, up.wait_for(|is_up| *is_up)).await;
            waited.map_err(|_| Failure::Unavailable)?.map_err(|_| Failure::Unavailable)?;
        }
        Ok(())
    }

    /// The client, as soon as the connection is up.
    async fn client(&self) -> Result<&Client, Failure> {
        self.wait_until_up().await?;
        self.client.get().ok_or(Failure::Unavailable)
    }

    /// The most that a message may hold.
    pub(super) fn payload_max(&self) -> usize {
        self.client.get().map_or(0, Client::max_payload)
    }

    /// Says something that is not stored.
    pub(super) async fn say(&self, subject: String, payload: Bytes) -> Result<(), Failure> {
        let client = self.client().await?;
        let said = timeout(self.timeout, client.publish(subject, payload)).await;
        said.map_err(|_| Failure::Unavailable)?.map_err(|_| Failure::Unavailable)
    }

    /// As [`Connection::say`], or not at all while the connection is down.
    pub(super) async fn say_now(&self, subject: String, payload: Bytes) {
        if self.is_up() {
            let _ = self.say(subject, payload).await;
        }
    }

    /// Has the server send what is published to a subject, from the next [`Connection::sync`] on at
    /// the latest.
    pub(super) async fn subscribe(&self, subject: String) -> Result<Subscriber, Failure> {
        // Not waited for: it is also used on the way up.
        let client = self.client.get().ok_or(Failure::Unavailable)?;
        let subscribed = timeout(self.timeout, client.subscribe(subject)).await;
        subscribed.map_err(|_| Failure::Unavailable)?.map_err(|_| Failure::Unavailable)
    }

    /// Waits until the server has read all that it was sent before: a request that nobody hears is
    /// answered by the server itself.
    pub(super) async fn sync(&self, nobody: String) -> Result<(), Failure> {
        match self.ask(nobody, Request::new()).await {
            Ok(_) | Err(Failure::NoStream) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Stores a message behind the one at `expected`, the last of its subject, or as the first (0).
    pub(super) async fn store(
        &self,
        subject: String,
        payload: Bytes,
        expected: Option<u64>,
        id: Option<&str>,
    ) -> Result<Ack, Failure> {
        let mut headers = HeaderMap::new();
        if let Some(expected) = expected {
            headers.insert(EXPECTED, expected.to_string());
        }
        if let Some(id) = id {
            headers.insert(MESSAGE_ID, id);
        }
        self.client().await?;
        let answer = self.ask(subject, Request::new().headers(headers).payload(payload)).await?;
        understood(&answer.payload)
    }

    /// A message of a stream, if there is such a one.
    pub(super) async fn get(
        &self,
        stream: &str,
        access: Access,
        which: Which<'_>,
    ) -> Result<Option<Stored>, Failure> {
        let question = match which {
            Which::Last(subject) => json!({ "last_by_subj": subject }),
            Which::From(subject, sequence) => {
                json!({ "seq": sequence.max(1), "next_by_subj": subject })
            }
            Which::At(sequence) => json!({ "seq": sequence }),
        };
        self.client().await?;
        match access {
            Access::Direct => self.get_direct(stream, question).await,
            Access::Leader => self.get_from_leader(stream, question).await,
        }
    }

    async fn get_direct(&self, stream: &str, question: Value) -> Result<Option<Stored>, Failure> {
        let request = Request::new().payload(question.to_string().into());
        let answer = self.ask(format!("$JS.API.DIRECT.GET.{stream}"), request).await?;
        match answer.status.map(|status| status.as_u16()) {
            None => {}
            Some(404) => return Ok(None),
            Some(_) => return Err(Failure::Refused(answer.description.unwrap_or_default())),
        }
        let header = |name: &str| {
            let value = answer.headers.as_ref().and_then(|headers| headers.get_last(name));
            value.map(|value| value.as_str().to_owned())
        };
        let sequence = header(SEQUENCE).and_then(|sequence| sequence.parse().ok());
        match sequence.zip(header(SUBJECT)) {
            Some((sequence, subject)) => {
                Ok(Some(Stored { subject, sequence, payload: answer.payload }))
            }
            None => Err(Failure::no_meaning()),
        }
    }

    async fn get_from_leader(
        &self,
        stream: &str,
        question: Value,
    ) -> Result<Option<Stored>, Failure> {
        let what = format!("STREAM.MSG.GET.{stream}");
        let message = match self.api(&what, question).await {
            Ok(answer) => answer,
            Err(Failure::NoMessage) => return Ok(None),
            Err(failure) => return Err(failure),
        };
        let message: LeaderMessage =
            serde_json::from_value(message).map_err(|_| Failure::no_meaning())?;
        let LeaderMessage { message: FromLeader { subject, seq: sequence, data } } = message;
        match STANDARD.decode(data) {
            Ok(payload) => Ok(Some(Stored { subject, sequence, payload: payload.into() })),
            Err(_) => Err(Failure::no_meaning()),
        }
    }

    /// Asks JetStream to do something else. It does not wait for the connection to be up, since it
    /// is also asked on the way there.
    pub(super) async fn api(&self, what: &str, question: Value) -> Result<Value, Failure> {
        let payload = if question.is_null() { String::new() } else { question.to_string() };
        let request = Request::new().payload(payload.into());
        match self.ask(format!("$JS.API.{what}"), request).await {
            Ok(answer) => understood(&answer.payload),
            // Nobody listens where JetStream would.
            Err(Failure::NoStream) => Err(Failure::NoJetStream),
            Err(failure) => Err(failure),
        }
    }

    async fn ask(&self, subject: String, request: Request) -> Result<Message, Failure> {
        let client = self.client.get().ok_or(Failure::Unavailable)?;
        let request = request.timeout(None);
        match timeout(self.timeout, client.send_request(subject, request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(match error.kind() {
                RequestErrorKind::NoResponders => Failure::NoStream,
                RequestErrorKind::MaxPayloadExceeded => Failure::too_large(self.payload_max()),
                _ => Failure::Unavailable,
            }),
            Err(_) => Err(Failure::Unavailable),
        }
    }
}

impl Failure {
    fn too_large(payload_max: usize) -> Self {
        Self::Refused(format!(
            "it is larger than the {payload_max} bytes that NATS takes; raise its max_payload"
        ))
    }

    fn no_meaning() -> Self {
        Self::Refused("it gave an answer that has no meaning here".to_owned())
    }
}

impl From<Failure> for BrokerError {
    fn from(failure: Failure) -> Self {
        match failure {
            // What is left of these was tried again for as long as may be.
            Failure::Unavailable
            | Failure::WrongSequence
            | Failure::NoStream
            | Failure::NoMessage => Self::Unavailable,
            Failure::Full => Self::StorageFull,
            Failure::NoJetStream => Self::StorageFailed(NO_JETSTREAM_SAID.to_owned()),
            Failure::Refused(why) => Self::StorageFailed(format!("NATS: {why}")),
        }
    }
}

/// What is said of a server without JetStream.
pub(super) const NO_JETSTREAM_SAID: &str =
    "NATS has no JetStream for this account; start nats-server with -js, or enable it in its file";

#[derive(Deserialize)]
struct LeaderMessage {
    message: FromLeader,
}

#[derive(Deserialize)]
struct FromLeader {
    subject: String,
    seq: u64,
    #[serde(default)]
    data: String,
}

#[derive(Deserialize)]
struct Refusal {
    error: ApiError,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    err_code: u64,
    #[serde(default)]
    description: String,
}

fn understood<T: for<'de> Deserialize<'de>>(answer: &[u8]) -> Result<T, Failure> {
    if let Ok(Refusal { error }) = serde_json::from_slice(answer) {
        return Err(match error.err_code {
            STREAM_NOT_FOUND => Failure::NoStream,
            MESSAGE_NOT_FOUND => Failure::NoMessage,
            WRONG_LAST_SEQUENCE => Failure::WrongSequence,
            code if NO_JETSTREAM.contains(&code) => Failure::NoJetStream,
            code if FULL.contains(&code) => Failure::Full,
            _ => Failure::Refused(error.description),
        });
    }
    serde_json::from_slice(answer).map_err(|_| Failure::no_meaning())
}
