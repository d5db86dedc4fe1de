//! [`Tls`]: how the server is known to its clients.
//!
//! Certificates are files (`certificate`, `files`), or ordered from an authority by ACME (`acme`). Which
//! one a client gets is up to the name that it asks for (`choice`). All can be replaced while the server
//! runs: those who are connected keep theirs, and whoever comes next gets the new one.
//!
//! - *Invariant:* what cannot be used changes nothing. A set of files is taken as a whole, or not at
//!   all.

#[cfg(feature = "acme")]
mod acme;
mod certificate;
mod choice;
mod files;
mod handshake;
mod resolver;
#[cfg(test)]
pub(crate) mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use openline_ws::tls::rustls::ServerConfig;
use openline_ws::tls::rustls::crypto::ring;
use openline_ws::tls::rustls::version::{TLS12, TLS13};

use crate::config::Config;
use crate::log::Log;
use crate::metrics::Metrics;
use certificate::Certificate;
use files::Files;
use handshake::Places;
use resolver::Resolver;

/// The protocol in which an authority asks for its challenge (RFC 8737).
const ACME_PROTOCOL: &[u8] = b"acme-tls/1";

/// What may be spoken, the best first: `h2` is for RFC 8441 too.
const PROTOCOLS: [&[u8]; 3] = [b"h2", b"http/1.1", ACME_PROTOCOL];

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// How often the same worry is told.
const DOUBT_EVERY: Duration = Duration::from_secs(24 * 3600);

/// TLS as the configuration asks for it. Shared by all threads.
pub(crate) struct Tls {
    settings: Arc<ServerConfig>,
    resolver: Arc<Resolver>,
    places: Places,
    watched: Mutex<Watched>,
    #[cfg(feature = "acme")]
    acme: acme::Acme,
    log: Log,
}

/// What is looked at now and then.
#[derive(Default)]
struct Watched {
    files: Files,
    /// Why they could not be used the last time.
    fault: Option<String>,
    doubted: Option<SystemTime>,
}

/// Certificates that were read and are not in use yet.
pub(crate) struct Fresh {
    files: Files,
    certificates: Vec<Arc<Certificate>>,
    domains: Vec<String>,
    #[cfg(feature = "acme")]
    acme: Option<acme::Settings>,
}

impl Tls {
    /// None where the server speaks plain HTTP.
    ///
    /// # Errors
    /// What is wrong, and in which file.
    pub(crate) fn start(config: &Config, log: Log) -> io::Result<Option<Self>> {
        if !config.tls.is_on() {
            return Ok(None);
        }
        let tls = Self::new(log)?;
        let fresh = Fresh::read(config)?;
        tls.take(fresh);
        tls.tell_doubts(SystemTime::now());
        Ok(Some(tls))
    }

    fn new(log: Log) -> io::Result<Self> {
        let resolver = Arc::new(Resolver::default());
        let mut settings = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_cert_resolver(resolver.clone());
        settings.alpn_protocols = PROTOCOLS.iter().map(|protocol| protocol.to_vec()).collect();
        // Who comes back within twelve hours saves us a signature. The keys of tickets change every
        // six hours and are this process's own.
        settings.ticketer = ring::Ticketer::new().map_err(io::Error::other)?;
        Ok(Self {
            settings: Arc::new(settings),
            resolver,
            places: Places::new(),
            watched: Mutex::default(),
            #[cfg(feature = "acme")]
            acme: acme::Acme::new(),
            log,
        })
    }

    /// Takes what the configuration and the files say now, all of it or nothing, as a reload does in
    /// two halves. Open connections are not touched. Whether the server speaks TLS at all is decided when it
    /// starts.
    ///
    /// # Errors
    /// What is wrong, and in which file; the old certificates stay in use.
    #[cfg(test)]
    pub(crate) fn reload(&self, config: &Config) -> io::Result<()> {
        self.take(self.prepare(config, SystemTime::now())?);
        Ok(())
    }

    /// Reads what the configuration and the files say now. Changes nothing yet.
    ///
    /// # Errors
    /// What is wrong, and in which file.
    pub(crate) fn prepare(&self, config: &Config, now: SystemTime) -> io::Result<Fresh> {
        let fresh = Fresh::read(config)?;
        self.refuse_expired(&fresh.certificates, now)?;
        Ok(fresh)
    }

    /// Takes what was read. Open connections are not touched.
    pub(crate) fn take(&self, fresh: Fresh) {
        self.resolver.keep_issued(&fresh.domains);
        self.resolver.use_files(fresh.certificates);
        *self.watched() = Watched { files: fresh.files, ..Watched::default() };
        #[cfg(feature = "acme")]
        self.acme.set(fresh.acme, &self.resolver, &self.log);
    }

    /// Looks at the files now and then, and orders certificates when they are due, until it is
    /// dropped.
    pub(crate) async fn run(&self, metrics: &Metrics) {
        let look = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                self.look(SystemTime::now());
            }
        };
        #[cfg(feature = "acme")]
        let order =
            self.acme.run(acme::Audience { resolver: &self.resolver, log: &self.log, metrics });
        #[cfg(not(feature = "acme"))]
        let order = std::future::ready(metrics);
        tokio::join!(look, order);
    }

    /// When the first certificate expires; None while there is none.
    pub(crate) fn first_expiry(&self) -> Option<SystemTime> {
        self.resolver.choice().first_expiry()
    }

    fn has_certificate(&self) -> bool {
        !self.resolver.choice().all().is_empty()
    }

    /// Takes files that have changed. While they cannot be used they are tried again: key and
    /// certificate seldom change in the same moment.
    fn look(&self, now: SystemTime) {
        let mut watched = self.watched();
        if watched.files.have_changed() || watched.fault.is_some() {
            let read = watched.files.read();
            let checked = read.and_then(|new| self.refuse_expired(&new, now).map(|()| new));
            match checked {
                Ok(certificates) => {
                    watched.fault = None;
                    self.resolver.use_files(certificates);
                    self.log.tls_certificates_replaced();
                }
                Err(error) => {
                    let fault = error.to_string();
                    if watched.fault.as_ref() != Some(&fault) {
                        self.log.tls_certificates_kept(&fault);
                    }
                    watched.fault = Some(fault);
                }
            }
        }
        drop(watched);
        self.tell_doubts(now);
    }

    /// One that has expired is no replacement. One that is in use already is not held against the
    /// others.
    fn refuse_expired(&self, new: &[Arc<Certificate>], now: SystemTime) -> io::Result<()> {
        let old = self.resolver.choice();
        match files::newly_expired(new, old.all(), now) {
            None => Ok(()),
            Some(expired) => {
                let what = format!("{}: this certificate has expired", expired.source);
                Err(io::Error::new(io::ErrorKind::InvalidData, what))
            }
        }
    }

    fn tell_doubts(&self, now: SystemTime) {
        let mut watched = self.watched();
        let waits =
            |told: SystemTime| now.duration_since(told).is_ok_and(|since| since < DOUBT_EVERY);
        if watched.doubted.is_some_and(waits) {
            return;
        }
        for certificate in self.resolver.choice().all() {
            if let Some(doubt) = certificate.doubt(now) {
                self.log.tls_doubtful(&doubt);
                watched.doubted = Some(now);
            }
        }
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fresh {
    fn read(config: &Config) -> io::Result<Self> {
        let mut files = Files::of(&config.tls);
        let certificates = files.read()?;
        let domains = config.tls.acme_domains.iter().map(|domain| domain.as_str().to_owned());
        let domains: Vec<String> = domains.collect();
        #[cfg(feature = "acme")]
        return Ok(Self { files, certificates, domains, acme: acme::Settings::of(config)? });
        #[cfg(not(feature = "acme"))]
        match domains.first() {
            None => Ok(Self { files, certificates, domains }),
            Some(_) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "tls.acme_domains: this server was built without the feature `acme`",
            )),
        }
    }
}
