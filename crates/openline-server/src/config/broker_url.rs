//! [`BrokerUrl`]: where a shared broker is, which may say a password.

use std::fmt;

use http::Uri;

use super::value::Text;

/// Where a shared broker is. Neither logs nor errors show it; [`BrokerUrl::shown`] is what they may.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    text: String,
    kind: BrokerKind,
}

/// What stands at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerKind {
    /// Redis, from version 7.0.
    Redis,
    /// NATS with JetStream, from version 2.9.
    Nats,
}

impl BrokerUrl {
    /// All of it, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What stands at the other end.
    pub fn kind(&self) -> BrokerKind {
        self.kind
    }

    /// Whether it is reached by TLS.
    pub fn is_tls(&self) -> bool {
        self.text.starts_with("rediss://") || self.text.starts_with("tls://")
    }

    /// Without user and password.
    pub fn shown(&self) -> String {
        let Some((scheme, rest)) = self.text.split_once("://") else { return String::new() };
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{host}")
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.shown())
    }
}

impl Text for BrokerUrl {
    const IS_SECRET: bool = true;

    fn kind() -> String {
        "URL".to_owned()
    }

    fn expected() -> String {
        "a URL that begins with redis://, rediss://, nats:// or tls://".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let kind = match uri.scheme_str()? {
            "redis" | "rediss" => BrokerKind::Redis,
            "nats" | "tls" => BrokerKind::Nats,
            _ => return None,
        };
        uri.host().filter(|host| !host.is_empty())?;
        Some(Self { text: text.to_owned(), kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_says_what_it_is() {
        let kind = |text: &str| BrokerUrl::parse(text).map(|url| (url.kind(), url.is_tls()));
        assert_eq!(kind("redis://127.0.0.1:6379"), Some((BrokerKind::Redis, false)));
        assert_eq!(kind("rediss://u:p@redis.internal/0"), Some((BrokerKind::Redis, true)));
        assert_eq!(kind("nats://nats.internal"), Some((BrokerKind::Nats, false)));
        assert_eq!(kind("tls://nats.internal:4222"), Some((BrokerKind::Nats, true)));
        for wrong in ["", "redis", "127.0.0.1:6379", "http://redis", "redis://", "kafka://a"] {
            assert_eq!(kind(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn its_password_is_not_shown() {
        let url = BrokerUrl::parse("redis://me:hunter2@redis.internal:6380/1").unwrap();
        assert_eq!(url.shown(), "redis://redis.internal:6380/1");
        assert_eq!(format!("{url:?}"), "\"redis://redis.internal:6380/1\"");
        assert!(url.expose().contains("hunter2"));
    }
}
