//! Where to: an address taken apart.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::{HeaderValue, Uri};

use super::ConnectError;

#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) uri: Uri,
    pub(crate) secure: bool,
    /// An IPv6 address keeps its brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Address {
    /// RFC 6455 §3.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let invalid = |what: &str| ConnectError::Url(format!("{url:?} {what}"));
        let uri: Uri = url.parse().map_err(|_| invalid("is not a URL"))?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            Some("http") => return Err(invalid("has the scheme http; use ws")),
            Some("https") => return Err(invalid("has the scheme https; use wss")),
            _ => return Err(invalid("has to begin with ws:// or wss://")),
        };
        let host =
            uri.host().filter(|host| !host.is_empty()).ok_or_else(|| invalid("has no host"))?;
        let host = host.to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Self { uri, secure, host, port })
    }

    /// The host as a name or an address, without the brackets that RFC 3986 §3.2.2 puts around IPv6.
    #[cfg(feature = "tls")]
    pub(crate) fn name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Basic authorization (RFC 7617) from the user information, if there is any.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let (user, _) = self.uri.authority()?.as_str().rsplit_once('@')?;
        HeaderValue::from_str(&basic(user)).ok()
    }
}

/// The value of a basic authorization header for `user:password` as it stands in a URL.
pub(crate) fn basic(user: &str) -> String {
    format!("Basic {}", BASE64.encode(percent_decoded(user)))
}

/// RFC 3986 §2.1. A `%` that begins no escape stays as it is.
fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%')
            .then(|| tail.get(..2))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        out.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_default_by_scheme() {
        assert_eq!(Address::parse("ws://a/x").unwrap().port, 80);
        assert_eq!(Address::parse("wss://a").unwrap().port, 443);
        assert_eq!(Address::parse("ws://[::1]:9/x").unwrap().host, "[::1]");
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (url, what) in [
            ("http://a", "use ws"),
            ("https://a", "use wss"),
            ("a.example", "has to begin with ws:// or wss://"),
            ("ws://", "is not a URL"),
            ("ws:///x", "is not a URL"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(what), "{url}: {error}");
        }
    }

    #[test]
    fn user_and_password_become_basic_authorization() {
        let address = Address::parse("ws://me:a%40b@host/").unwrap();
        assert_eq!(address.authorization().unwrap(), "Basic bWU6YUBi");
        assert!(Address::parse("ws://host/").unwrap().authorization().is_none());
    }
}
