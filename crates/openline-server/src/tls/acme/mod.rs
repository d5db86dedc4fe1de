//! [`Acme`]: certificates that are ordered from an authority (RFC 8555) and renewed in time, with its
//! challenge answered on the server's own port (RFC 8737).
//!
//! One certificate for each name, ordered one after the other, so that a name that cannot be had holds
//! up no other. What was issued, and the account, is kept on disk (`kept`).

mod challenge;
mod http;
mod kept;
mod order;
mod schedule;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use openline_ws::tls::certificates;
use openline_ws::tls::rustls::pki_types::CertificateDer;
use tokio::sync::watch;

use super::certificate::Certificate;
use super::resolver::Resolver;
use crate::config::Config;
use crate::log::Log;
use crate::metrics::Metrics;
use kept::Kept;
use schedule::Due;

/// Clocks are set; nothing is waited for longer than this without looking at the time.
const LOOK_EVERY: Duration = Duration::from_secs(600);

/// What to order, and from whom.
#[derive(Debug)]
pub(crate) struct Settings {
    domains: Vec<String>,
    directory: String,
    contact: Option<String>,
    roots: Vec<CertificateDer<'static>>,
    kept: Kept,
}

/// What orders.
#[derive(Debug)]
pub(super) struct Acme {
    settings: watch::Sender<Option<Arc<Settings>>>,
}

/// A name to have a certificate for.
struct Domain {
    name: String,
    certificate: Option<Arc<Certificate>>,
    due: Due,
}

/// Whom orders tell about themselves.
#[derive(Clone, Copy)]
pub(super) struct Audience<'a> {
    pub(super) resolver: &'a Resolver,
    pub(super) log: &'a Log,
    pub(super) metrics: &'a Metrics,
}

impl Settings {
    /// None where nothing is to be ordered.
    ///
    /// # Errors
    /// When the authorities to trust cannot be read; names the key and the file.
    pub(crate) fn of(config: &Config) -> io::Result<Option<Self>> {
        let tls = &config.tls;
        if !tls.is_acme() {
            return Ok(None);
        }
        let roots = tls.acme_ca.as_deref().map_or(Ok(Vec::new()), roots)?;
        let directory = tls.acme_directory.as_str().to_owned();
        Ok(Some(Self {
            domains: tls.acme_domains.iter().map(|domain| domain.as_str().to_owned()).collect(),
            kept: Kept::new(&config.data_dir, &directory),
            directory,
            contact: tls.acme_contact.clone(),
            roots,
        }))
    }

    /// The certificates that are kept already.
    fn domains(&self, log: &Log, now: SystemTime) -> Vec<Domain> {
        let load = |name: &String| {
            let certificate = self.kept.certificate(name).unwrap_or_else(|error| {
                log.acme_failed(name, &error.to_string(), Duration::ZERO);
                None
            });
            let certificate = certificate.map(Arc::new);
            let due = Due::first(certificate.as_deref(), now, rand::random());
            Domain { name: name.clone(), certificate, due }
        };
        self.domains.iter().map(load).collect()
    }
}

fn roots(file: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("tls.acme_ca: {error}"));
    certificates(file).map_err(named)
}

impl Acme {
    pub(super) fn new() -> Self {
        Self { settings: watch::Sender::new(None) }
    }

    /// Works with these from now on, and tries at once what failed. Certificates that are kept are in
    /// use when this returns.
    pub(super) fn set(&self, settings: Option<Settings>, resolver: &Resolver, log: &Log) {
        for domain in settings.iter().flat_map(|it| it.domains(log, SystemTime::now())) {
            if let Some(certificate) = domain.certificate {
                resolver.use_issued(&domain.name, certificate);
            }
        }
        self.settings.send_replace(settings.map(Arc::new));
    }

    /// Orders what is due, until it is dropped.
    pub(super) async fn run(&self, audience: Audience<'_>) {
        let mut settings = self.settings.subscribe();
        loop {
            let current = settings.borrow_and_update().clone();
            match current {
                Some(current) => run(&current, audience, &mut settings).await,
                None => changed(&mut settings).await,
            }
        }
    }
}

/// Orders what is due until there are other settings. An order that has begun is brought to its end.
async fn run(
    settings: &Settings,
    audience: Audience<'_>,
    news: &mut watch::Receiver<Option<Arc<Settings>>>,
) {
    let mut domains = settings.domains(audience.log, SystemTime::now());
    while !news.has_changed().unwrap_or(false) {
        let Some(domain) = domains.iter_mut().min_by_key(|domain| domain.due.at) else { return };
        let now = SystemTime::now();
        match domain.due.at.duration_since(now) {
            Ok(wait) if !wait.is_zero() => {
                tokio::select! {
                    () = tokio::time::sleep(wait.min(LOOK_EVERY)) => {}
                    () = changed(news) => return,
                }
            }
            _ => domain.renew(settings, audience).await,
        }
    }
}

async fn changed(news: &mut watch::Receiver<Option<Arc<Settings>>>) {
    if news.changed().await.is_err() {
        // Whoever sets them is gone, and so will be this.
        std::future::pending::<()>().await;
    }
}

impl Domain {
    /// Orders a certificate and uses it, or says why there is none and when it is tried again.
    async fn renew(&mut self, settings: &Settings, audience: Audience<'_>) {
        let Audience { resolver, log, metrics } = audience;
        log.acme_ordering(&self.name, &settings.directory);
        let issued = order::order(settings, &self.name, resolver).await;
        let issued = issued.and_then(|text| self.usable(&text).map(|new| (text, new)));
        let now = SystemTime::now();
        metrics.acme_order(issued.is_ok());
        match issued {
            Ok((text, certificate)) => {
                // One that cannot be kept is used all the same.
                if let Err(error) = settings.kept.keep_certificate(&self.name, &text) {
                    log.acme_not_kept(&self.name, &error);
                }
                let left = certificate.not_after.duration_since(now).unwrap_or_default();
                self.due.succeeded(&certificate, now, rand::random());
                resolver.use_issued(&self.name, Arc::new(certificate));
                log.acme_issued(&self.name, left);
            }
            Err(why) => {
                let wait = self.due.failed(now, rand::random());
                log.acme_failed(&self.name, &why, wait);
            }
        }
    }

    fn usable(&self, text: &str) -> Result<Certificate, String> {
        let certificate = Certificate::from_pem(text.as_bytes(), self.name.clone())?;
        if certificate.names.contains(&self.name) {
            return Ok(certificate);
        }
        Err(format!("what was issued is for {:?}", certificate.names))
    }
}
