//! [`Streams`]: those of JetStream, made when they are first used and widened when more is to be kept.

use std::collections::HashMap;
use std::sync::Mutex;

use openline_engine::History;
use serde_json::{Map, Value, json};

use super::connection::{Connection, Failure};
use super::names::Stream;

/// How much longer than its entries the place of a channel is remembered: a reader that was away
/// longer is told `epoch`.
const IDLE_MS: u64 = 24 * 60 * 60 * 1000;

/// Keys that are remembered at most, of all channels together.
const KEYS_MAX: u64 = 10_000_000;

const NANOS: u64 = 1_000_000;

/// The streams that are known to be there.
#[derive(Debug)]
pub(super) struct Streams {
    window_ms: u64,
    /// How much each keeps, and when that was seen.
    known: Mutex<HashMap<String, Known>>,
    /// One at a time, or all that wait for one would make it.
    making: tokio::sync::Mutex<()>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    history: History,
    /// [`Connection::losses`] at that time.
    losses: u64,
    access: Access,
}

/// How messages of a stream are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Where they lie.
    Direct,
    /// From the leader: of several servers that have the stream another may not have the newest yet,
    /// and a reader that has it would be taken for one of another history.
    Leader,
}

impl Streams {
    pub(super) fn new(window_ms: u64) -> Self {
        Self { window_ms, known: Mutex::default(), making: tokio::sync::Mutex::default() }
    }

    /// Has a stream be there that keeps so much of each of its channels.
    pub(super) async fn ensure(
        &self,
        connection: &Connection,
        stream: &Stream,
        history: History,
    ) -> Result<Access, Failure> {
        connection.wait_until_up().await?;
        let losses = connection.losses();
        if let Some(access) = self.access(stream, history, losses) {
            return Ok(access);
        }
        let _one_at_a_time = self.making.lock().await;
        if let Some(access) = self.access(stream, history, losses) {
            return Ok(access);
        }
        let history = match self.known().get(&stream.name) {
            Some(known) => wider(known.history, history),
            None => history,
        };
        let wanted = self.config(stream, history);
        let what = format!("STREAM.INFO.{}", stream.name);
        let mut found = connection.api(&what, Value::Null).await;
        if found == Err(Failure::NoStream) {
            let create = format!("STREAM.CREATE.{}", stream.name);
            found = connection.api(&create, Value::Object(wanted.clone())).await;
            if let Err(Failure::Refused(why)) = found {
                // Another node may have made it meanwhile, with other limits.
                let made = connection.api(&what, Value::Null).await;
                found = made.map_err(|_| Failure::Refused(why));
            }
        }
        let info = found?;
        self.widen(connection, stream, &wanted, &info).await?;
        warn(connection, stream, &info);
        let replicas = info["config"]["num_replicas"].as_u64().unwrap_or(1);
        let access = if replicas > 1 { Access::Leader } else { Access::Direct };
        self.known().insert(stream.name.clone(), Known { history, losses, access });
        Ok(access)
    }

    /// A stream turned out not to be there.
    pub(super) fn forget(&self, stream: &Stream) {
        self.known().remove(&stream.name);
    }

    fn access(&self, stream: &Stream, history: History, losses: u64) -> Option<Access> {
        let known = *self.known().get(&stream.name)?;
        let is_wide = wider(known.history, history) == known.history;
        (known.losses == losses && is_wide).then_some(known.access)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().expect("nothing under this lock panics")
    }

    /// Of a stream that keeps so much. The place of a channel is known by its last message, so
    /// messages are kept for longer than entries are shown.
    fn config(&self, stream: &Stream, history: History) -> Map<String, Value> {
        let window = self.window_ms.max(100);
        let mut config = json!({
            "name": stream.name,
            "subjects": [stream.subjects],
            "storage": "file",
            "retention": "limits",
            "discard": "old",
            "num_replicas": 1,
            "allow_direct": true,
            "max_msgs_per_subject": 1,
            "max_msgs": KEYS_MAX,
            "max_age": window * NANOS,
            "duplicate_window": window * NANOS,
        });
        if let Some((from, to)) = &stream.live {
            let age = history.ttl_ms.saturating_add(IDLE_MS).max(window);
            config["max_msgs_per_subject"] = history.size.max(1).into();
            config["max_msgs"] = (-1).into();
            config["max_age"] = age.saturating_mul(NANOS).min(i64::MAX as u64).into();
            config["republish"] = json!({ "src": from, "dest": to });
        }
        match config {
            Value::Object(config) => config,
            _ => Map::new(),
        }
    }

    /// Changes what has to be changed; what an operator set beside stays.
    async fn widen(
        &self,
        connection: &Connection,
        stream: &Stream,
        wanted: &Map<String, Value>,
        info: &Value,
    ) -> Result<(), Failure> {
        let Value::Object(mut config) = info["config"].clone() else {
            return Err(Failure::Refused(format!("it tells no settings of {}", stream.name)));
        };
        if let Some((from, to)) = &stream.live
            && !config
                .get("republish")
                .is_some_and(|live| live["src"] == **from && live["dest"] == **to)
        {
            // Versions before 2.10 cannot change that.
            return Err(Failure::Refused(format!(
                "stream {} does not publish again on {to} what it stores on {from}; delete it, so \
                 that it is made anew",
                stream.name
            )));
        }
        let mut changed = false;
        for key in ["subjects", "allow_direct", "duplicate_window"] {
            if let Some(value) = wanted.get(key)
                && config.get(key) != Some(value)
            {
                config.insert(key.to_owned(), value.clone());
                changed = true;
            }
        }
        for key in ["max_msgs_per_subject", "max_age"] {
            let number = |config: &Map<String, Value>| {
                // Zero and less mean that there is no limit.
                config.get(key).and_then(Value::as_i64).filter(|number| *number > 0)
            };
            if let (Some(there), Some(least)) = (number(&config), number(wanted))
                && there < least
            {
                config.insert(key.to_owned(), least.into());
                changed = true;
            }
        }
        if changed {
            let what = format!("STREAM.UPDATE.{}", stream.name);
            connection.api(&what, Value::Object(config)).await?;
        }
        Ok(())
    }
}

fn warn(connection: &Connection, stream: &Stream, info: &Value) {
    let name = &stream.name;
    if info["config"]["storage"] == "memory" {
        connection.warn(format!(
            "stream {name} is kept in memory: what was acked is gone when nats-server ends; make it \
             anew with --storage file"
        ));
    }
    let replicas = info["config"]["num_replicas"].as_u64().unwrap_or(1);
    if !info["cluster"]["name"].is_null() && replicas < 3 {
        connection.warn(format!(
            "stream {name} is on {replicas} of several servers: when that one is away its channels \
             take no publications; nats stream edit {name} --replicas 3"
        ));
    }
}

fn wider(a: History, b: History) -> History {
    History { size: a.size.max(b.size), ttl_ms: a.ttl_ms.max(b.ttl_ms) }
}
