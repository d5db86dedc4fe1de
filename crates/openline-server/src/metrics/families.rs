//! The table of metrics: their names, what they mean, and all values that their labels can have.

use openline_protocol::{ErrorCode, Reason, close};

/// Metrics of one name.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    pub(super) labels: &'static [Label],
    #[cfg_attr(not(test), expect(dead_code, reason = "docs/metrics.md is held to it"))]
    pub(super) present: Present,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// When a family is there. It is never a matter of what clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Present {
    Always,
    /// Where history is kept in the data directory.
    WithStore,
    /// Where webhooks are configured.
    WithWebhooks,
    /// Where files are taken.
    WithUploads,
    /// Where nodes share a broker.
    WithCluster,
    /// Where the server speaks TLS and has a certificate.
    WithTls,
    /// Where the limit is set.
    WithLimit,
    /// Where the system tells it: on Linux.
    WithProc,
}

pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) values: Values,
}

/// What a label can say. Nothing that a client sends is ever a value.
#[derive(Clone, Copy)]
pub(super) enum Values {
    Of(&'static [&'static str]),
    /// Names that stand in the program; said in words.
    Described(
        #[cfg_attr(not(test), expect(dead_code, reason = "docs/metrics.md is held to it"))]
        &'static str,
    ),
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Upper bounds of the buckets of [`DELIVERY_LATENCY`]; a last one takes the rest.
pub(super) const LATENCY_BOUNDS_MS: [u64; 13] =
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];

/// What stands for all that has no name of its own.
pub(super) const OTHER: &str = "other";

pub(super) const TRANSPORTS: [&str; 6] =
    ["websocket", "sse", "poll", "engine_polling", "engine_websocket", "socketio"];

pub(super) const COMMANDS: [&str; 14] = [
    "auth",
    "subscribe",
    "unsubscribe",
    "publish",
    "presence",
    "history",
    "setPresence",
    "typing",
    "ping",
    "upload",
    "chunk",
    "complete",
    "cancel",
    OTHER,
];

pub(super) const PUBLISHED: [&str; 9] = [
    "accepted",
    "duplicate",
    "conflict",
    "overloaded",
    "storage_full",
    "storage_failed",
    "unavailable",
    "channel_limit",
    "handed_over",
];

/// In the order of [`Handshake`](super::Handshake).
const HANDSHAKES: [&str; 6] =
    ["done", "failed", "timeout", "no_place", "no_certificate", "challenge"];

/// Why connections are not accepted, as [`AcceptError`](crate::accept::AcceptError).
pub(super) const ACCEPT_ERRORS: [&str; 4] = ["aborted", "descriptors", "memory", "other"];

/// What becomes of a request that is handed over: answered, or else as
/// [`NotAnswered`](crate::cluster::NotAnswered).
pub(super) const FORWARDED: [&str; 4] = ["answered", "gone", "overloaded", "lost"];

/// The codes that a line can end with, as they stand in the label. `none` ended without one.
pub(super) const CLOSE_CODES: [(Option<u16>, &str); 25] = [
    (None, "none"),
    (Some(close::NORMAL), "1000"),
    (Some(close::GOING_AWAY), "1001"),
    (Some(close::PROTOCOL_ERROR), "1002"),
    (Some(close::UNSUPPORTED_DATA), "1003"),
    // RFC 6455 section 7.4.1: told by the own side alone, never sent.
    (Some(1005), "1005"),
    (Some(1006), "1006"),
    (Some(close::INVALID_DATA), "1007"),
    (Some(close::POLICY_VIOLATION), "1008"),
    (Some(close::MESSAGE_TOO_BIG), "1009"),
    (Some(close::EXTENSION_REQUIRED), "1010"),
    (Some(close::INTERNAL_ERROR), "1011"),
    (Some(close::SERVICE_RESTART), "1012"),
    (Some(close::TRY_AGAIN_LATER), "1013"),
    (Some(1014), "1014"),
    (Some(1015), "1015"),
    (Some(close::SESSION_EXPIRED), "4000"),
    (Some(close::DUPLICATE), "4001"),
    (Some(close::INVALID_AUTH), "4002"),
    (Some(close::RATE_LIMITED), "4003"),
    (Some(close::MAINTENANCE), "4004"),
    (Some(close::KICKED), "4005"),
    (Some(close::SLOW_CONSUMER), "4006"),
    (Some(close::NO_AUTHENTICATION), "4007"),
    // Last: what is looked up and not found is this.
    (Some(0), OTHER),
];

const CLOSE_CODE_NAMES: [&str; CLOSE_CODES.len()] = {
    let mut names = [""; CLOSE_CODES.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = CLOSE_CODES[index].1;
        index += 1;
    }
    names
};

/// In the order of [`ErrorCode::ALL`], and `other`.
pub(super) const ERROR_CODES: [&str; ErrorCode::ALL.len() + 1] = {
    let mut names = [OTHER; ErrorCode::ALL.len() + 1];
    let mut index = 0;
    while index < ErrorCode::ALL.len() {
        names[index] = ErrorCode::ALL[index].as_str();
        index += 1;
    }
    names
};

/// In the order of [`Reason::ALL`].
const REASONS: [&str; Reason::ALL.len()] = {
    let mut names = [""; Reason::ALL.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = Reason::ALL[index].as_str();
        index += 1;
    }
    names
};

/// Counters that the server keeps while it works, with a cell for each value of their label.
macro_rules! counted {
    ($($count:ident = $name:literal $([$label:literal: $values:expr])? $help:literal)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Count { $($count,)* }

        impl Count {
            pub(super) const ALL: &[Self] = &[$(Self::$count,)*];
        }

        const COUNTED: [Family; Count::ALL.len()] = [$(Family {
            name: $name,
            kind: Kind::Counter,
            help: $help,
            labels: &[$(Label { name: $label, values: Values::Of(&$values) })?],
            present: Present::Always,
        },)*];
    };
}

counted! {
    SessionsOpened = "openline_sessions_opened_total" ["transport": TRANSPORTS]
        "Sessions that began."
    SessionsClosed = "openline_sessions_closed_total" ["transport": TRANSPORTS]
        "Sessions that ended."
    LinesClosed = "openline_lines_closed_total" ["code": CLOSE_CODE_NAMES]
        "WebSocket lines that ended, by close code."
    TurnedAway = "openline_turned_away_total" ["code": ERROR_CODES]
        "Clients that were refused before they had a session, by error code."
    Forwarded = "openline_forwarded_requests_total" ["result": FORWARDED]
        "Requests for sessions on other nodes that were handed over to those, by what became of them."
    AcceptErrors = "openline_accept_errors_total" ["error": ACCEPT_ERRORS]
        "Connections that could not be accepted, by why: `aborted` ended before, `descriptors` and \
         `memory` are the system's limits."
    TlsHandshakes = "openline_tls_handshakes_total" ["result": HANDSHAKES]
        "TLS handshakes, by what became of them; `challenge` is an authority that looks at a name."
    AcmeOrders = "openline_acme_orders_total" ["result": ["issued", "failed"]]
        "Orders of certificates. After a failure the old one stays in use."
    Panics = "openline_panics_total"
        "Lines that ended because of a bug of the server. Anything but 0 is worth a report."
    ReceivedMessages = "openline_received_messages_total"
        "Messages from clients."
    ReceivedBytes = "openline_received_bytes_total"
        "Bytes of messages from clients, without what frames and compression add or save."
    Commands = "openline_commands_total" ["type": COMMANDS]
        "Messages from clients that could be read, by type; handlers' types are `other`."
    UnknownFields = "openline_unknown_fields_total"
        "Fields of clients' messages that nothing knows and that were passed over."
    Errors = "openline_errors_total" ["code": ERROR_CODES]
        "Errors that clients were answered with, by error code."
    Authentications = "openline_authentications_total" ["result": ["accepted", "refused"]]
        "Tokens that were checked."
    Recovered = "openline_recovered_total"
        "Subscriptions from a position that got everything they had missed."
    RecoveredPublications = "openline_recovered_publications_total"
        "Publications that those subscriptions had missed."
    Unrecovered = "openline_unrecovered_total" ["reason": REASONS]
        "Subscriptions from a position whose missed publications could not be given, by reason."
    Publications = "openline_publications_total" ["result": PUBLISHED]
        "Publications that reached the broker, by what became of them."
    SentMessages = "openline_sent_messages_total"
        "Messages of channels that lines took as they came: one for each message and each line."
    Upgrades = "openline_upgrades_total" ["result": ["done", "failed"]]
        "Processes that took over from the one before, or did not and left it serving; it goes on \
         from one process to the next."
    UpgradeLines = "openline_upgrade_lines_total" ["result": ["moved", "stayed", "arrived"]]
        "Lines at an upgrade: that the next process went on with, that it did not, and with which \
         this process went on."
    LineBatches = "openline_line_batches_total" ["result": ["taken", "full"]]
        "Batches of publications for one line each: taken into its queue, or not for want of room."
    ConfigReloads = "openline_config_reloads_total" ["result": ["applied", "refused"]]
        "Times that the configuration was loaded again: in force since, or not because something in it was wrong."
}

const FIRST_CELLS: [usize; Count::ALL.len() + 1] = {
    let mut firsts = [0; Count::ALL.len() + 1];
    let mut index = 0;
    while index < COUNTED.len() {
        firsts[index + 1] = firsts[index] + COUNTED[index].cells();
        index += 1;
    }
    firsts
};

/// Cells of all counters.
pub(super) const CELLS: usize = FIRST_CELLS[Count::ALL.len()];

impl Count {
    pub(super) fn family(self) -> &'static Family {
        const { &COUNTED }.get(self as usize).expect("the enum and the table are of one macro")
    }

    /// Where the cell of the label value of this index is.
    pub(super) fn cell(self, index: usize) -> usize {
        debug_assert!(index < self.family().cells());
        FIRST_CELLS[self as usize] + index
    }

    /// The label's name and values, if it has one.
    pub(super) fn label(self) -> Option<(&'static str, &'static [&'static str])> {
        match self.family().labels {
            [Label { name, values: Values::Of(values) }] => Some((name, values)),
            _ => None,
        }
    }
}

impl Family {
    const fn cells(&self) -> usize {
        match self.labels {
            [Label { values: Values::Of(values), .. }] => values.len(),
            _ => 1,
        }
    }
}

pub(super) const SESSIONS: Family = Family {
    name: "openline_sessions",
    kind: Kind::Gauge,
    help: "Sessions that there are.",
    labels: &[Label { name: "transport", values: Values::Of(&TRANSPORTS) }],
    present: Present::Always,
};

pub(super) const DELIVERY_LATENCY: Family = Family {
    name: "openline_delivery_latency_seconds",
    kind: Kind::Histogram,
    help: "From publishing to handing over to the lines: of the oldest publication that a thread \
           handed over at a time.",
    labels: &[],
    present: Present::Always,
};

pub(super) const API_REQUESTS: Family = Family {
    name: "openline_api_requests_total",
    kind: Kind::Counter,
    help: "Answers to HTTP requests, by route and status. A pair is there once it has happened.",
    labels: &[
        Label { name: "route", values: Values::Described("the server's routes, or `other`") },
        Label { name: "status", values: Values::Described("HTTP status codes, or `other`") },
    ],
    present: Present::Always,
};

/// All that the server counts itself; the rest is in `gauges`.
#[cfg(test)]
pub(super) fn counted() -> impl Iterator<Item = &'static Family> {
    Count::ALL.iter().map(|count| count.family())
}
