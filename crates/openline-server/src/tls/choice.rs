//! [`Choice`]: which certificate a client gets.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::certificate::Certificate;

/// The certificates in use, by the names that stand in them.
#[derive(Debug, Default)]
pub(super) struct Choice {
    certificates: Vec<Arc<Certificate>>,
    /// Names, and names without `*.`, with the certificates that have them, the first to take first.
    exact: HashMap<String, Vec<usize>>,
    wildcard: HashMap<String, Vec<usize>>,
}

impl Choice {
    /// The first is for clients that name no server, or one that no certificate has.
    pub(super) fn new(certificates: Vec<Arc<Certificate>>) -> Self {
        let mut choice = Self::default();
        for (index, certificate) in certificates.iter().enumerate() {
            for name in &certificate.names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut choice.wildcard, parent),
                    None => (&mut choice.exact, name.as_str()),
                };
                names.entry(name.to_owned()).or_default().push(index);
            }
        }
        choice.certificates = certificates;
        choice
    }

    /// The certificate for a client that asks for this name, of those that it can check. An exact name
    /// goes before `*.`, which stands for one label.
    pub(super) fn find(
        &self,
        name: Option<&str>,
        fits: impl Fn(&Certificate) -> bool,
    ) -> Option<&Arc<Certificate>> {
        let name = name.map(str::to_ascii_lowercase);
        let exact = name.as_ref().and_then(|name| self.exact.get(name));
        let parent = name.as_ref().and_then(|name| name.split_once('.')).map(|(_, parent)| parent);
        let wildcard = parent.and_then(|parent| self.wildcard.get(parent));
        let named = exact.into_iter().chain(wildcard).flatten();
        let mut named = named.map(|index| &self.certificates[*index]).peekable();
        match named.peek() {
            Some(_) => named.find(|certificate| fits(certificate)),
            None => self.certificates.iter().find(|certificate| fits(certificate)),
        }
    }

    pub(super) fn all(&self) -> &[Arc<Certificate>] {
        &self.certificates
    }

    /// When the first of them expires.
    pub(super) fn first_expiry(&self) -> Option<SystemTime> {
        self.certificates.iter().map(|certificate| certificate.not_after).min()
    }
}
