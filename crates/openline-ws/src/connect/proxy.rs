//! HTTP proxies, by CONNECT (RFC 9110 §9.3.6).

use std::net::IpAddr;

use http::Uri;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::address::{Address, basic};
use super::{ConnectError, read_head};

/// An HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    authorization: Option<String>,
}

impl Proxy {
    /// A proxy by its address, `http://[user:password@]host[:port]`.
    ///
    /// # Errors
    /// [`ConnectError::Proxy`] for any other form; proxies that are themselves reached by TLS, and
    /// SOCKS, are not spoken.
    pub fn parse(url: &str) -> Result<Self, ConnectError> {
        let invalid = |what: &str| ConnectError::Proxy(format!("{url:?} {what}"));
        let with_scheme =
            if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let uri: Uri = with_scheme.parse().map_err(|_| invalid("is not a URL"))?;
        if uri.scheme_str() != Some("http") {
            return Err(invalid("is not an http:// proxy, the only kind that is spoken"));
        }
        let host = uri.host().ok_or_else(|| invalid("has no host"))?.to_owned();
        let user = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
        let authorization = user.map(|(user, _)| basic(user));
        Ok(Self { host, port: uri.port_u16().unwrap_or(80), authorization })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// What the environment says for this address.
    pub(super) fn from_environment(address: &Address) -> Result<Option<Self>, ConnectError> {
        Self::from_variables(address, |name| std::env::var(name).ok())
    }

    fn from_variables(
        address: &Address,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, ConnectError> {
        let either_case = |name: &str| {
            variable(&name.to_ascii_lowercase())
                .or_else(|| variable(name))
                .filter(|value| !value.is_empty())
        };
        let names = match address.secure {
            true => ["WSS_PROXY", "HTTPS_PROXY", "ALL_PROXY"],
            false => ["WS_PROXY", "HTTP_PROXY", "ALL_PROXY"],
        };
        if is_loopback(&address.host)
            || either_case("NO_PROXY").is_some_and(|list| is_excepted(&address.host, &list))
        {
            return Ok(None);
        }
        names.into_iter().find_map(either_case).map(|url| Self::parse(&url)).transpose()
    }

    /// Asks the proxy on `stream` for a tunnel to the address.
    pub(super) async fn tunnel(
        &self,
        mut stream: TcpStream,
        address: &Address,
    ) -> Result<TcpStream, ConnectError> {
        let target = format!("{}:{}", address.host, address.port);
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(ConnectError::Io)?;
        let head = read_head(&mut stream).await?;
        let status = head.response().map_err(ConnectError::Head)?.status();
        if !status.is_success() {
            return Err(ConnectError::Proxy(format!("it answered {status} to CONNECT {target}")));
        }
        // RFC 9110 §9.3.6: behind the head of a 2xx the tunnel begins, and our side speaks first.
        match head.into_rest().is_empty() {
            true => Ok(stream),
            false => Err(ConnectError::Proxy("it sent data before the tunnel was used".to_owned())),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let name = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// `NO_PROXY`: hosts and domains, each with its subdomains, or `*`.
fn is_excepted(host: &str, list: &str) -> bool {
    let host = host.to_ascii_lowercase();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        let domain = entry.trim_start_matches("*.").trim_start_matches('.');
        entry == "*"
            || (!domain.is_empty()
                && (host == domain || host.strip_suffix(domain).is_some_and(|h| h.ends_with('.'))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let lookup = |name: &str| {
            variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
        };
        let proxy = Proxy::from_variables(&Address::parse(url).unwrap(), lookup).unwrap();
        proxy.map(|proxy| proxy.host)
    }

    #[test]
    fn the_environment_is_asked_by_scheme() {
        let both = [("http_proxy", "http://plain:1"), ("HTTPS_PROXY", "http://secure:2")];
        assert_eq!(chosen("ws://a.test", &both).as_deref(), Some("plain"));
        assert_eq!(chosen("wss://a.test", &both).as_deref(), Some("secure"));
        assert_eq!(chosen("wss://a.test", &[("ALL_PROXY", "any:3")]).as_deref(), Some("any"));
        assert_eq!(chosen("ws://a.test", &[]), None);
    }

    #[test]
    fn no_proxy_and_loopback_are_excepted() {
        let with = |list| [("HTTP_PROXY", "http://p"), ("NO_PROXY", list)];
        for list in ["*", "a.test", ".test", "*.test", "x, A.TEST"] {
            assert_eq!(chosen("ws://a.test", &with(list)), None, "{list}");
        }
        assert!(chosen("ws://ba.test", &with("a.test")).is_some());
        for loopback in ["ws://localhost", "ws://127.0.0.2", "ws://[::1]"] {
            assert_eq!(chosen(loopback, &with("")), None, "{loopback}");
        }
    }

    #[test]
    fn other_kinds_of_proxies_are_refused() {
        for url in ["socks5://p", "https://p"] {
            assert!(Proxy::parse(url).is_err(), "{url}");
        }
        let proxy = Proxy::parse("http://u:p@host:3128").unwrap();
        assert_eq!((proxy.port, proxy.authorization.as_deref()), (3128, Some("Basic dTpw")));
    }
}
