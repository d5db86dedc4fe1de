//! [`Messages`]: messages of a subject, sent one behind the other by a consumer of JetStream.

use std::pin::Pin;
use std::time::Duration;

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use futures_core::Stream as _;
use serde_json::json;
use tokio::time::timeout;

use super::connection::{Connection, Failure, Stored};

/// Messages that are asked for together.
const TOGETHER: usize = 100;

/// Bytes that are asked for together, if no message is larger: a node that is sent more than it reads
/// is cut off by the server.
const TOGETHER_BYTES: usize = 8 << 20;

/// After which JetStream ends a consumer that is not asked any more, if it was not told to.
const IDLE: Duration = Duration::from_secs(5);

/// Messages of a subject from a sequence on.
pub(super) struct Messages<'a> {
    connection: &'a Connection,
    subscriber: Subscriber,
    inbox: String,
    /// Where more is asked for.
    more: String,
    /// How many are on their way at most.
    asked: usize,
    /// How many came of those that were asked for last.
    came: usize,
    is_over: bool,
}

impl<'a> Messages<'a> {
    pub(super) async fn new(
        connection: &'a Connection,
        stream: &str,
        subject: &str,
        from: u64,
    ) -> Result<Self, Failure> {
        let client = connection.client_now().ok_or(Failure::Unavailable)?;
        let inbox = client.new_inbox();
        let subscriber = connection.subscribe(inbox.clone()).await?;
        let idle = u64::try_from(IDLE.as_nanos()).unwrap_or(u64::MAX);
        let question = json!({
            "stream_name": stream,
            "config": {
                "deliver_policy": "by_start_sequence",
                "opt_start_seq": from.max(1),
                "filter_subject": subject,
                "ack_policy": "none",
                "replay_policy": "instant",
                "inactive_threshold": idle,
                "mem_storage": true,
                "num_replicas": 1,
            },
        });
        let made = connection.api(&format!("CONSUMER.CREATE.{stream}"), question).await?;
        let name = made["name"].as_str().ok_or(Failure::Unavailable)?;
        let more = format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{name}");
        Ok(Self { connection, subscriber, inbox, more, asked: 0, came: 0, is_over: false })
    }

    /// The next one; none if there is none now.
    pub(super) async fn next(&mut self) -> Result<Option<Stored>, Failure> {
        let message = loop {
            if self.is_over {
                return Ok(None);
            }
            if self.asked == 0 {
                self.ask().await?;
            }
            let message = self.receive().await?;
            if message.status.is_none() {
                break message;
            }
            // Not all that was asked for: there are no more, or they are too large together.
            self.is_over = self.came == 0;
            self.asked = 0;
        };
        self.asked -= 1;
        self.came += 1;
        let (sequence, pending) = place(&message).ok_or(Failure::Unavailable)?;
        self.is_over = pending == 0;
        let Message { subject, payload, .. } = message;
        Ok(Some(Stored { subject: subject.to_string(), sequence, payload }))
    }

    async fn receive(&mut self) -> Result<Message, Failure> {
        let subscriber = &mut self.subscriber;
        let next = std::future::poll_fn(|context| Pin::new(&mut *subscriber).poll_next(context));
        let message = timeout(self.connection.timeout(), next).await;
        message.ok().flatten().ok_or(Failure::Unavailable)
    }

    async fn ask(&mut self) -> Result<(), Failure> {
        let client = self.connection.client_now().ok_or(Failure::Unavailable)?;
        let bytes = TOGETHER_BYTES.max(2 * self.connection.payload_max());
        let question = json!({ "batch": TOGETHER, "max_bytes": bytes, "no_wait": true });
        let question = Bytes::from(question.to_string());
        let asking = client.publish_with_reply(self.more.clone(), self.inbox.clone(), question);
        let asked = timeout(self.connection.timeout(), asking).await;
        asked.map_err(|_| Failure::Unavailable)?.map_err(|_| Failure::Unavailable)?;
        (self.asked, self.came) = (TOGETHER, 0);
        Ok(())
    }
}

/// The sequence of a message that was sent by a consumer, and how many are behind it:
/// `$JS.ACK.<stream>.<consumer>.<tries>.<sequence>.<number>.<time>.<behind>`, since 2.10 maybe with a
/// domain and an account before the stream.
fn place(message: &Message) -> Option<(u64, u64)> {
    let reply = message.reply.as_ref()?.as_str();
    let tokens: Vec<_> = reply.split('.').collect();
    let first = if tokens.len() > 9 { 7 } else { 5 };
    Some((tokens.get(first)?.parse().ok()?, tokens.get(first + 3)?.parse().ok()?))
}
