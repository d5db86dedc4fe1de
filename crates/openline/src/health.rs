//! `openline health`: whether a server is well, as the checks of containers ask it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Uri;
use openline_ws::tls::rustls::pki_types::ServerName;
use openline_ws::tls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::cli::Health;
use crate::config;
use crate::connect::tls;
use crate::exit::{Exit, Failure};
use crate::serve::reachable;

/// An answer is a few words.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// All but wrong arguments is 1: container engines reserve the other codes.
pub(crate) fn run(arguments: &Health) -> Result<(), Failure> {
    let server = Target::of(arguments)?;
    let path = if arguments.live { "/health/live" } else { "/health/ready" };
    let ill = |what: String| Failure::new(Exit::Closed, format!("{}: {what}", server.url));
    let answer = server.ask(path, arguments.timeout).map_err(|error| ill(error.to_string()))?;
    match judge(&answer) {
        Ok(()) => config::print(if arguments.live { "live\n" } else { "ready\n" }),
        Err(what) => Err(ill(what)),
    }
}

/// Who is asked.
struct Target {
    url: String,
    host: String,
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

impl Target {
    fn of(arguments: &Health) -> Result<Self, Failure> {
        let (url, is_own) = match &arguments.url {
            Some(url) => (url.trim_end_matches('/').to_owned(), false),
            None => (own_address(arguments)?, true),
        };
        let wrong = |what| Failure::new(Exit::Usage, format!("{url}: {what}"));
        let uri: Uri = url.parse().map_err(|_| wrong("it is no URL"))?;
        let host = uri.host().ok_or_else(|| wrong("it has no host"))?;
        let is_secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong("it has to begin with http:// or https://")),
        };
        if uri.path() != "/" {
            return Err(wrong("it has to end behind the host and the port"));
        }
        let tls = match &arguments.ca {
            _ if !is_secure => None,
            Some(file) => Some(tls::with_roots(file)?),
            // The own machine is asked at its address, which is in no certificate.
            None if is_own || arguments.insecure => Some(tls::any_certificate()),
            None => Some(tls::system_roots()),
        };
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self { host, port, tls, url })
    }

    /// The whole answer to a request of this path, within this time.
    fn ask(&self, path: &str, timeout: Duration) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + timeout;
        let stream = Within { stream: self.connect(deadline)?, deadline };
        let Some(tls) = &self.tls else { return self.exchange(stream, path) };
        let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
        self.exchange(StreamOwned::new(connection, stream), path)
    }

    fn connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut failed = io::Error::other("the host has no address");
        for address in (self.host.as_str(), self.port).to_socket_addrs()? {
            match connect(&address, deadline) {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn exchange(&self, mut stream: impl Read + Write, path: &str) -> io::Result<Vec<u8>> {
        let authority = self.url.split_once("://").map_or("", |(_, authority)| authority);
        let version = env!("CARGO_PKG_VERSION");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: openline/{version}\r\n\
             Connection: close\r\n\r\n"
        )?;
        stream.flush()?;
        let mut answer = Vec::new();
        match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer) {
            // Servers that end TLS without saying so have answered all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => {}
            read => drop(read?),
        }
        Ok(answer)
    }
}

/// A connection that is read and written until a moment, not for so long each time.
struct Within {
    stream: TcpStream,
    deadline: Instant,
}

impl Read for Within {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(left(self.deadline)?))?;
        self.stream.read(buffer).map_err(late)
    }
}

impl Write for Within {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(left(self.deadline)?))?;
        self.stream.write(bytes).map_err(late)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn connect(address: &SocketAddr, deadline: Instant) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(address, left(deadline)?).map_err(late)
}

/// What is left of the time; a socket takes no time of 0.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }.map_err(late)
}

/// Time that is over has two names.
fn late(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
        }
        _ => error,
    }
}

/// The server that the configuration would start here.
fn own_address(arguments: &Health) -> Result<String, Failure> {
    let config = config::load(arguments.config.as_deref(), &[])?;
    let scheme = if config.tls.is_on() { "https" } else { "http" };
    Ok(format!("{scheme}://{}", reachable(config.listen)))
}

/// Whether an answer says that all is well; what it says otherwise.
fn judge(answer: &[u8]) -> Result<(), String> {
    let text = String::from_utf8_lossy(answer);
    let status = text.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1));
    let (status, body) = match (status, text.split_once("\r\n\r\n")) {
        (Some(status), Some((_, body))) => (status, body),
        _ => return Err("what answers does not speak HTTP".to_owned()),
    };
    if status == "200" {
        return Ok(());
    }
    let said: Option<serde_json::Value> = serde_json::from_str(body.trim()).ok();
    match said.as_ref().and_then(|said| said["error"]["message"].as_str()) {
        Some(message) => Err(format!("it answers {status}: {message}")),
        None => Err(format!("it answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_answer_says_whether_all_is_well_or_what_is_not() {
        let judged = |text: &str| judge(text.as_bytes());
        assert_eq!(judged("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok\n"), Ok(()));
        let stops = "HTTP/1.1 503 Service Unavailable\r\n\r\n\
                     {\"error\":{\"code\":\"shutting_down\",\"message\":\"the server stops\"}}";
        assert_eq!(judged(stops), Err("it answers 503: the server stops".to_owned()));
        assert_eq!(judged("HTTP/1.1 404 Not Found\r\n\r\nno"), Err("it answers 404".to_owned()));
        for other in ["", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\n", "\u{15}\u{3}"] {
            assert!(judged(other).unwrap_err().contains("does not speak HTTP"), "{other}");
        }
    }

    #[test]
    fn time_that_is_over_is_said_in_words() {
        let now = Instant::now();
        assert_eq!(left(now).unwrap_err().to_string(), "no answer in time");
        assert!(left(now + Duration::from_secs(60)).unwrap() > Duration::from_secs(50));
    }
}
