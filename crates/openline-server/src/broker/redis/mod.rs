//! [`RedisBackend`]: channels that several nodes share, in a Redis.
//!
//! What Redis does for a publication it does in one script: is it a retry, which place does it get,
//! append, trim, hand on. What a reader gets is decided by [`Excerpt`], from what one script reads.
//!
//! *Invariant:* a channel's entries, its head and its epoch are written in one step, so a Redis that
//! goes back to an earlier state goes back with all of them, and the chain of tags shows it.

mod commands;
mod entry;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod inspection;
mod names;
mod scripts;
mod session;
#[cfg(test)]
pub(in crate::broker) mod testing;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use openline_engine::{Draft, Excerpt, Extent, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Reason};
use redis::aio::MultiplexedConnection;
use redis::{Value, cmd};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::shared::{Backend, Report};
use super::{BrokerError, NodeId, Published};
use crate::config;
use crate::node::StartError;
use commands::{Asker, Commands, Queue};
use entry::unexpected;
use names::Names;
use scripts::Script;
use session::Connector;

/// Between tries to connect.
const DELAY_MIN: Duration = Duration::from_millis(20);
const DELAY_MAX: Duration = Duration::from_secs(1);

/// A session that lasted as long was one: the next try does not have to wait.
const LASTING: Duration = Duration::from_secs(5);

/// Subscribed to together.
const TOPICS_TOGETHER: usize = 500;

/// Offsets beyond it are beyond every stream; scripts count exactly up to here.
const OFFSET_MAX: u64 = 1 << 53;

/// A Redis.
pub(crate) struct RedisBackend {
    node: NodeId,
    window_ms: u64,
    timeout: Duration,
    names: Names,
    asker: Asker,
    state: Arc<State>,
    /// Until it is started.
    parts: Mutex<Option<(Connector, Queue)>>,
    task: Mutex<Option<AbortHandle>>,
}

/// What there is of a connection now.
#[derive(Default)]
struct State {
    topics: Mutex<Option<MultiplexedConnection>>,
    warnings: Mutex<Warnings>,
}

#[derive(Default)]
struct Warnings {
    new: Vec<String>,
    said: HashSet<String>,
}

impl RedisBackend {
    /// A Redis that is not connected to yet. Keys are remembered for `window_ms`.
    ///
    /// # Errors
    /// When the settings say what cannot be done.
    pub(crate) fn new(
        settings: &config::Broker,
        node: NodeId,
        window_ms: u64,
    ) -> Result<Self, StartError> {
        let connector = Connector::new(settings, node)?;
        let (asker, queue) = Asker::new(settings.timeout);
        Ok(Self {
            node,
            window_ms,
            timeout: settings.timeout,
            names: connector.names().clone(),
            asker,
            state: Arc::default(),
            parts: Mutex::new(Some((connector, queue))),
            task: Mutex::default(),
        })
    }

    /// What one question needs of a channel. None if something there was not written by this version
    /// or an earlier one.
    async fn read(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Result<Option<Excerpt>, BrokerError> {
        let number = |number: Option<u64>| number.map(|number| number.min(OFFSET_MAX).to_string());
        let offset = |at: Option<Position>| number(at.map(|at| at.offset)).unwrap_or_default();
        let most = query.limit.unwrap_or(usize::MAX).min(limits.publications_max);
        let mut command = Script::Read.run(&self.names.keys(channel).keys);
        command
            .arg(&new_epoch())
            .arg(offset(query.since))
            .arg(offset(query.before))
            .arg(number(query.since_time).unwrap_or_default())
            .arg(u8::from(query.is_forward()))
            .arg(most)
            .arg(limits.bytes_max);
        let answer = self.asker.ask(command, channel).await?;
        let Value::Array(parts) = answer else { return Err(unexpected()) };
        let Ok([head, gone, next, at_before, entries]) = <[Value; 5]>::try_from(parts) else {
            return Err(unexpected());
        };
        let (Some(head), Value::Array(entries)) = (position(&head), entries) else {
            return Err(unexpected());
        };
        let gone = match gone {
            Value::BulkString(gone) if gone == b"x" => Reason::Expired,
            _ => Reason::Trimmed,
        };
        let entry = |value: &Value| match value {
            Value::BulkString(message) => entry::entry_of(channel, message).map(Some),
            _ => Some(None),
        };
        let entries: Option<Vec<_>> = entries.iter().map(|value| entry(value).flatten()).collect();
        let (Some(next), Some(at_before), Some(entries)) =
            (entry(&next), entry(&at_before), entries)
        else {
            return Ok(None);
        };
        Ok(Some(Excerpt { head, gone, next, at_before, entries }))
    }
}

impl Backend for RedisBackend {
    fn start(&self, reports: mpsc::UnboundedSender<Report>) {
        let Some((connector, queue)) = lock(&self.parts).take() else { return };
        let commands = Commands::new(queue, connector.timeout());
        let task = tokio::spawn(supervise(connector, commands, self.state.clone(), reports));
        *lock(&self.task) = Some(task.abort_handle());
    }

    async fn publish(
        &self,
        draft: Draft,
        except: Option<Arc<str>>,
    ) -> Result<Published, BrokerError> {
        let mut keys = self.names.keys(&draft.channel);
        if let Some(key) = &draft.key {
            keys = keys.with(key);
        }
        let mut command = Script::Publish.run(&keys.keys);
        command
            .arg(draft.history.size)
            .arg(draft.history.ttl_ms)
            .arg(&keys.topic)
            .arg(draft.data.len())
            .arg(entry::record(&draft, except.as_deref()))
            .arg(&new_epoch())
            .arg(&rand::random::<u64>().to_be_bytes())
            .arg(self.window_ms);
        if draft.key.is_some() {
            command.arg(&entry::fingerprint(&draft));
        }
        let answer = self.asker.ask(command, &draft.channel).await?;
        let Value::Array(parts) = answer else { return Err(unexpected()) };
        match &parts[..] {
            [Value::Int(3), Value::Int(age)] => {
                let key = draft.key.unwrap_or_default().to_string();
                let age_ms = u64::try_from(*age).unwrap_or(0);
                Err(BrokerError::Conflict { key, age_ms })
            }
            [Value::Int(kind), Value::Int(timestamp), place] => Ok(Published {
                position: position(place),
                timestamp: u64::try_from(*timestamp).map_err(|_| unexpected())?,
                duplicate: *kind == 2,
            }),
            _ => Err(unexpected()),
        }
    }

    async fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> Result<Recovery, BrokerError> {
        let query = Query { since: Some(since), ..Query::default() };
        match self.read(channel, &query, limits).await? {
            Some(excerpt) => Ok(excerpt.recover(since, limits)),
            None => {
                let none = PageLimits { publications_max: 0, bytes_max: 0 };
                let head = self.read(channel, &Query::default(), &none).await?;
                let head = head.map_or(since, |excerpt| excerpt.head);
                Ok(Recovery { missed: Err(Reason::Storage), head })
            }
        }
    }

    async fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Result<Result<Page, Reason>, BrokerError> {
        let excerpt = self.read(channel, query, limits).await?;
        Ok(excerpt.ok_or(Reason::Storage).and_then(|excerpt| excerpt.query(query, limits)))
    }

    async fn heads(&self, channels: &[ChannelName]) -> Result<Vec<Option<Position>>, BrokerError> {
        let ask = |channel: &ChannelName| {
            let keys = self.names.keys(channel).keys;
            self.asker.ask(Script::Head.run(&keys[..1]), channel)
        };
        // All are on their way before the first is waited for.
        let answers: Vec<_> = channels.iter().map(ask).collect();
        let mut heads = Vec::with_capacity(channels.len());
        for answer in answers {
            heads.push(position(&answer.await?));
        }
        Ok(heads)
    }

    async fn extent(&self, channel: &ChannelName) -> Result<Option<Extent>, BrokerError> {
        let command = Script::Extent.run(&self.names.keys(channel).keys);
        let parts = match self.asker.ask(command, channel).await? {
            Value::Nil => return Ok(None),
            Value::Array(parts) => parts,
            _ => return Err(unexpected()),
        };
        let [head, Value::Int(entries), Value::Int(bytes), newest] = &parts[..] else {
            return Err(unexpected());
        };
        let newest = match newest {
            Value::Int(newest) => u64::try_from(*newest).ok(),
            _ => None,
        };
        Ok(Some(Extent {
            entries: usize::try_from(*entries).map_err(|_| unexpected())?,
            bytes: usize::try_from(*bytes).map_err(|_| unexpected())?,
            head: position(head).ok_or_else(unexpected)?,
            newest_ms: newest,
        }))
    }

    async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        let command = Script::Clear.run(&self.names.keys(channel).keys);
        self.asker.ask(command, channel).await.map(|_| ())
    }

    async fn subscribe(&self, channels: &[ChannelName]) -> Result<(), BrokerError> {
        let topics = lock(&self.state.topics).clone();
        let mut topics = topics.ok_or(BrokerError::Unavailable)?;
        for channels in channels.chunks(TOPICS_TOGETHER) {
            let names: Vec<_> = channels.iter().map(|channel| self.names.topic(channel)).collect();
            let subscribed = tokio::time::timeout(self.timeout, topics.subscribe(&names)).await;
            if !matches!(subscribed, Ok(Ok(()))) {
                return Err(BrokerError::Unavailable);
            }
        }
        Ok(())
    }

    async fn unsubscribe(&self, channels: &[ChannelName]) {
        let topics = lock(&self.state.topics).clone();
        let Some(mut topics) = topics else { return };
        for channels in channels.chunks(TOPICS_TOGETHER) {
            let names: Vec<_> = channels.iter().map(|channel| self.names.topic(channel)).collect();
            // Without a connection there are no subscriptions.
            let _ = tokio::time::timeout(self.timeout, topics.unsubscribe(&names)).await;
        }
    }

    async fn emit(&self, channel: &ChannelName, said: Bytes) {
        self.say(self.names.topic(channel), entry::emitted(self.node, &said));
    }

    async fn cast(&self, said: Bytes) {
        self.say(self.names.nodes(), entry::told(self.node, &said));
    }

    async fn tell(&self, node: NodeId, said: Bytes) {
        self.say(self.names.node(node), entry::told(self.node, &said));
    }

    fn warnings(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state.warnings).new)
    }
}

impl RedisBackend {
    fn say(&self, topic: String, message: Vec<u8>) {
        let mut command = cmd("PUBLISH");
        command.arg(topic).arg(message);
        self.asker.say(command);
    }
}

impl Drop for RedisBackend {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}

/// Connects, and again, for as long as somebody listens.
async fn supervise(
    connector: Connector,
    mut commands: Commands,
    state: Arc<State>,
    reports: mpsc::UnboundedSender<Report>,
) {
    let mut delay = DELAY_MIN;
    let mut said = String::new();
    while !reports.is_closed() {
        let connected = tokio::select! {
            connected = connector.connect(&reports) => connected,
            () = commands.wait() => continue,
        };
        let why = match connected {
            Ok(session) => {
                state.warn(session.inspection.warnings());
                *lock(&state.topics) = Some(session.topics.clone());
                let _ = reports.send(Report::Up);
                said.clear();
                let since = Instant::now();
                let why = commands.serve(&session.commands, session.broken()).await;
                *lock(&state.topics) = None;
                session.silence();
                if since.elapsed() >= LASTING {
                    delay = DELAY_MIN;
                }
                why
            }
            Err(why) => why,
        };
        // Once, as long as it is the same.
        if why != said {
            let _ = reports.send(Report::Down(why.clone()));
            said = why;
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = commands.wait() => {}
        }
        delay = (delay * 2).min(DELAY_MAX);
    }
}

impl State {
    fn warn(&self, warnings: Vec<String>) {
        let mut known = lock(&self.warnings);
        for warning in warnings {
            if known.said.insert(warning.clone()) {
                known.new.push(warning);
            }
        }
    }
}

/// Names a stream, should one begin.
fn new_epoch() -> [u8; 4] {
    rand::random::<u32>().to_be_bytes()
}

fn position(value: &Value) -> Option<Position> {
    match value {
        Value::BulkString(bytes) => entry::position(bytes),
        _ => None,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
