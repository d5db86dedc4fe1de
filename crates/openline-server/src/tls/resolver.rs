//! [`Resolver`]: what rustls asks for a certificate during a handshake.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use openline_ws::tls::rustls::server::{ClientHello, ResolvesServerCert};
use openline_ws::tls::rustls::sign::CertifiedKey;

use super::ACME_PROTOCOL;
use super::certificate::Certificate;
use super::choice::Choice;

/// The certificates in use. Connections that are open keep what they began with.
#[derive(Debug, Default)]
pub(super) struct Resolver {
    choice: RwLock<Arc<Choice>>,
    parts: Mutex<Parts>,
    /// What the authority is to be shown for a name that it looks at (RFC 8737).
    challenges: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

/// Where certificates come from.
#[derive(Debug, Default)]
struct Parts {
    files: Vec<Arc<Certificate>>,
    issued: Vec<(String, Arc<Certificate>)>,
}

impl Resolver {
    /// Uses these instead of those that were files before.
    pub(super) fn use_files(&self, files: Vec<Arc<Certificate>>) {
        let mut parts = lock(&self.parts);
        parts.files = files;
        self.swap(&parts);
    }

    /// Of the certificates that were issued keeps those for these domains.
    pub(super) fn keep_issued(&self, domains: &[String]) {
        let mut parts = lock(&self.parts);
        parts.issued.retain(|(domain, _)| domains.contains(domain));
        self.swap(&parts);
    }

    /// Uses a certificate that was issued for the domain.
    #[cfg(feature = "acme")]
    pub(super) fn use_issued(&self, domain: &str, certificate: Arc<Certificate>) {
        let mut parts = lock(&self.parts);
        match parts.issued.iter_mut().find(|(of, _)| of == domain) {
            Some((_, old)) => *old = certificate,
            None => parts.issued.push((domain.to_owned(), certificate)),
        }
        self.swap(&parts);
    }

    /// Shows the authority `key` when it asks for the domain; None: no more.
    #[cfg(feature = "acme")]
    pub(super) fn challenge(&self, domain: &str, key: Option<Arc<CertifiedKey>>) {
        let mut challenges = lock(&self.challenges);
        match key {
            Some(key) => challenges.insert(domain.to_owned(), key),
            None => challenges.remove(domain),
        };
    }

    pub(super) fn choice(&self) -> Arc<Choice> {
        self.choice.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn swap(&self, parts: &Parts) {
        let issued = parts.issued.iter().map(|(_, certificate)| certificate);
        let all = parts.files.iter().chain(issued).cloned().collect();
        let choice = Arc::new(Choice::new(all));
        *self.choice.write().unwrap_or_else(PoisonError::into_inner) = choice;
    }
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_challenge = hello.alpn().is_some_and(|mut alpn| {
            // RFC 8737, 3: it is the only protocol then.
            alpn.next() == Some(ACME_PROTOCOL) && alpn.next().is_none()
        });
        if is_challenge {
            let name = hello.server_name()?.to_ascii_lowercase();
            return lock(&self.challenges).get(&name).cloned();
        }
        let fits = |certificate: &Certificate| {
            certificate.key.key.choose_scheme(hello.signature_schemes()).is_some()
        };
        self.choice().find(hello.server_name(), fits).map(|found| found.key.clone())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
