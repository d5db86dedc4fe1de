//! [`TestClient`]: a client of a test.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use openline_protocol::BUILT_IN_TYPES;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::arriving::Act;
use super::event::Event;
use crate::app::Refusal;
use crate::exchange::Mailbox;
use crate::node::Node;
use crate::shard;

/// Messages that a test may leave unread.
const UNREAD_MAX: usize = 10_000;

/// A client of a test. Dropping it cuts its line: the server learns that it is gone, without a code.
///
/// What comes while it waits for something else is kept for later, in order.
pub struct TestClient {
    node: Arc<Node>,
    mailbox: Arc<Mailbox>,
    acts: mpsc::Sender<Act>,
    patience: Duration,
    welcome: Value,
    unread: VecDeque<Value>,
    asked: u64,
}

/// A request on its way: see [`TestClient::begin`].
#[derive(Debug)]
#[must_use = "its outcome is for `TestClient::outcome`"]
pub struct Asking {
    id: u64,
    event: String,
}

impl TestClient {
    pub(super) async fn new(
        node: Arc<Node>,
        mailbox: Arc<Mailbox>,
        acts: mpsc::Sender<Act>,
        patience: Duration,
    ) -> Self {
        let (welcome, unread) = (Value::Null, VecDeque::new());
        let mut client = Self { node, mailbox, acts, patience, welcome, unread, asked: 0 };
        client.welcome = client.find("welcome", |message| message["type"] == "welcome").await;
        client
    }

    /// The id that the server gave it: [`Context::id`](crate::app::Context::id).
    pub fn id(&self) -> &str {
        self.welcome["clientId"].as_str().unwrap_or_default()
    }

    /// The first message of the server.
    pub fn welcome(&self) -> &Value {
        &self.welcome
    }

    /// Sends an event and waits for the answer.
    ///
    /// # Errors
    /// What the handler, or the server, says no with.
    ///
    /// # Panics
    /// When no answer comes, it does not fit, or the line is closed.
    pub async fn ask<R: DeserializeOwned>(
        &mut self,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<R, Refusal> {
        let asking = self.begin(event, data).await;
        self.outcome(asking).await
    }

    /// Sends an event that wants an answer, and does not wait for it: for a client that is asked
    /// something meanwhile.
    pub async fn begin(&mut self, event: &str, data: &(impl Serialize + ?Sized)) -> Asking {
        self.asked += 1;
        let id = self.asked;
        self.send_message(&json!({ "type": event, "id": id, "data": data })).await;
        Asking { id, event: event.to_owned() }
    }

    /// Waits for the answer to what was begun.
    ///
    /// # Errors
    /// As [`TestClient::ask`].
    ///
    /// # Panics
    /// As [`TestClient::ask`].
    pub async fn outcome<R: DeserializeOwned>(&mut self, asking: Asking) -> Result<R, Refusal> {
        let Asking { id, event } = asking;
        let mut answer = self.answer_to(id, &event).await?;
        let data = answer.get_mut("data").map_or(Value::Null, Value::take);
        match R::deserialize(&data) {
            Ok(answer) => Ok(answer),
            Err(error) => panic!("the answer to {event} does not fit: {error}: {data}"),
        }
    }

    /// Sends any request of protocol v1, such as `{"type":"publish","channel":…}`, and waits for the
    /// whole answer. Its `id` is put in.
    ///
    /// # Errors
    /// As [`TestClient::ask`].
    ///
    /// # Panics
    /// When no answer comes, the request is no object, or the line is closed.
    pub async fn request(&mut self, mut request: Value) -> Result<Value, Refusal> {
        self.asked += 1;
        let id = self.asked;
        request["id"] = id.into();
        let kind = request["type"].to_string();
        self.send_message(&request).await;
        self.answer_to(id, &kind).await
    }

    /// Subscribes to a channel. What was published there before does not come.
    ///
    /// # Errors
    /// When it may not, or there is no such channel.
    ///
    /// # Panics
    /// When no answer comes, or the line is closed.
    pub async fn subscribe(&mut self, channel: &str) -> Result<(), Refusal> {
        let request = json!({ "type": "subscribe", "channels": [channel] });
        let answer = self.request(request).await?;
        refused(&answer["data"][channel]).map_or(Ok(()), Err)
    }

    /// Publishes in a channel, and waits until that is acknowledged.
    ///
    /// # Errors
    /// When it may not, or there is no such channel.
    ///
    /// # Panics
    /// When no answer comes, or the line is closed.
    pub async fn publish(
        &mut self,
        channel: &str,
        event: &str,
        data: &(impl Serialize + ?Sized),
    ) -> Result<(), Refusal> {
        let request =
            json!({ "type": "publish", "channel": channel, "event": event, "data": data });
        self.request(request).await.map(drop)
    }

    /// Sends an event that wants no answer. It is on its way when this returns.
    pub async fn send(&mut self, event: &str, data: &(impl Serialize + ?Sized)) {
        self.send_message(&json!({ "type": event, "data": data })).await;
    }

    /// Sends any message of protocol v1. A server that has closed the line does not get it.
    pub async fn send_message(&mut self, message: &Value) {
        let _ = self.acts.send(Act::Send(message.to_string().into())).await;
    }

    /// Answers a question of the server's.
    ///
    /// # Panics
    /// When the event is none.
    pub async fn answer(&mut self, question: &Event, data: &(impl Serialize + ?Sized)) {
        let name = &question.name;
        let Some(id) = question.question() else {
            panic!("{name} is no question: {}", question.message)
        };
        self.send_message(&json!({ "type": name, "id": id, "data": data })).await;
    }

    /// The next event, publication or question, or an `error` that answers nothing. What the protocol
    /// itself says (`subscribed`, `presence` and so on) is passed over: see [`TestClient::expect`].
    ///
    /// # Panics
    /// When none comes, or the line is closed.
    pub async fn next_event(&mut self) -> Event {
        Event::new(self.find("an event", is_event).await)
    }

    /// The next event, which has to be called this. With the name of a type of the protocol, such as
    /// `presence` or `subscribed`: the next message of this type.
    ///
    /// # Panics
    /// When another comes, or none, or the line is closed.
    pub async fn expect(&mut self, name: &str) -> Event {
        if is_notice(name) {
            let is_meant = |message: &Value| message["type"] == name && message.get("id").is_none();
            return Event::new(self.find(name, is_meant).await);
        }
        let event = Event::new(self.find(name, is_event).await);
        assert_eq!(event.name, name, "another event came: {}", event.message);
        event
    }

    /// Makes sure that there is no event: what this client sent before has been read, and what
    /// handlers sent before they answered has arrived.
    ///
    /// # Panics
    /// When there is one, or the line is closed.
    pub async fn expect_nothing(&mut self) {
        let pong = self.request(json!({ "type": "ping" })).await;
        assert!(pong.is_ok(), "{pong:?}");
        // Behind what waits for the thread.
        let looked = shard::look(self.node.exchange.shards(), |_| ()).await;
        assert!(looked.is_some(), "the test server does not answer");
        self.collect();
        if let Some(event) = self.unread.iter().find(|message| is_event(message)) {
            panic!("nothing was expected, and there is {event}");
        }
    }

    /// Waits until the server has closed the line; returns the code and the reason. What is unread is
    /// dropped.
    ///
    /// # Panics
    /// When it does not.
    pub async fn closed(&mut self) -> (u16, String) {
        let closed = async {
            loop {
                self.mailbox.take(usize::MAX);
                if let Some(ending) = self.mailbox.closed() {
                    return ending;
                }
                self.mailbox.wait().await;
            }
        };
        match tokio::time::timeout(self.patience, closed).await {
            Ok(ending) => (ending.code, ending.reason),
            Err(_) => panic!("the line was not closed within {:?}", self.patience),
        }
    }

    /// Closes the line, as a client that has had enough.
    pub async fn close(self, code: u16, reason: &str) {
        let _ = self.acts.send(Act::Close(code, reason.to_owned())).await;
    }

    /// The answer to a request.
    async fn answer_to(&mut self, id: u64, event: &str) -> Result<Value, Refusal> {
        let what = format!("the answer to {event}");
        let answer = self.find(&what, |message| message["id"] == id).await;
        let failed = answer["type"] == "error" || answer["type"] == "auth_failed";
        match refused(&answer).filter(|_| failed) {
            Some(refusal) => Err(refusal),
            None => Ok(answer),
        }
    }

    /// The first message that fits, those before it being kept.
    async fn find(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + self.patience;
        loop {
            let found = self.unread.iter().position(&fits);
            if let Some(message) = found.and_then(|at| self.unread.remove(at)) {
                return message;
            }
            if let Some(ending) = self.mailbox.closed() {
                let (code, reason) = (ending.code, ending.reason);
                panic!("expected {what}; the line was closed with {code}: {reason}");
            }
            if timeout_at(deadline, self.mailbox.wait()).await.is_err() {
                let patience = self.patience;
                panic!("expected {what} within {patience:?}; unread is {:?}", self.unread);
            }
            self.collect();
        }
    }

    /// Takes what has come.
    fn collect(&mut self) {
        for letter in self.mailbox.take(usize::MAX) {
            let message = serde_json::from_str(&letter.text).expect("the server writes JSON");
            self.unread.push_back(message);
        }
        let most = UNREAD_MAX;
        assert!(self.unread.len() <= most, "the test has left more than {most} messages unread");
    }
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient").field("id", &self.id()).finish_non_exhaustive()
    }
}

/// Whether it is an event, a publication, a question, or an error that answers nothing.
fn is_event(message: &Value) -> bool {
    let name = message["type"].as_str().unwrap_or_default();
    let answers = message.get("id").is_some_and(|id| !id.is_string());
    !answers && !is_notice(name)
}

/// Whether the protocol itself says this.
fn is_notice(name: &str) -> bool {
    BUILT_IN_TYPES.contains(&name) && name != "error"
}

/// What a message that is a refusal says.
fn refused(message: &Value) -> Option<Refusal> {
    let code = message["code"].as_str()?.to_owned();
    let refusal = Refusal::new(code, message["message"].as_str().unwrap_or_default());
    Some(match message["retryAfter"].as_u64() {
        Some(milliseconds) => refusal.retry_after_ms(milliseconds),
        None => refusal,
    })
}
