//! What is looked up when somebody reads the metrics.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::broker::BrokerHealth;
use crate::cluster::Talk;
use crate::store::{self, COMMIT_BOUNDS, State};
use crate::uploads;
use crate::webhook::Counters;

use super::families::{Family, Kind, Label, Present, Values};
use super::process::Process;
use super::text::{Samples, Text};

/// The server at a moment. Whoever answers `/metrics` fills it in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauges {
    pub(crate) version: &'static str,
    /// Clients of all transports that hold a place, and how many there may be.
    pub(crate) lines: u64,
    pub(crate) lines_max: Option<u64>,
    /// The server drains, or stops.
    pub(crate) draining: bool,
    pub(crate) config_reload_failed: bool,
    pub(crate) subscriptions: u64,
    /// Channels that have subscribers.
    pub(crate) channels: u64,
    /// Messages that wait for the threads.
    pub(crate) shard_messages_waiting: u64,
    /// How much is given up for want of memory.
    pub(crate) overload_level: u8,
    /// What that is decided by; 0 where the system does not tell.
    pub(crate) overload_used_bytes: u64,
    pub(crate) overload_bytes_max: u64,
    pub(crate) broker: BrokerHealth,
    pub(crate) history_bytes_max: Option<u64>,
    /// None without a store.
    pub(crate) store: Option<store::Health>,
    pub(crate) store_queue_bytes_max: Option<u64>,
    /// None without webhooks.
    pub(crate) webhooks: Option<Counters>,
    /// None where the broker is this node's own.
    pub(crate) cluster: Option<Talk>,
    /// None where no files are taken.
    pub(crate) uploads: Option<uploads::Counters>,
    /// When the first certificate expires; none without TLS.
    pub(crate) tls_expiry: Option<SystemTime>,
    pub(crate) process: Process,
}

/// A family, and where its samples come from.
pub(super) struct Row {
    pub(super) family: Family,
    write: fn(&Gauges, &mut Samples<'_>),
}

impl Gauges {
    pub(super) fn write(&self, text: &mut Text) {
        for row in ROWS {
            text.family(&row.family, |samples| (row.write)(self, samples));
        }
    }
}

/// A family that has one value or none, or whose samples are written by hand.
macro_rules! row {
    ($kind:ident $name:literal $present:ident $help:literal [$($label:literal: $values:expr),*]
     |$gauges:ident, $samples:ident| $write:expr) => {
        Row {
            family: Family {
                name: $name,
                kind: Kind::$kind,
                help: $help,
                labels: &[$(Label { name: $label, values: $values }),*],
                present: Present::$present,
            },
            write: |$gauges, $samples| $write,
        }
    };
    ($kind:ident $name:literal $present:ident $help:literal |$gauges:ident| $value:expr) => {
        row!($kind $name $present $help [] |$gauges, samples| {
            let value: Option<f64> = $value;
            if let Some(value) = value {
                samples.value(value);
            }
        })
    };
}

pub(super) const ROWS: &[Row] = &[
    row!(Gauge "openline_build_info" Always "Always 1; the label says which server this is."
        ["version": Values::Described("the version of the server")]
        |gauges, samples| samples.labelled(&[("version", gauges.version)], 1)),
    row!(Gauge "openline_lines" Always "Clients of all transports that hold one of the places."
        |gauges| some(gauges.lines)),
    row!(Gauge "openline_lines_max" WithLimit "Places that there are: `limits.connections`."
        |gauges| gauges.lines_max.and_then(some)),
    row!(Gauge "openline_draining" Always
        "1 while the server sends its clients elsewhere because it is about to end."
        |gauges| some(gauges.draining.into())),
    row!(Gauge "openline_config_reload_failed" Always
        "1 while the configuration that was loaded last is not in force because it was refused."
        |gauges| some(gauges.config_reload_failed.into())),
    row!(Gauge "openline_subscriptions" Always "Subscriptions of all clients."
        |gauges| some(gauges.subscriptions)),
    row!(Gauge "openline_channels" Always "Channels that have subscribers."
        |gauges| some(gauges.channels)),
    row!(Gauge "openline_shard_messages_waiting" Always
        "Messages that wait for the threads that hold the lines."
        |gauges| some(gauges.shard_messages_waiting)),
    row!(Gauge "openline_overload_level" Always
        "What is given up for want of memory: 0 nothing, 1 compression of new lines, 2 new lines and the \
         oldest history, 3 lines that do not keep up, 4 publications."
        |gauges| some(gauges.overload_level.into())),
    row!(Gauge "openline_overload_memory_bytes" WithProc "Memory in use, as the level is decided by."
        |gauges| told(gauges.overload_used_bytes)),
    row!(Gauge "openline_overload_memory_bytes_max" WithProc
        "Memory that there is for it: of `overload.memory`, the machine and the control groups, what is \
         nearest to full."
        |gauges| told(gauges.overload_bytes_max)),
    row!(Gauge "openline_broker_up" Always
        "1 while publications are taken, 0 while they are refused."
        |gauges| some(gauges.broker.ailment.is_none().into())),
    row!(Gauge "openline_tls_certificate_expiry_seconds" WithTls
        "When the first of the certificates in use expires, in seconds since 1970."
        |gauges| gauges.tls_expiry.and_then(unix_seconds)),
    row!(Gauge "openline_history_channels" Always "Channels whose history is kept."
        |gauges| some(gauges.broker.channels as u64)),
    row!(Gauge "openline_history_entries" Always "Publications that are kept."
        |gauges| some(gauges.broker.entries as u64)),
    row!(Gauge "openline_history_bytes" Always "Memory that they take."
        |gauges| some(gauges.broker.bytes as u64)),
    row!(Gauge "openline_history_bytes_max" WithLimit
        "Memory that they may take; beyond it the oldest are forgotten."
        |gauges| gauges.history_bytes_max.and_then(some)),
    row!(Gauge "openline_store_ok" WithStore "1 while the store takes records."
        |gauges| in_store(gauges, |store| (store.state == State::Ok).into())),
    row!(Gauge "openline_store_damaged" WithStore
        "1 when a file of the store does not read back and is kept as it is, for the next start to \
         set aside."
        |gauges| in_store(gauges, |store| store.damage.is_some().into())),
    row!(Gauge "openline_store_queued_records" WithStore "Records that wait for the disk."
        |gauges| in_store(gauges, |store| store.queued_records)),
    row!(Gauge "openline_store_queued_bytes" WithStore "Their bytes."
        |gauges| in_store(gauges, |store| store.queued_bytes)),
    row!(Gauge "openline_store_queued_bytes_max" WithStore
        "Bytes that may wait; beyond it publications are refused as `overloaded`."
        |gauges| gauges.store_queue_bytes_max.and_then(some)),
    row!(Gauge "openline_store_records" WithStore "Records that are kept."
        |gauges| in_store(gauges, |store| store.records)),
    row!(Gauge "openline_store_disk_bytes" WithStore "Bytes of the store's files."
        |gauges| in_store(gauges, |store| store.disk_bytes)),
    row!(Counter "openline_store_written_records_total" WithStore "Records written."
        |gauges| in_store(gauges, |store| store.records_written)),
    row!(Counter "openline_store_written_bytes_total" WithStore
        "Bytes written, for records and for upkeep."
        |gauges| in_store(gauges, |store| store.bytes_written)),
    row!(Histogram "openline_store_commit_seconds" WithStore
    "How long a commit took, which is a write and, at level `fsync`, a sync."
    [] |gauges, samples| if let Some(store) = &gauges.store {
        samples.histogram(COMMIT_BOUNDS, &store.commit_times, store.commit_time_sum);
    }),
    row!(Gauge "openline_webhook_events_queued" WithWebhooks
        "Events that wait to be sent to the backend."
        |gauges| in_webhooks(gauges, |webhooks| webhooks.queued as u64)),
    row!(Gauge "openline_webhook_events_sending" WithWebhooks
        "Events that are being sent or wait to be sent again."
        |gauges| in_webhooks(gauges, |webhooks| webhooks.sending)),
    row!(Counter "openline_webhook_events_delivered_total" WithWebhooks
        "Events that the backend took."
        |gauges| in_webhooks(gauges, |webhooks| webhooks.delivered)),
    row!(Counter "openline_webhook_events_dropped_total" WithWebhooks
    "Events given up: pushed out of a full queue, or refused, sent too often or left at the end."
    ["reason": Values::Of(&["overflow", "failed"])]
    |gauges, samples| if let Some(webhooks) = &gauges.webhooks {
        samples.labelled(&[("reason", "overflow")], webhooks.dropped_overflow);
        samples.labelled(&[("reason", "failed")], webhooks.dropped_failed);
    }),
    row!(Counter "openline_webhook_posts_total" WithWebhooks "Posts of events."
        |gauges| in_webhooks(gauges, |webhooks| webhooks.attempts)),
    row!(Counter "openline_webhook_retries_total" WithWebhooks
        "How many of them repeated an earlier one."
        |gauges| in_webhooks(gauges, |webhooks| webhooks.retries)),
    row!(Gauge "openline_webhook_questions" WithWebhooks
        "Questions that the backend has not answered yet."
        |gauges| in_webhooks(gauges, |webhooks| webhooks.deciding)),
    row!(Counter "openline_webhook_decisions_total" WithWebhooks
    "Questions by what they were about and how they ended; `failed` is without an answer."
    ["kind": Values::Of(&["connect", "subscribe", "publish", "request"]),
     "result": Values::Of(&["allowed", "denied", "failed"])]
    |gauges, samples| if let Some(webhooks) = &gauges.webhooks {
        decisions(webhooks, samples);
    }),
    row!(Gauge "openline_nodes" WithCluster
        "Nodes that share the broker, as far as this one hears of them, and itself."
        |gauges| in_cluster(gauges, |talk| talk.nodes)),
    row!(Counter "openline_cluster_messages_total" WithCluster
    "What nodes say to each other beside publications."
    ["direction": Values::Of(&["sent", "received"])]
    |gauges, samples| if let Some(talk) = &gauges.cluster {
        samples.labelled(&[("direction", "sent")], talk.sent);
        samples.labelled(&[("direction", "received")], talk.received);
    }),
    row!(Counter "openline_cluster_unknown_total" WithCluster
        "How much of that this node did not understand: other versions of the server, or a broker that \
         is not theirs alone."
        |gauges| in_cluster(gauges, |talk| talk.unknown)),
    row!(Counter "openline_cluster_unsaid_total" WithCluster
        "What was not said because it was longer than a message may be."
        |gauges| in_cluster(gauges, |talk| talk.unsaid)),
    row!(Gauge "openline_uploads_open" WithUploads "Files that are not complete."
        |gauges| in_uploads(gauges, |uploads| uploads.open)),
    row!(Gauge "openline_uploads_bytes" WithUploads
        "What all files count for, unfinished ones with the size that they were announced with."
        |gauges| in_uploads(gauges, |uploads| uploads.bytes)),
    row!(Gauge "openline_uploads_bytes_max" WithUploads
        "What they may count for: `uploads.total_max`."
        |gauges| in_uploads(gauges, |uploads| uploads.bytes_max)),
    row!(Counter "openline_uploads_started_total" WithUploads "Files that clients began to send."
        |gauges| in_uploads(gauges, |uploads| uploads.started)),
    row!(Counter "openline_uploads_ended_total" WithUploads
    "Files that are not sent any more: complete, given up by the client, beyond `uploads.resume`, or \
     broken."
    ["result": Values::Of(&["completed", "cancelled", "expired", "failed"])]
    |gauges, samples| if let Some(uploads) = &gauges.uploads {
        samples.labelled(&[("result", "completed")], uploads.completed);
        samples.labelled(&[("result", "cancelled")], uploads.cancelled);
        samples.labelled(&[("result", "expired")], uploads.expired);
        samples.labelled(&[("result", "failed")], uploads.failed);
    }),
    row!(Counter "openline_uploads_received_bytes_total" WithUploads "Bytes of files stored."
        |gauges| in_uploads(gauges, |uploads| uploads.received_bytes)),
    row!(Counter "process_cpu_seconds_total" WithProc "Processor time that the server has used."
        |gauges| gauges.process.cpu_seconds),
    row!(Gauge "process_resident_memory_bytes" WithProc "Memory that it takes."
        |gauges| gauges.process.resident_bytes.and_then(some)),
    row!(Gauge "process_threads" WithProc "Threads that it has."
        |gauges| gauges.process.threads.and_then(some)),
    row!(Gauge "process_open_fds" WithProc "File descriptors that are open; each line is one."
        |gauges| gauges.process.open_fds.and_then(some)),
    row!(Gauge "process_max_fds" WithProc "File descriptors that may be open."
        |gauges| gauges.process.max_fds.and_then(some)),
    row!(Gauge "process_start_time_seconds" WithProc "When it started, in seconds since 1970."
        |gauges| gauges.process.start_time_seconds),
];

fn decisions(webhooks: &Counters, samples: &mut Samples<'_>) {
    let kinds = [
        ("connect", webhooks.connect),
        ("subscribe", webhooks.subscribe),
        ("publish", webhooks.publish),
        ("request", webhooks.request),
    ];
    for (kind, decisions) in kinds {
        let results = [
            ("allowed", decisions.allowed),
            ("denied", decisions.denied),
            ("failed", decisions.failed),
        ];
        for (result, count) in results {
            samples.labelled(&[("kind", kind), ("result", result)], count);
        }
    }
}

fn in_store(gauges: &Gauges, value: fn(&store::Health) -> u64) -> Option<f64> {
    gauges.store.as_ref().map(value).and_then(some)
}

fn in_webhooks(gauges: &Gauges, value: fn(&Counters) -> u64) -> Option<f64> {
    gauges.webhooks.as_ref().map(value).and_then(some)
}

fn in_cluster(gauges: &Gauges, value: fn(&Talk) -> u64) -> Option<f64> {
    gauges.cluster.as_ref().map(value).and_then(some)
}

fn in_uploads(gauges: &Gauges, value: fn(&uploads::Counters) -> u64) -> Option<f64> {
    gauges.uploads.as_ref().map(value).and_then(some)
}

/// What the system does not tell is 0.
fn told(value: u64) -> Option<f64> {
    (value != 0).then_some(value).and_then(some)
}

/// The format knows no other numbers than these.
fn unix_seconds(at: SystemTime) -> Option<f64> {
    at.duration_since(UNIX_EPOCH).ok().and_then(|since| some(since.as_secs()))
}

fn some(value: u64) -> Option<f64> {
    Some(value as f64)
}
