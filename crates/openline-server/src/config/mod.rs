//! The configuration: one file, and for each of its keys an environment variable and a flag.
//!
//! `keys` describes every key once; the rest of this module reads, checks and shows what stands
//! there. A flag wins over a variable, a variable over the file, the file over the default.
//! Without a file some defaults are others: a server to try things with on the own machine.

mod broker_url;
mod check;
mod choice;
mod document;
mod error;
mod file;
mod keys;
mod list;
mod namespaces;
mod network;
mod quantity;
mod secret;
mod signing;
mod table;
#[cfg(test)]
pub(crate) mod tests;
mod tls;
mod value;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;

pub use broker_url::{BrokerKind, BrokerUrl};
pub use choice::{
    Algorithm, Duplicates, HistoryLevel, LogFormat, LogLevel, Publishers, Readers, SlowConsumer,
    Subscribers, Uploaders, WebhookDecision, WebhookEvent,
};
pub use document::{default_file, markdown};
pub use error::{ConfigError, Place};
pub use keys::{
    Api, Auth, Broker, Config, Drain, History, Http, Limits, Log, Metrics, Namespace, Node,
    Overload, Rates, SocketIo, Tls, Upgrade, Uploads, Webhook,
};
pub use namespaces::Namespaces;
pub use network::{
    BrokerPrefix, CookieName, DomainName, HostPattern, HttpUrl, Network, NodeName, OriginPattern,
    PrivateTarget,
};
pub use quantity::{Rate, Size};
pub use secret::Secret;
pub use signing::SigningKey;
pub use table::{Change, Difference, Key};
pub use tls::CertificateFiles;

use error::{nearest, unknown_key};
use table::{Compare as _, Defaults as _, Table};
use value::{Complaint, Input};

/// Longer files are something else.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A table of the file, and what it is about.
#[derive(Debug)]
struct Section {
    name: &'static str,
    about: &'static [&'static str],
    keys: &'static [Key],
}

/// Variables that are not keys of the file: the one that names it, and those that `openline publish`
/// takes its key from and `openline connect` its token.
const OTHER_VARIABLES: [&str; 3] = ["OPENLINE_CONFIG", "OPENLINE_API_KEY", "OPENLINE_TOKEN"];

impl Default for Config {
    /// What holds without a file.
    fn default() -> Self {
        Self::defaults(false)
    }
}

impl Config {
    const SECTIONS: &'static [Section] = &[
        Section { name: "tls", about: Tls::ABOUT, keys: Tls::KEYS },
        Section { name: "http", about: Http::ABOUT, keys: Http::KEYS },
        Section { name: "auth", about: Auth::ABOUT, keys: Auth::KEYS },
        Section { name: "history", about: History::ABOUT, keys: History::KEYS },
        Section { name: "broker", about: Broker::ABOUT, keys: Broker::KEYS },
        Section { name: "node", about: Node::ABOUT, keys: Node::KEYS },
        Section { name: "namespace", about: Namespace::ABOUT, keys: Namespace::KEYS },
        Section { name: "limits", about: Limits::ABOUT, keys: Limits::KEYS },
        Section { name: "rates", about: Rates::ABOUT, keys: Rates::KEYS },
        Section { name: "overload", about: Overload::ABOUT, keys: Overload::KEYS },
        Section { name: "drain", about: Drain::ABOUT, keys: Drain::KEYS },
        Section { name: "upgrade", about: Upgrade::ABOUT, keys: Upgrade::KEYS },
        Section { name: "socketio", about: SocketIo::ABOUT, keys: SocketIo::KEYS },
        Section { name: "uploads", about: Uploads::ABOUT, keys: Uploads::KEYS },
        Section { name: "api", about: Api::ABOUT, keys: Api::KEYS },
        Section { name: "metrics", about: Metrics::ABOUT, keys: Metrics::KEYS },
        Section { name: "webhook", about: Webhook::ABOUT, keys: Webhook::KEYS },
        Section { name: "log", about: Log::ABOUT, keys: Log::KEYS },
    ];

    /// The table of a name, unless it is one of namespaces.
    fn section(&mut self, name: &str) -> Option<&mut dyn Table> {
        Some(match name {
            "tls" => &mut self.tls,
            "http" => &mut self.http,
            "auth" => &mut self.auth,
            "history" => &mut self.history,
            "broker" => &mut self.broker,
            "node" => &mut self.node,
            "limits" => &mut self.limits,
            "rates" => &mut self.rates,
            "overload" => &mut self.overload,
            "drain" => &mut self.drain,
            "upgrade" => &mut self.upgrade,
            "socketio" => &mut self.socketio,
            "uploads" => &mut self.uploads,
            "api" => &mut self.api,
            "metrics" => &mut self.metrics,
            "webhook" => &mut self.webhook,
            "log" => &mut self.log,
            _ => return None,
        })
    }

    /// The keys that have a variable and a flag: all but those of namespaces.
    pub fn keys() -> impl Iterator<Item = &'static Key> {
        let sections = Self::SECTIONS.iter().filter(|section| section.name != "namespace");
        Self::KEYS.iter().chain(sections.flat_map(|section| section.keys))
    }

    /// The keys whose values are others in `newer`, in the order of their description.
    pub fn differences(&self, newer: &Self) -> Vec<Difference> {
        let mut found = Vec::new();
        self.compare(newer, "", &mut found);
        found
    }

    /// Reads the file, the environment and the flags, and checks what they say together.
    ///
    /// A flag is named by its key, as in `http.allowed_origins`. A list may be given by several.
    ///
    /// # Errors
    /// Everything that is wrong. How keys stand together is checked when each is right by itself.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<ConfigError>> {
        let text = match file {
            None => None,
            Some(path) => {
                let name = path.display().to_string();
                match read_file(path) {
                    Ok(text) => Some((name, text)),
                    Err(what) => return Err(vec![ConfigError { place: Place::File(name), what }]),
                }
            }
        };
        let text = text.as_ref().map(|(name, text)| (name.as_str(), text.as_str()));
        Self::read(text, environment, flags)
    }

    /// [`Config::load`] with the name and the text of the file.
    ///
    /// # Errors
    /// As there.
    pub fn read(
        file: Option<(&str, &str)>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<ConfigError>> {
        let mut config = Self::defaults(file.is_some());
        let mut errors = Vec::new();
        if let Some((name, text)) = file {
            errors.extend(file::read(&mut config, name, text));
        }
        errors.extend(config.read_environment(environment));
        errors.extend(config.read_flags(flags));
        if errors.is_empty() { config.checked() } else { Err(errors) }
    }

    /// The same for a server that is reached at this address, whatever `listen` says.
    ///
    /// # Errors
    /// What is unsafe there.
    pub fn reached_at(self, address: SocketAddr) -> Result<Self, Vec<ConfigError>> {
        Self { listen: address, ..self }.checked()
    }

    /// The same, if nothing in it is unsafe or contradicts itself.
    pub(crate) fn checked(self) -> Result<Self, Vec<ConfigError>> {
        let errors = self.contradictions();
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    fn read_environment(
        &mut self,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Vec<ConfigError> {
        let mut ours: BTreeMap<String, String> = environment
            .into_iter()
            .filter(|(name, _)| name.starts_with("OPENLINE_"))
            .filter(|(name, _)| !OTHER_VARIABLES.contains(&name.as_str()))
            .collect();
        let mut errors = Vec::new();
        for key in Self::keys() {
            let Some(text) = ours.remove(&key.variable()) else { continue };
            let place = Place::Variable(key.variable());
            errors.extend(self.set(key, &text).map(|what| ConfigError { place, what }));
        }
        errors.extend(ours.keys().filter_map(|name| unknown_variable(name)));
        errors
    }

    fn read_flags(
        &mut self,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Vec<ConfigError> {
        let mut given: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, text) in flags {
            given.entry(path).or_default().push(text);
        }
        let mut errors = Vec::new();
        for key in Self::keys() {
            let Some(texts) = given.remove(&key.path()) else { continue };
            let text = if key.is_list() { texts.join(",") } else { texts.concat() };
            let place = Place::Flag(key.flag());
            errors.extend(self.set(key, &text).map(|what| ConfigError { place, what }));
        }
        for path in given.into_keys() {
            let what = unknown_key(&path, "", &[]);
            errors.push(ConfigError { place: Place::Flag(path), what });
        }
        errors
    }

    /// Sets one key from text; what is wrong with it comes back.
    fn set(&mut self, key: &Key, text: &str) -> Option<String> {
        let table = match key.section() {
            "" => self,
            section => self.section(section)?,
        };
        match table.set(key.name, &Input::Text(text)).err()? {
            Complaint::Value { what, .. } | Complaint::Inside { what, .. } => Some(what),
            Complaint::UnknownKey => Some(unknown_key(key.name, key.section, table.keys())),
        }
    }
}

/// Variables of other programs may begin with our name too, so only what looks like a slip is an
/// error.
fn unknown_variable(name: &str) -> Option<ConfigError> {
    let rest = name.strip_prefix("OPENLINE_")?;
    let what = if rest.starts_with("NAMESPACE_") {
        "namespaces have no variables; write [namespace.default] in the file".to_owned()
    } else {
        let known: Vec<String> =
            Config::keys().map(|key| key.variable()["OPENLINE_".len()..].to_lowercase()).collect();
        let near = nearest(rest, known.iter().map(String::as_str))?;
        format!("unknown variable; did you mean OPENLINE_{}?", near.to_uppercase())
    };
    Some(ConfigError { place: Place::Variable(name.to_owned()), what })
}

fn read_file(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let mut bytes = Vec::new();
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err("longer than 1 MiB; that is no configuration".to_owned());
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("not UTF-8 at byte {}", error.utf8_error().valid_up_to()))
}
