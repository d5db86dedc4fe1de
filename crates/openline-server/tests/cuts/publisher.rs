//! [`Publisher`]: publishes values that nobody else does, each under a key, until it is acked.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, sleep_until};

use crate::proxy::{Mode, Proxy};
use crate::random::Random;
use crate::record::Truth;
use crate::support::talk::{End, Talk};

pub(crate) struct Publisher {
    pub(crate) name: String,
    pub(crate) url: String,
    /// None: its line is left alone.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) channels: Vec<String>,
    pub(crate) random: Random,
    pub(crate) truth: Arc<Truth>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) sent: Sent,
}

/// What it did.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) published: u64,
    /// Acked as known already.
    pub(crate) duplicates: u64,
    /// What waits for its ack, by id, in the order in which it was sent.
    waiting: BTreeMap<u64, Value>,
}

/// Publications that may wait for their acks.
const WAITING_MAX: usize = 64;

/// Less than a few acks take drop by drop.
const ACKS_ON_THEIR_WAY: Duration = Duration::from_millis(15);

impl Publisher {
    /// Publishes until it is to stop and all is acked.
    pub(crate) async fn run(mut self) -> Result<Sent, String> {
        loop {
            let Some(mut talk) = Talk::try_open(&self.url, None).await else {
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            match self.publish(&mut talk).await? {
                Some(End { .. }) => {}
                None => return Ok(self.sent),
            }
        }
    }

    /// Returns how the line ended, if it did.
    async fn publish(&mut self, talk: &mut Talk) -> Result<Option<End>, String> {
        let mut next_burst = Instant::now();
        let mut next_fault = Instant::now() + self.random.milliseconds(100..2000);
        let unacked: Vec<Value> = self.sent.waiting.values().cloned().collect();
        for request in unacked {
            // A line that is gone shows that when it is read.
            let _ = talk.try_send(&request).await;
        }
        loop {
            let stops = *self.stop.borrow_and_update();
            if stops && self.sent.waiting.is_empty() {
                return Ok(None);
            }
            let may_send = !stops && self.sent.waiting.len() < WAITING_MAX;
            tokio::select! {
                biased;
                () = sleep_until(next_fault), if self.proxy.is_some() && may_send => {
                    next_fault = Instant::now() + self.random.milliseconds(100..2000);
                    self.lose_acks(talk).await;
                }
                _ = self.stop.changed(), if !stops => {}
                () = sleep_until(next_burst), if may_send => {
                    next_burst = Instant::now() + self.random.milliseconds(30..120);
                    self.burst(talk).await;
                }
                came = talk.receive() => match came {
                    Err(end) => return Ok(Some(end)),
                    Ok(message) => self.take(&message)?,
                },
            }
        }
    }

    async fn burst(&mut self, talk: &mut Talk) {
        for _ in 0..self.random.within(1..13) {
            let request = self.next_request();
            let _ = talk.try_send(&request).await;
        }
    }

    /// Has the line break when the server has what was sent and most of its acks are on their way.
    async fn lose_acks(&mut self, talk: &mut Talk) {
        if let Some(proxy) = &self.proxy {
            proxy.set(Mode::Drip);
        }
        self.burst(talk).await;
        sleep(ACKS_ON_THEIR_WAY).await;
        if let Some(proxy) = &self.proxy {
            proxy.set(Mode::Reset);
        }
    }

    fn next_request(&mut self) -> Value {
        self.sent.published += 1;
        let number = self.sent.published;
        let value = format!("{}-{number}", self.name);
        let channel = &self.channels[self.random.next() as usize % self.channels.len()];
        let filling = "x".repeat(self.random.within(0..900) as usize);
        let data = json!({ "value": value, "filling": filling });
        let request = json!({
            "type": "publish", "id": number, "channel": channel, "key": value, "data": data,
        });
        self.sent.waiting.insert(number, request.clone());
        request
    }

    fn take(&mut self, message: &Value) -> Result<(), String> {
        match message["type"].as_str() {
            Some("welcome") => return Ok(()),
            Some("published") => {}
            _ => return Err(format!("{message} was not to be expected")),
        }
        let waiting = message["id"].as_u64().and_then(|id| self.sent.waiting.remove(&id));
        let request = waiting.ok_or_else(|| format!("{message} acks nothing"))?;
        self.sent.duplicates += u64::from(message["duplicate"] == true);
        let channel = request["channel"].as_str().unwrap_or_default();
        self.truth.acked(channel, request["key"].as_str().unwrap_or_default(), message)
    }
}
