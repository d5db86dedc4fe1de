//! [`Subscriber`]: a client that remembers where it is in each channel, and loses its lines.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, sleep_until};

use crate::proxy::{Mode, Proxy};
use crate::random::Random;
use crate::record::{Reader, Truth};
use crate::support::talk::Talk;

/// The offset at which each channel ends, once that is known.
pub(crate) type Ends = watch::Receiver<Option<BTreeMap<String, u64>>>;

pub(crate) struct Subscriber {
    pub(crate) url: String,
    /// None: the line runs to the server itself and is left alone.
    pub(crate) proxy: Option<Proxy>,
    pub(crate) subprotocol: Option<&'static str>,
    pub(crate) channels: Vec<String>,
    pub(crate) random: Random,
    /// Drops that it has still to suffer.
    pub(crate) drops: u64,
    /// Those of all subscribers.
    pub(crate) drops_left: Arc<AtomicU64>,
    pub(crate) truth: Arc<Truth>,
    pub(crate) ends: Ends,
    pub(crate) seen: Seen,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) readers: HashMap<String, Reader>,
    /// Lines by the code that they ended with, those that the client gave up aside.
    pub(crate) ended: BTreeMap<u16, u64>,
}

/// What happens to a client next.
enum Fault {
    Reset,
    HalfOpen,
    SlowReader,
    /// None, but it leaves a channel and comes back on the same line.
    Resubscribe,
}

enum Followed {
    ToTheEnd,
    Lost(u16),
    GivenUp,
}

/// Tries to open a line before something else must be wrong.
const TRIES: u32 = 200;

impl Subscriber {
    /// Reads until the end of all channels.
    pub(crate) async fn run(mut self) -> Result<Seen, String> {
        for channel in &self.channels {
            self.seen.readers.insert(channel.clone(), Reader::default());
        }
        let mut failed = 0;
        loop {
            let Some(mut talk) = Talk::try_open(&self.url, self.subprotocol).await else {
                failed += 1;
                if failed == TRIES {
                    return Err(format!("no line in {TRIES} tries"));
                }
                sleep(Duration::from_millis(10)).await;
                continue;
            };
            failed = 0;
            match self.follow(&mut talk).await? {
                Followed::ToTheEnd => return Ok(self.seen),
                Followed::Lost(code) => *self.seen.ended.entry(code).or_default() += 1,
                Followed::GivenUp => {}
            }
        }
    }

    async fn follow(&mut self, talk: &mut Talk) -> Result<Followed, String> {
        for reader in self.seen.readers.values_mut() {
            reader.leave();
        }
        let all = self.channels.clone();
        if talk.try_send(&self.subscribe(&all)).await.is_err() {
            return Ok(Followed::Lost(1006));
        }
        let mut next_fault = Instant::now() + self.random.milliseconds(20..600);
        let mut is_slow = false;
        loop {
            let ends = self.ends.borrow_and_update().clone();
            if ends.is_some_and(|ends| self.has_reached(&ends)) {
                return Ok(Followed::ToTheEnd);
            }
            tokio::select! {
                biased;
                () = sleep_until(next_fault), if self.drops > 0 || is_slow => {
                    next_fault = Instant::now() + self.random.milliseconds(20..600);
                    if std::mem::take(&mut is_slow) {
                        self.set(Mode::Pass);
                        continue;
                    }
                    match self.next_fault() {
                        Fault::Reset => self.set(Mode::Reset),
                        Fault::HalfOpen => {
                            self.set(Mode::Stall);
                            return Ok(Followed::GivenUp);
                        }
                        Fault::SlowReader => {
                            self.set(Mode::Drip);
                            is_slow = true;
                            next_fault = Instant::now() + self.random.milliseconds(500..2500);
                        }
                        Fault::Resubscribe => {
                            let channel = &self.channels[self.random.next() as usize % all.len()];
                            let leave = json!({ "type": "unsubscribe", "id": 2, "channel": channel });
                            // A line that is gone shows that when it is read.
                            let _ = talk.try_send(&leave).await;
                        }
                    }
                }
                _ = self.ends.changed() => {}
                came = talk.receive() => match came {
                    Err(end) => return Ok(Followed::Lost(end.code)),
                    Ok(message) => {
                        if let Some(answer) = self.take(&message)? {
                            let _ = talk.try_send(&answer).await;
                        }
                    }
                },
            }
        }
    }

    /// Deals with a message; returns what to send, if anything.
    fn take(&mut self, message: &Value) -> Result<Option<Value>, String> {
        let truth = self.truth.clone();
        let channel = message["channel"].as_str().unwrap_or_default();
        match message["type"].as_str().unwrap_or_default() {
            "welcome" => {}
            "subscribed" => {
                for (channel, outcome) in message["data"].as_object().into_iter().flatten() {
                    self.reader(channel)?.subscribed(channel, outcome, &truth)?;
                }
            }
            "unsubscribed" if message["id"] == 2 => {
                let channel = message["channels"][0].as_str().unwrap_or_default().to_owned();
                // Of two that were sent together one suffices.
                let was_live = self.reader(&channel)?.leave();
                return Ok(was_live.then(|| self.subscribe(&[channel])));
            }
            "message" => self.reader(channel)?.see(channel, message, &truth)?,
            "unrecovered" => self.reader(channel)?.unrecovered(channel, message)?,
            _ => return Err(format!("{message} was not to be expected")),
        }
        Ok(None)
    }

    fn reader(&mut self, channel: &str) -> Result<&mut Reader, String> {
        self.seen.readers.get_mut(channel).ok_or_else(|| format!("something of {channel}"))
    }

    fn subscribe(&self, channels: &[String]) -> Value {
        let channels = channels.iter().map(|channel| {
            let at = self.seen.readers[channel].at;
            json!({ "channel": channel, "position": at.map(|at| at.to_string()) })
        });
        json!({ "type": "subscribe", "id": 1, "channels": channels.collect::<Vec<_>>() })
    }

    fn has_reached(&self, ends: &BTreeMap<String, u64>) -> bool {
        let reached = |(channel, reader): (&String, &Reader)| {
            reader.at.is_some_and(|at| at.offset >= ends[channel])
        };
        self.seen.readers.iter().all(reached)
    }

    fn next_fault(&mut self) -> Fault {
        let fault = match self.random.within(0..10) {
            0..4 => Fault::Reset,
            4..6 => Fault::HalfOpen,
            6..8 => Fault::SlowReader,
            _ => return Fault::Resubscribe,
        };
        self.drops -= 1;
        self.drops_left.fetch_sub(1, Ordering::Relaxed);
        fault
    }

    fn set(&self, mode: Mode) {
        if let Some(proxy) = &self.proxy {
            proxy.set(mode);
        }
    }
}
