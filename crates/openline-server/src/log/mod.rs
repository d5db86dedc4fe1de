//! [`Log`]: what is said about what happens, on standard error, for people or for programs.
//!
//! Each event is a method here, with its weight, its words and its fields, so that all that can ever
//! be logged stands in this file. Text of a peer's making goes through `shown`, and warnings that
//! peers can cause at will through `pace`. Lines are written by a thread of their own (`sink`):
//! whoever reads standard error too slowly loses lines, which is told, and does not stop the server.
//!
//! Nothing global is installed, so that a program may have several servers and a log of its own.
//! That, and that peers' text has to be dealt with here in any case, is why this is not `tracing`.

mod event;
mod pace;
mod shown;
mod sink;
#[cfg(test)]
mod tests;
mod timestamp;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use openline_protocol::ErrorCode;

use crate::app::Refusal;
use crate::auth::Secret;
use crate::config::{LogFormat, LogLevel};
use crate::lifecycle::{Tally, Terms};
use crate::reload::{ReloadError, Reloaded};
use crate::store::Opened;

use event::{Event, Value};
use pace::Pace;
use sink::Sink;

/// Where events go. Clones write to the same place.
#[derive(Clone)]
pub(crate) struct Log {
    inner: Option<Arc<Inner>>,
}

struct Inner {
    /// A [`LogLevel`].
    level: AtomicU8,
    is_json: Arc<AtomicBool>,
    paces: Mutex<[Pace; Paced::ALL.len()]>,
    sink: Sink,
}

/// Events that peers can cause at will.
#[derive(Debug, Clone, Copy)]
enum Paced {
    AcceptFailed,
    AuthRefused,
    BrokerAiling,
    HandlerFailed,
    Panicked,
    TlsHandshakesRefused,
    TlsWithoutCertificate,
    TurnedAway,
    UploadFailed,
    WebhookFailed,
}

impl Log {
    /// Writes to standard error what weighs at least `level`.
    pub(crate) fn new(level: LogLevel, format: LogFormat) -> Self {
        Self::to(io::stderr(), level, format)
    }

    /// Writes nothing.
    pub(crate) fn quiet() -> Self {
        Self { inner: None }
    }

    fn to(out: impl io::Write + Send + 'static, level: LogLevel, format: LogFormat) -> Self {
        let is_json = Arc::new(AtomicBool::new(format == LogFormat::Json));
        let of_dropped = is_json.clone();
        let dropped = move |lines| {
            let event = Event {
                level: LogLevel::Warn,
                name: "log_lines_dropped",
                message: "standard error was not read in time; lines are missing here",
                fields: &[("lines", Value::Number(lines))],
            };
            event.line(format_of(&of_dropped), SystemTime::now())
        };
        let sink = Sink::new(out, dropped);
        let level = AtomicU8::new(level as u8);
        Self { inner: Some(Arc::new(Inner { level, is_json, paces: Mutex::default(), sink })) }
    }

    /// Writes otherwise from now on; clones do so too.
    pub(crate) fn set(&self, level: LogLevel, format: LogFormat) {
        if let Some(inner) = &self.inner {
            inner.level.store(level as u8, Ordering::Relaxed);
            inner.is_json.store(format == LogFormat::Json, Ordering::Relaxed);
        }
    }

    /// The server listens.
    pub(crate) fn started(&self, address: SocketAddr, tls: bool, version: &str) {
        let fields = [
            ("address", Value::Own(&address)),
            ("tls", Value::Flag(tls)),
            ("version", Value::Own(&version)),
        ];
        self.event(LogLevel::Info, "started", "listening", &fields);
    }

    /// The server was asked to stop.
    pub(crate) fn stopping(&self, why: &str) {
        self.event(LogLevel::Info, "stopping", "stopping", &[("why", Value::Own(&why))]);
    }

    /// The server begins to drain.
    pub(crate) fn draining(&self, lines: u32, terms: &Terms) {
        let fields = [
            ("lines", Value::Number(lines.into())),
            ("delay_ms", milliseconds(terms.delay)),
            ("duration_ms", milliseconds(terms.duration)),
            ("notice_ms", milliseconds(terms.notice)),
        ];
        self.event(LogLevel::Info, "draining", "draining", &fields);
    }

    /// A drain is over: what became of the lines.
    pub(crate) fn drained(&self, tally: &Tally, took: Duration) {
        let fields = [
            ("left", Value::Number(tally.left)),
            ("closed", Value::Number(tally.closed)),
            ("cut", Value::Number(tally.cut)),
            ("took_ms", milliseconds(took)),
        ];
        self.event(LogLevel::Info, "drained", "drained", &fields);
    }

    /// Another configuration is in force: which keys have other values, without secrets.
    pub(crate) fn reloaded(&self, reloaded: &Reloaded) {
        let changed: Vec<String> = reloaded.changed.iter().map(ToString::to_string).collect();
        let file = reloaded.file.as_ref().map(|file| file.display().to_string());
        let fields = [
            ("file", Value::Own(&file.as_deref().unwrap_or("there is none"))),
            ("changed", Value::Number(changed.len() as u64)),
            ("files_read", Value::Number(reloaded.read.len() as u64)),
        ];
        self.event(LogLevel::Info, "reloaded", "the configuration was loaded again", &fields);
        for change in changed {
            let fields = [("change", Value::Own(&change))];
            self.event(LogLevel::Info, "setting_changed", "a setting has changed", &fields);
        }
    }

    /// What was loaded is not in force.
    pub(crate) fn reload_refused(&self, error: &ReloadError) {
        for what in error.to_string().lines() {
            let message = "the configuration stays what it was";
            self.event(LogLevel::Error, "reload_refused", message, &[("why", Value::Own(&what))]);
        }
    }

    /// The last line. Waits a moment for it to be written.
    pub(crate) fn stopped(&self) {
        self.tell_unsaid();
        self.event(LogLevel::Info, "stopped", "stopped", &[]);
        if let Some(inner) = &self.inner {
            inner.sink.flush();
        }
    }

    /// The configuration is one to think about.
    pub(crate) fn doubtful(&self, what: &str) {
        let fields = [("what", Value::Own(&what))];
        self.event(LogLevel::Warn, "doubtful", "the configuration looks doubtful", &fields);
    }

    pub(crate) fn store_opened(&self, opened: &Opened) {
        let records = ("records", Value::Number(opened.records as u64));
        if let Some(path) = &opened.set_aside {
            let (path, damage) = (path.display(), opened.damage.as_deref().unwrap_or("unknown"));
            let fields = [("moved_to", Value::Own(&path)), ("damage", Value::Own(&damage))];
            let message = "the store was damaged: its files were moved aside, history begins anew";
            self.event(LogLevel::Warn, "store_set_aside", message, &fields);
        } else if opened.torn_bytes != 0 {
            let fields = [records, ("torn_bytes", Value::Number(opened.torn_bytes))];
            let message = "the store ended in an unfinished write, which was cut off";
            self.event(LogLevel::Warn, "store_torn", message, &fields);
        } else {
            let fields = [records, ("clean", Value::Flag(opened.clean))];
            self.event(LogLevel::Info, "store_opened", "the store is open", &fields);
        }
    }

    /// Nobody can take over from this process.
    pub(crate) fn no_upgrades(&self, socket: &Path, error: &io::Error) {
        let socket = socket.display();
        let fields = [("socket", Value::Own(&socket)), ("error", Value::Own(error))];
        let message = "no other process can take over from this one";
        self.event(LogLevel::Warn, "no_upgrades", message, &fields);
    }

    /// Another process wants to take over.
    pub(crate) fn upgrade_begun(&self, version: &str) {
        let fields = [("version", Value::Own(&version))];
        self.event(LogLevel::Info, "upgrade_begun", "another process takes over", &fields);
    }

    /// Another process did not take over: this one goes on.
    pub(crate) fn upgrade_failed(&self, why: &str) {
        let message = "another process did not take over, this one goes on";
        self.event(LogLevel::Warn, "upgrade_failed", message, &[("why", Value::Peer(why))]);
    }

    /// What was given to another process, or had back, is not as it should be.
    pub(crate) fn upgrade_store(&self, why: &str) {
        let message = "the store was not handed over in order";
        self.event(LogLevel::Error, "upgrade_store", message, &[("why", Value::Own(&why))]);
    }

    /// What was given to another process is here again.
    pub(crate) fn upgrade_taken_back(&self) {
        let message = "all that was handed over is here again";
        self.event(LogLevel::Info, "upgrade_taken_back", message, &[]);
    }

    /// So many lines went to the process that has taken over, and so many did not; `why` it was not
    /// brought to its end, if so.
    pub(crate) fn lines_left(&self, moved: usize, stay: usize, why: Option<&str>) {
        let fields = [("moved", Value::Own(&moved)), ("stay", Value::Own(&stay))];
        let message = "lines have gone over to the other process";
        match why {
            None => self.event(LogLevel::Info, "lines_left", message, &fields),
            Some(why) => {
                let [moved, stay] = fields;
                let fields = [moved, stay, ("why", Value::Peer(why))];
                let message = "lines have gone over to the other process, but not all that could";
                self.event(LogLevel::Warn, "lines_left", message, &fields);
            }
        }
    }

    /// This process goes on with so many lines of the one before.
    pub(crate) fn lines_arrived(&self, count: usize) {
        let message = "lines have come over from the process before";
        self.event(LogLevel::Info, "lines_arrived", message, &[("lines", Value::Own(&count))]);
    }

    /// Another process has taken over.
    pub(crate) fn upgraded(&self) {
        let message = "another process has taken over, the lines left here are closed";
        self.event(LogLevel::Info, "upgraded", message, &[]);
    }

    /// This process has taken over from one of that version.
    pub(crate) fn took_over(&self, version: &str) {
        let fields = [("version", Value::Own(&version))];
        let message = "taken over from the process before";
        self.event(LogLevel::Info, "took_over", message, &fields);
    }

    /// The key of a server that keeps nothing: there is no file to read it from, so it is said here,
    /// whatever the level. It is the only secret that is ever logged.
    pub(crate) fn random_api_key(&self, key: &Secret) {
        let key = String::from_utf8_lossy(key.expose());
        let message = "the API's key, until the server stops";
        // Errors pass at every level.
        self.event(LogLevel::Error, "api_key", message, &[("key", Value::Own(&key))]);
    }

    /// A token was not accepted. `detail` is what its bearer is not told.
    pub(crate) fn auth_refused(&self, client: &str, detail: &str) {
        let fields = [("client", Value::Peer(client)), ("detail", Value::Peer(detail))];
        self.paced(Paced::AuthRefused, LogLevel::Warn, "a token was refused", &fields);
    }

    /// A client was refused before it had a session; `code` is one of [`ErrorCode`].
    pub(crate) fn turned_away(&self, address: IpAddr, code: &'static str) {
        let fields = [("address", Value::Own(&address)), ("code", Value::Own(&code))];
        self.paced(Paced::TurnedAway, LogLevel::Warn, "a client was turned away", &fields);
    }

    /// A connection could not be accepted.
    pub(crate) fn accept_failed(&self, error: &io::Error) {
        let fields = [("error", Value::Own(error))];
        let message = "a connection was not accepted";
        self.paced(Paced::AcceptFailed, LogLevel::Warn, message, &fields);
    }

    /// A certificate is one to worry about.
    pub(crate) fn tls_doubtful(&self, what: &str) {
        let fields = [("what", Value::Own(&what))];
        self.event(LogLevel::Warn, "tls_doubtful", "a certificate needs attention", &fields);
    }

    /// Files of certificates had changed and are in use now.
    pub(crate) fn tls_certificates_replaced(&self) {
        let message = "certificates were replaced";
        self.event(LogLevel::Info, "tls_certificates_replaced", message, &[]);
    }

    /// Files of certificates have changed and cannot be used.
    pub(crate) fn tls_certificates_kept(&self, why: &str) {
        let message = "certificates were not replaced, the old ones stay in use";
        let fields = [("why", Value::Own(&why))];
        self.event(LogLevel::Error, "tls_certificates_kept", message, &fields);
    }

    /// A certificate is ordered from the authority of this directory.
    #[cfg(feature = "acme")]
    pub(crate) fn acme_ordering(&self, domain: &str, directory: &str) {
        let fields = [("domain", Value::Own(&domain)), ("directory", Value::Own(&directory))];
        self.event(LogLevel::Info, "acme_ordering", "a certificate is ordered", &fields);
    }

    #[cfg(feature = "acme")]
    pub(crate) fn acme_issued(&self, domain: &str, left: Duration) {
        let fields = [("domain", Value::Own(&domain)), ("valid_s", Value::Number(left.as_secs()))];
        self.event(LogLevel::Info, "acme_issued", "a certificate was issued", &fields);
    }

    /// There is no new certificate for the domain; `why` may be in the authority's words.
    #[cfg(feature = "acme")]
    pub(crate) fn acme_failed(&self, domain: &str, why: &str, wait: Duration) {
        let fields = [
            ("domain", Value::Own(&domain)),
            ("why", Value::Peer(why)),
            ("again_in_s", Value::Number(wait.as_secs())),
        ];
        let message = "a certificate was not issued, what there is stays in use";
        self.event(LogLevel::Error, "acme_failed", message, &fields);
    }

    /// A certificate is in use and will have to be ordered again after a restart.
    #[cfg(feature = "acme")]
    pub(crate) fn acme_not_kept(&self, domain: &str, error: &io::Error) {
        let fields = [("domain", Value::Own(&domain)), ("error", Value::Own(error))];
        let message = "a certificate could not be kept on disk";
        self.event(LogLevel::Error, "acme_not_kept", message, &fields);
    }

    /// A client and the server did not agree.
    pub(crate) fn tls_handshake_failed(&self, address: IpAddr, error: &io::Error) {
        let error = error.to_string();
        let fields = [("address", Value::Own(&address)), ("error", Value::Peer(&error))];
        self.event(LogLevel::Debug, "tls_handshake_failed", "a TLS handshake failed", &fields);
    }

    /// A client waited for its handshake in vain.
    pub(crate) fn tls_handshakes_refused(&self, most: u64) {
        let fields = [("most", Value::Number(most))];
        let message = "too many TLS handshakes at once";
        self.paced(Paced::TlsHandshakesRefused, LogLevel::Warn, message, &fields);
    }

    /// A client came before there was a certificate to show it.
    pub(crate) fn tls_without_certificate(&self, address: IpAddr) {
        let fields = [("address", Value::Own(&address))];
        let message = "a client was refused: there is no certificate yet";
        self.paced(Paced::TlsWithoutCertificate, LogLevel::Warn, message, &fields);
    }

    /// Memory runs short, or does so no more.
    pub(crate) fn overload(&self, step: u8, meaning: &str, used: u64, max: u64) {
        let fields = [
            ("step", Value::Number(step.into())),
            ("meaning", Value::Own(&meaning)),
            ("used_bytes", Value::Number(used)),
            ("bytes_max", Value::Number(max)),
        ];
        let level = if step == 0 { LogLevel::Info } else { LogLevel::Warn };
        self.event(level, "overload", "how full the memory is calls for another step", &fields);
    }

    /// Lines were ended so that memory is free.
    pub(crate) fn shed(&self, lines: usize) {
        if lines != 0 {
            let fields = [("lines", Value::Number(lines as u64))];
            let message = "lines that do not keep up were ended to free memory";
            self.event(LogLevel::Warn, "shed", message, &fields);
        }
    }

    /// A bug of the server ended a line. What panicked was written by the panic itself.
    pub(crate) fn panicked(&self, client: &str) {
        let fields = [("client", Value::Peer(client))];
        self.paced(Paced::Panicked, LogLevel::Error, "a bug ended a line", &fields);
    }

    /// A handler said no, which is its business, or failed.
    pub(crate) fn handler_refused(&self, client: &str, refusal: &Refusal) {
        match refusal.cause() {
            None => {
                let fields = [
                    ("client", Value::Peer(client)),
                    ("code", Value::Own(&refusal.code())),
                    ("message", Value::Peer(refusal.message())),
                ];
                let message = "a handler said no";
                self.event(LogLevel::Debug, "handler_refused", message, &fields);
            }
            Some(cause) => {
                let fields = [("client", Value::Peer(client)), ("cause", Value::Own(&cause))];
                self.paced(Paced::HandlerFailed, LogLevel::Error, "a handler failed", &fields);
            }
        }
    }

    pub(crate) fn webhook_failed(&self, what: &str) {
        let fields = [("what", Value::Peer(what))];
        self.paced(Paced::WebhookFailed, LogLevel::Warn, "the backend failed", &fields);
    }

    /// The disk did not do what a file needed.
    pub(crate) fn upload_failed(&self, doing: &str, error: &io::Error) {
        let fields = [("doing", Value::Own(&doing)), ("error", Value::Own(error))];
        self.paced(Paced::UploadFailed, LogLevel::Error, "a file could not be kept", &fields);
    }

    /// Publications are refused.
    pub(crate) fn broker_ailing(&self, ailment: &str) {
        let fields = [("ailment", Value::Own(&ailment))];
        let message = "no publications are taken";
        self.paced(Paced::BrokerAiling, LogLevel::Error, message, &fields);
    }

    /// Publications are taken again.
    pub(crate) fn broker_well(&self) {
        self.event(LogLevel::Info, "broker_well", "publications are taken again", &[]);
    }

    pub(crate) fn session_opened(&self, client: &str, transport: &'static str, address: IpAddr) {
        let fields = [
            ("client", Value::Peer(client)),
            ("transport", Value::Own(&transport)),
            ("address", Value::Own(&address)),
        ];
        self.event(LogLevel::Debug, "session_opened", "a session began", &fields);
    }

    pub(crate) fn session_closed(&self, client: &str, why: &str) {
        let fields = [("client", Value::Peer(client)), ("why", Value::Peer(why))];
        self.event(LogLevel::Debug, "session_closed", "a session ended", &fields);
    }

    /// A client was answered with an error.
    pub(crate) fn request_refused(&self, client: &str, code: ErrorCode, message: &str) {
        let fields = [
            ("client", Value::Peer(client)),
            ("code", Value::Own(&code)),
            ("error", Value::Peer(message)),
        ];
        self.event(LogLevel::Debug, "request_refused", "a request was refused", &fields);
    }

    /// What a Socket.IO client sent is no packet; its connection ends.
    pub(crate) fn broken_packet(&self, client: &str, why: &str) {
        let fields = [("client", Value::Peer(client)), ("why", Value::Peer(why))];
        self.event(LogLevel::Debug, "broken_packet", "a packet could not be read", &fields);
    }

    /// `route` is the pattern that the request was matched with.
    pub(crate) fn api_request(&self, route: &'static str, status: u16) {
        let fields = [("route", Value::Own(&route)), ("status", Value::Number(status.into()))];
        self.event(LogLevel::Debug, "api_request", "an HTTP request was answered", &fields);
    }

    /// A client asks for something of this type.
    pub(crate) fn command(&self, client: &str, kind: &str) {
        let fields = [("client", Value::Peer(client)), ("type", Value::Peer(kind))];
        self.event(LogLevel::Trace, "command", "a client asks", &fields);
    }

    fn paced(
        &self,
        paced: Paced,
        level: LogLevel,
        message: &'static str,
        fields: &[(&'static str, Value<'_>)],
    ) {
        let Some(inner) = self.inner_at(level) else { return };
        let Some(unsaid) = inner.paces()[paced as usize].handle_event(Instant::now()) else {
            return;
        };
        if unsaid == 0 {
            return inner.write(level, paced.name(), message, fields);
        }
        let unsaid = [("unsaid", Value::Number(unsaid))];
        inner.write(level, paced.name(), message, &[fields, &unsaid].concat());
    }

    fn event(
        &self,
        level: LogLevel,
        name: &'static str,
        message: &'static str,
        fields: &[(&'static str, Value<'_>)],
    ) {
        if let Some(inner) = self.inner_at(level) {
            inner.write(level, name, message, fields);
        }
    }

    /// Says how much was held back and has not been told.
    fn tell_unsaid(&self) {
        let Some(inner) = self.inner_at(LogLevel::Warn) else { return };
        for paced in Paced::ALL {
            let unsaid = inner.paces()[*paced as usize].take_unsaid();
            if unsaid != 0 {
                let fields = [("unsaid", Value::Number(unsaid))];
                inner.write(LogLevel::Warn, paced.name(), "more of the same was not said", &fields);
            }
        }
    }

    fn inner_at(&self, level: LogLevel) -> Option<&Inner> {
        self.inner.as_deref().filter(|inner| level as u8 <= inner.level.load(Ordering::Relaxed))
    }
}

fn format_of(is_json: &AtomicBool) -> LogFormat {
    if is_json.load(Ordering::Relaxed) { LogFormat::Json } else { LogFormat::Text }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = self.inner.as_ref().map(|inner| inner.level.load(Ordering::Relaxed));
        f.debug_struct("Log").field("level", &level).finish_non_exhaustive()
    }
}

impl Inner {
    fn write(
        &self,
        level: LogLevel,
        name: &'static str,
        message: &'static str,
        fields: &[(&'static str, Value<'_>)],
    ) {
        let event = Event { level, name, message, fields };
        self.sink.push(event.line(format_of(&self.is_json), SystemTime::now()));
    }

    fn paces(&self) -> std::sync::MutexGuard<'_, [Pace; Paced::ALL.len()]> {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Paced {
    const ALL: &[Self] = &[
        Self::AcceptFailed,
        Self::AuthRefused,
        Self::BrokerAiling,
        Self::HandlerFailed,
        Self::Panicked,
        Self::TlsHandshakesRefused,
        Self::TlsWithoutCertificate,
        Self::TurnedAway,
        Self::UploadFailed,
        Self::WebhookFailed,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::AcceptFailed => "accept_failed",
            Self::AuthRefused => "auth_refused",
            Self::BrokerAiling => "broker_ailing",
            Self::HandlerFailed => "handler_failed",
            Self::Panicked => "panicked",
            Self::TlsHandshakesRefused => "tls_handshakes_refused",
            Self::TlsWithoutCertificate => "tls_without_certificate",
            Self::TurnedAway => "turned_away",
            Self::UploadFailed => "upload_failed",
            Self::WebhookFailed => "webhook_failed",
        }
    }
}

fn milliseconds<'a>(duration: Duration) -> Value<'a> {
    Value::Number(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
