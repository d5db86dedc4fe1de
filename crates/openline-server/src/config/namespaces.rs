//! [`Namespaces`]: those that are configured, and which one a channel has.

use std::collections::{BTreeMap, BTreeSet};

use super::keys::{Config, Namespace};
use super::table::{Change, Compare, Defaults, Difference};

/// The configured namespaces.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Namespaces {
    /// `[namespace.default]`: channels without a prefix, and what other namespaces leave out.
    pub default: Namespace,
    /// The others, by prefix.
    pub named: BTreeMap<String, Namespace>,
}

impl Defaults for Namespaces {
    fn defaults(with_file: bool) -> Self {
        Self { default: Namespace::defaults(with_file), named: BTreeMap::new() }
    }
}

impl Compare for Namespaces {
    fn compare(&self, newer: &Self, section: &str, found: &mut Vec<Difference>) {
        self.default.compare(&newer.default, &format!("{section}.default"), found);
        let names: BTreeSet<&String> = self.named.keys().chain(newer.named.keys()).collect();
        for name in names {
            let path = format!("{section}.{name}");
            let shown = |is_there| if is_there { "there" } else { "not there" }.to_owned();
            match (self.named.get(name), newer.named.get(name)) {
                (Some(before), Some(after)) => before.compare(after, &path, found),
                (before, after) => found.push(Difference {
                    path,
                    change: Change::Live,
                    before: shown(before.is_some()),
                    after: shown(after.is_some()),
                }),
            }
        }
    }
}

impl Namespaces {
    /// All of them with their names, the default one first.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Namespace)> {
        let named = self.named.iter().map(|(name, namespace)| (name.as_str(), namespace));
        std::iter::once(("default", &self.default)).chain(named)
    }
}

impl Config {
    /// The namespace of channels with this prefix (empty for those without one), or nothing if such
    /// channels are refused.
    pub fn namespace_of(&self, prefix: &str) -> Option<&Namespace> {
        let default = Some(&self.namespace.default);
        match self.namespace.named.get(prefix) {
            Some(namespace) => Some(namespace),
            None if prefix.is_empty() || prefix == "default" => default,
            None => default.filter(|_| !self.strict_namespaces),
        }
    }
}

/// Whether channels can have this prefix.
pub(super) fn is_name(name: &str) -> bool {
    const BYTES_MAX: usize = 64;
    (1..=BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
