//! [`Writers`]: what is published on channels with history, in one order for each.
//!
//! A channel that is busy has a task, which knows the channel's last message. What waits while one
//! message is on its way goes together as the next. A message is stored only behind the one that it
//! follows on; where another node was first, the task looks where the channel is now and tries again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_engine::{Draft, History};
use openline_protocol::{ChannelName, Position};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use super::connection::{Ack, Failure};
use super::keys::{self, Found, Lookup};
use super::names::message_id;
use super::read::Reader;
use super::wire::{Batch, Entry};
use crate::broker::{BrokerError, Published};

/// What may wait on one channel.
const WAITING_MAX: usize = 10_000;

/// Bytes that may wait on all channels.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// What goes together at most.
const TOGETHER_MAX: usize = 128;
const TOGETHER_BYTES_MAX: usize = 128 << 10;

/// How long the task of a channel waits for more.
const IDLE: Duration = Duration::from_secs(30);

/// How often it is tried to be first; each try but the last is after a pause.
const TRIES: u32 = 100;

const PAUSE: Duration = Duration::from_micros(200);
const PAUSE_MAX: Duration = Duration::from_millis(10);

/// What a publication takes beside its data, about.
const ENTRY_BYTES: usize = 200;

const NOTHING: History = History { size: 0, ttl_ms: 0 };

/// The channels that are busy.
#[derive(Default)]
pub(super) struct Writers {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    channels: HashMap<ChannelName, Queue>,
    bytes: usize,
}

/// What waits on one channel.
#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    more: Arc<Notify>,
}

/// Something to be published.
struct Job {
    draft: Draft,
    except: Option<Arc<str>>,
    /// Whether its key was used, where that is asked already.
    lookup: Option<Lookup>,
    /// Nobody waits for the answer any more.
    until: Instant,
    answer: oneshot::Sender<Result<Published, BrokerError>>,
}

/// The task of one channel.
struct Writer {
    shared: Arc<Shared>,
    channel: ChannelName,
    more: Arc<Notify>,
    place: Option<Place>,
}

/// Where a channel is.
#[derive(Debug, Clone, Copy)]
struct Place {
    head: Position,
    /// Of its last message; 0 if there is none.
    sequence: u64,
    newest_ms: u64,
    /// How often the connection had been lost: a server that comes back may have forgotten.
    losses: u64,
}

/// What was stored, or is stored already.
struct Appended {
    batch: Batch,
    ack: Ack,
}

impl Shared {
    /// Queues a draft; its place among those of its channel is decided here.
    pub(super) fn enqueue(
        self: &Arc<Self>,
        draft: Draft,
        except: Option<Arc<str>>,
    ) -> Result<oneshot::Receiver<Result<Published, BrokerError>>, BrokerError> {
        let (channel, bytes) = (draft.channel.clone(), cost(&draft));
        let (answer, answered) = oneshot::channel();
        let mut waiting = self.writers.lock();
        if waiting.bytes + bytes > WAITING_BYTES_MAX {
            return Err(BrokerError::Overloaded);
        }
        let queue = waiting.channels.entry(channel.clone()).or_insert_with(|| {
            let more = Arc::new(Notify::new());
            let shared = self.clone();
            let writer =
                Writer { shared, channel: channel.clone(), more: more.clone(), place: None };
            tokio::spawn(writer.run());
            Queue { jobs: VecDeque::new(), more }
        });
        if queue.jobs.len() >= WAITING_MAX {
            return Err(BrokerError::Overloaded);
        }
        let lookup = draft.key.as_ref().map(|key| keys::look_up(self, &channel, key));
        let until = Instant::now() + self.connection.timeout();
        queue.jobs.push_back(Job { draft, except, lookup, until, answer });
        queue.more.notify_one();
        waiting.bytes += bytes;
        Ok(answered)
    }
}

impl Writers {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing under this lock panics")
    }
}

impl Writer {
    async fn run(mut self) {
        loop {
            while let Some(jobs) = self.take() {
                self.write(jobs).await;
            }
            if timeout(IDLE, self.more.notified()).await.is_err() && self.is_done() {
                return;
            }
        }
    }

    /// Whether nothing waits; the next draft then starts another task.
    fn is_done(&self) -> bool {
        let mut waiting = self.shared.writers.lock();
        let is_done = waiting.channels.get(&self.channel).is_none_or(|queue| queue.jobs.is_empty());
        if is_done {
            waiting.channels.remove(&self.channel);
        }
        is_done
    }

    /// What goes together next. Nothing with a key goes with others: a message has one id.
    fn take(&self) -> Option<Vec<Job>> {
        let mut waiting = self.shared.writers.lock();
        let Waiting { channels, bytes: all_bytes } = &mut *waiting;
        let jobs = &mut channels.get_mut(&self.channel)?.jobs;
        let bytes_max = TOGETHER_BYTES_MAX.min(self.shared.connection.payload_max() / 2);
        let now = Instant::now();
        let mut together = Vec::new();
        let mut bytes = 0;
        while let Some(job) = jobs.front() {
            let cost = cost(&job.draft);
            let fits = together.len() < TOGETHER_MAX && bytes + cost <= bytes_max;
            let is_alone = job.draft.key.is_some();
            if !together.is_empty() && (is_alone || !fits) {
                break;
            }
            let Some(job) = jobs.pop_front() else { break };
            *all_bytes -= cost;
            if job.until <= now {
                // It was answered as unavailable already; so it is not.
                continue;
            }
            bytes += cost;
            together.push(job);
            if is_alone {
                break;
            }
        }
        (!together.is_empty()).then_some(together)
    }

    async fn write(&mut self, mut jobs: Vec<Job>) {
        if let Some(lookup) = jobs.first_mut().and_then(|job| job.lookup.take()) {
            return self.write_keyed(jobs, lookup).await;
        }
        match self.append(&jobs, None).await {
            Ok(appended) => {
                for (job, entry) in jobs.into_iter().zip(&appended.batch.entries) {
                    let _ = job.answer.send(Ok(Published::first(&entry.publication)));
                }
            }
            Err(failure) => fail(jobs, &failure),
        }
    }

    /// Publishes what has a key, alone.
    async fn write_keyed(&mut self, jobs: Vec<Job>, lookup: Lookup) {
        let found = lookup.await.unwrap_or(Err(Failure::Unavailable));
        let appended = match found {
            Err(failure) => Err(failure),
            Ok(Found { remembered: Some(used), .. }) => {
                return answer_all(jobs, |job| used.answer(&self.shared, &job.draft));
            }
            Ok(Found { sequence, remembered: None }) => {
                let key = jobs.first().and_then(|job| job.draft.key.clone()).unwrap_or_default();
                self.append(&jobs, Some(&message_id(&self.channel, &key, sequence))).await
            }
        };
        match appended {
            Err(failure) => fail(jobs, &failure),
            // The rest is no matter of the order: the next goes on meanwhile.
            Ok(appended) => {
                let (shared, channel) = (self.shared.clone(), self.channel.clone());
                tokio::spawn(async move {
                    for job in jobs {
                        let entry = appended.batch.entries.first();
                        let answer = match entry {
                            Some(entry) if !appended.ack.duplicate => {
                                keys::remember(&shared, entry).await;
                                Ok(Published::first(&entry.publication))
                            }
                            _ => {
                                let first = appended.ack.sequence;
                                keys::repeated(&shared, &channel, &job.draft, first).await
                            }
                        };
                        let _ = job.answer.send(answer);
                    }
                });
            }
        }
    }

    /// Stores drafts behind what the channel has, as one message.
    async fn append(&mut self, jobs: &[Job], id: Option<&str>) -> Result<Appended, Failure> {
        let history = jobs.last().map_or(NOTHING, |job| job.draft.history);
        for tried in 0..TRIES {
            self.pause(tried).await;
            if jobs.iter().all(|job| job.until <= Instant::now()) {
                break;
            }
            let place = self.place(history).await?;
            let batch = self.batch(jobs, &place, history);
            let (subject, payload) = (self.shared.names.stored(&self.channel), batch.to_bytes());
            let connection = &self.shared.connection;
            match connection.store(subject, payload, Some(place.sequence), id).await {
                Ok(ack) => {
                    if !ack.duplicate {
                        let newest_ms = batch.newest_ms();
                        let (head, sequence) = (batch.head, ack.sequence);
                        self.place = Some(Place { head, sequence, newest_ms, ..place });
                    }
                    return Ok(Appended { batch, ack });
                }
                Err(Failure::WrongSequence) => self.place = None,
                Err(Failure::NoStream) => {
                    self.place = None;
                    self.shared.streams.forget(&self.shared.names.stream(&self.channel));
                }
                Err(failure) => {
                    self.place = None;
                    return Err(failure);
                }
            }
        }
        Err(Failure::Unavailable)
    }

    /// Two nodes that try to be first again and again are to meet less and less.
    async fn pause(&self, tried: u32) {
        if tried > 1 {
            let most = (PAUSE * tried).min(PAUSE_MAX);
            sleep(most.mul_f64(rand::random::<f64>())).await;
        }
    }

    /// Where the channel is, as far as is known; if another node was there since, storing will tell.
    async fn place(&mut self, history: History) -> Result<Place, Failure> {
        let connection = &self.shared.connection;
        let losses = connection.losses();
        let stream = self.shared.names.stream(&self.channel);
        self.shared.streams.ensure(connection, &stream, history).await?;
        if let Some(place) = self.place.filter(|place| place.losses == losses) {
            return Ok(place);
        }
        let last = Reader::new(&self.shared, &self.channel).await?.last().await?;
        Ok(match last {
            Some((sequence, batch)) => {
                Place { head: batch.head, sequence, newest_ms: batch.newest_ms(), losses }
            }
            None => {
                let head = Position { epoch: rand::random(), offset: 0, tag: 0 };
                Place { head, sequence: 0, newest_ms: 0, losses }
            }
        })
    }

    fn batch(&self, jobs: &[Job], place: &Place, history: History) -> Batch {
        // Another node's clock may be ahead; the times of a channel do not go back.
        let now = self.shared.clock.now_ms().max(place.newest_ms);
        let mut head = place.head;
        let entry = |job: &Job| {
            let prev_tag = head.tag;
            head = Position { offset: head.offset + 1, tag: rand::random(), ..head };
            Entry::new(job.draft.clone(), job.except.clone(), Some(head), prev_tag, now)
        };
        let entries = jobs.iter().map(entry).collect();
        Batch { head, history, before: place.sequence, entries }
    }
}

fn answer_all(jobs: Vec<Job>, answer: impl Fn(&Job) -> Result<Published, BrokerError>) {
    for job in jobs {
        let answer = answer(&job);
        let _ = job.answer.send(answer);
    }
}

fn fail(jobs: Vec<Job>, failure: &Failure) {
    answer_all(jobs, |_| Err(failure.clone().into()));
}

fn cost(draft: &Draft) -> usize {
    let event = draft.event.as_ref().map_or(0, |event| event.len());
    draft.data.len() + event + ENTRY_BYTES
}
