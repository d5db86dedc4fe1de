//! [`Metrics`]: what the server counts, and how it is shown to Prometheus.
//!
//! Each thread adds to counters of its own (`stripes`), without locks; they are summed when somebody
//! asks. All names, meanings and label values are in two tables, `families` and `gauges`, from which
//! the text and `docs/metrics.md` are made.
//!
//! - *Invariant:* nothing that a client sends becomes a label, so the number of series does not
//!   depend on what clients do.
//!
//! The text is written here, in [`text`]: three kinds of lines. The library for it,
//! prometheus-client, finds the counter of a label behind a lock and a hash of its own, for each
//! message.

mod families;
mod gauges;
#[cfg(test)]
mod page;
mod process;
mod routes;
mod stripes;
#[cfg(test)]
mod tests;
mod text;

use std::time::Duration;

use openline_protocol::{Command, ErrorCode, Reason};

use crate::accept::AcceptError;
use crate::broker::BrokerError;
use crate::cluster::NotAnswered;
use crate::exchange::Delivered;

use families::{
    API_REQUESTS, CLOSE_CODES, Count, DELIVERY_LATENCY, LATENCY_BOUNDS_MS, SESSIONS, TRANSPORTS,
};
use routes::Routes;
use stripes::Stripes;
use text::Text;

pub(crate) use gauges::Gauges;
pub(crate) use process::Process;
pub(crate) use text::CONTENT_TYPE;

/// What has happened since the start. Shared by all threads.
#[derive(Default)]
pub(crate) struct Metrics {
    stripes: Stripes,
    routes: Routes,
}

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    Sse,
    Poll,
    /// Engine.IO, by requests.
    EnginePolling,
    EngineWebSocket,
    /// A socket of Socket.IO; its connection counts by itself.
    SocketIo,
}

/// What became of a TLS handshake; in the order of the label's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshake {
    Done,
    Failed,
    /// It took too long.
    Timeout,
    /// Too many were under way.
    NoPlace,
    /// There was no certificate to show.
    NoCertificate,
    /// It was an authority that looked for its challenge.
    Challenge,
}

impl Transport {
    pub(crate) fn as_str(self) -> &'static str {
        TRANSPORTS[self as usize]
    }
}

impl Metrics {
    pub(crate) fn session_opened(&self, transport: Transport) {
        self.stripes.add(Count::SessionsOpened, transport as usize, 1);
    }

    pub(crate) fn session_closed(&self, transport: Transport) {
        self.stripes.add(Count::SessionsClosed, transport as usize, 1);
    }

    /// A WebSocket line ended with this code, of whichever side.
    pub(crate) fn line_closed(&self, code: Option<u16>) {
        let known = CLOSE_CODES.iter().position(|(known, _)| *known == code);
        self.stripes.add(Count::LinesClosed, known.unwrap_or(CLOSE_CODES.len() - 1), 1);
    }

    /// The configuration was loaded again.
    pub(crate) fn config_reloaded(&self, is_in_force: bool) {
        self.stripes.add(Count::ConfigReloads, usize::from(!is_in_force), 1);
    }

    /// A client was refused before it had a session; `code` is one of [`ErrorCode`].
    pub(crate) fn turned_away(&self, code: &'static str) {
        let known = ErrorCode::ALL.iter().position(|known| known.as_str() == code);
        self.stripes.add(Count::TurnedAway, known.unwrap_or(ErrorCode::ALL.len()), 1);
    }

    /// A request was handed over to another node.
    pub(crate) fn forwarded(&self, not_answered: Option<NotAnswered>) {
        let result = not_answered.map_or(0, |not_answered| not_answered as usize + 1);
        self.stripes.add(Count::Forwarded, result, 1);
    }

    pub(crate) fn tls_handshake(&self, result: Handshake) {
        self.stripes.add(Count::TlsHandshakes, result as usize, 1);
    }

    /// An order of a certificate ended.
    #[cfg(feature = "acme")]
    pub(crate) fn acme_order(&self, is_issued: bool) {
        self.stripes.add(Count::AcmeOrders, usize::from(!is_issued), 1);
    }

    pub(crate) fn accept_failed(&self, why: AcceptError) {
        self.stripes.add(Count::AcceptErrors, why as usize, 1);
    }

    pub(crate) fn panicked(&self) {
        self.stripes.add(Count::Panics, 0, 1);
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.stripes.add(Count::ReceivedMessages, 0, 1);
        self.stripes.add(Count::ReceivedBytes, 0, bytes as u64);
    }

    pub(crate) fn command(&self, command: &Command, unknown_fields: u32) {
        self.stripes.add(Count::Commands, command_index(command), 1);
        if unknown_fields != 0 {
            self.stripes.add(Count::UnknownFields, 0, unknown_fields.into());
        }
    }

    /// The types of the commands that are built in.
    pub(crate) fn kinds() -> &'static [&'static str] {
        let [kinds @ .., _] = &families::COMMANDS;
        kinds
    }

    /// The type of a command, if it is built in.
    pub(crate) fn kind(command: &Command) -> &'static str {
        families::COMMANDS[command_index(command)]
    }

    pub(crate) fn refused(&self, code: ErrorCode) {
        self.stripes.add(Count::Errors, code as usize, 1);
    }

    pub(crate) fn authenticated(&self, ok: bool) {
        self.stripes.add(Count::Authentications, usize::from(!ok), 1);
    }

    /// What became of a position that a client came back with: how many publications it had missed.
    pub(crate) fn recovered(&self, missed: Result<usize, &Reason>) {
        match missed {
            Ok(publications) => {
                self.stripes.add(Count::Recovered, 0, 1);
                self.stripes.add(Count::RecoveredPublications, 0, publications as u64);
            }
            Err(reason) => self.stripes.add(Count::Unrecovered, *reason as usize, 1),
        }
    }

    /// What a broker answered to a publication: whether it was a duplicate.
    pub(crate) fn published(&self, result: Result<bool, &BrokerError>) {
        let index = match result {
            Ok(false) => 0,
            Ok(true) => 1,
            Err(BrokerError::Conflict { .. }) => 2,
            Err(BrokerError::Overloaded | BrokerError::MemoryFull) => 3,
            Err(BrokerError::StorageFull) => 4,
            Err(BrokerError::StorageFailed(_)) => 5,
            Err(BrokerError::Unavailable) => 6,
            Err(BrokerError::Channels { .. }) => 7,
            Err(BrokerError::HandedOver) => 8,
        };
        self.stripes.add(Count::Publications, index, 1);
    }

    /// So many upgrades were done, and so many failed.
    pub(crate) fn upgraded(&self, done: u64, failed: u64) {
        self.stripes.add(Count::Upgrades, 0, done);
        self.stripes.add(Count::Upgrades, 1, failed);
    }

    /// Upgrades that were done, and that failed.
    pub(crate) fn upgrades(&self) -> (u64, u64) {
        (self.stripes.sum(Count::Upgrades, 0), self.stripes.sum(Count::Upgrades, 1))
    }

    /// The next process goes on with so many lines, and not with so many.
    pub(crate) fn lines_left(&self, moved: usize, stayed: usize) {
        self.stripes.add(Count::UpgradeLines, 0, moved as u64);
        self.stripes.add(Count::UpgradeLines, 1, stayed as u64);
    }

    /// This process goes on with so many lines of the one before.
    pub(crate) fn lines_arrived(&self, count: usize) {
        self.stripes.add(Count::UpgradeLines, 2, count as u64);
    }

    /// To be called once per turn of a thread.
    pub(crate) fn delivered(&self, fanout: &Delivered) {
        if fanout.messages != 0 {
            self.stripes.add(Count::SentMessages, 0, fanout.messages);
        }
        for (index, batches) in [fanout.taken, fanout.full].into_iter().enumerate() {
            if batches != 0 {
                self.stripes.add(Count::LineBatches, index, batches);
            }
        }
    }

    /// How old a turn's oldest publication was when the lines had it. Once per turn of a thread.
    pub(crate) fn delivery_latency(&self, ms: u64) {
        self.stripes.add_latency(ms);
    }

    /// `route` is the pattern that the request was matched with, never the path that it asked for.
    pub(crate) fn api_request(&self, route: &'static str, status: u16) {
        self.routes.add(route, status);
    }

    /// All of it as text, which is [`CONTENT_TYPE`].
    pub(crate) fn encode(&self, gauges: &Gauges) -> String {
        let mut text = Text::default();
        text.family(&SESSIONS, |samples| {
            for (index, transport) in TRANSPORTS.iter().enumerate() {
                // Ends first, as each of them began before.
                let ended = self.stripes.sum(Count::SessionsClosed, index);
                let begun = self.stripes.sum(Count::SessionsOpened, index);
                samples.labelled(&[("transport", transport)], begun.saturating_sub(ended));
            }
        });
        for count in Count::ALL {
            text.family(count.family(), |samples| match count.label() {
                None => samples.value(self.stripes.sum(*count, 0)),
                Some((label, values)) => {
                    for (index, value) in values.iter().enumerate() {
                        samples.labelled(&[(label, value)], self.stripes.sum(*count, index));
                    }
                }
            });
        }
        text.family(&DELIVERY_LATENCY, |samples| {
            let latencies = self.stripes.latencies();
            let sum = Duration::from_millis(latencies.sum_ms);
            let bounds = LATENCY_BOUNDS_MS.map(Duration::from_millis);
            samples.histogram(bounds, &latencies.buckets, sum);
        });
        text.family(&API_REQUESTS, |samples| self.routes.write(samples));
        gauges.write(&mut text);
        text.finish()
    }
}

/// Where its type is in `families::COMMANDS`.
fn command_index(command: &Command) -> usize {
    match command {
        Command::Auth { .. } => 0,
        Command::Subscribe { .. } => 1,
        Command::Unsubscribe { .. } => 2,
        Command::Publish(_) => 3,
        Command::Presence { .. } => 4,
        Command::History(_) => 5,
        Command::SetPresence { .. } => 6,
        Command::Typing { .. } => 7,
        Command::Ping => 8,
        Command::Upload(_) => 9,
        Command::Chunk(_) => 10,
        Command::Complete(_) => 11,
        Command::Cancel { .. } => 12,
        Command::Other { .. } => 13,
    }
}
