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
        Ok(Self { connection, subscriber, inbox, more, asked: 0, is_over: false })
    }

    /// The next one; none if there is none now.
    pub(super) async fn next(&mut self) -> Result<Option<Stored>, Failure> {
        if self.is_over {
            return Ok(None);
        }
        if self.asked == 0 {
            self.ask().await?;
        }
        let subscriber = &mut self.subscriber;
        let next = std::future::poll_fn(|context| Pin::new(&mut *subscriber).poll_next(context));
        let message = timeout(self.connection.timeout(), next).await;
        let message = message.ok().flatten().ok_or(Failure::Unavailable)?;
        if message.status.is_some() {
            self.is_over = true;
            return Ok(None);
        }
        self.asked -= 1;
        let (sequence, pending) = place(&message).ok_or(Failure::Unavailable)?;
        self.is_over = pending == 0;
        let Message { subject, payload, .. } = message;
        Ok(Some(Stored { subject: subject.to_string(), sequence, payload }))
    }

    async fn ask(&mut self) -> Result<(), Failure> {
        let client = self.connection.client_now().ok_or(Failure::Unavailable)?;
        let question = Bytes::from(json!({ "batch": TOGETHER, "no_wait": true }).to_string());
        let asking = client.publish_with_reply(self.more.clone(), self.inbox.clone(), question);
        let asked = timeout(self.connection.timeout(), asking).await;
        asked.map_err(|_| Failure::Unavailable)?.map_err(|_| Failure::Unavailable)?;
        self.asked = TOGETHER;
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
