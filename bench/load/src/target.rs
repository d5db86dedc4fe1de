//! [`Target`]: where lines go, and what they offer there.

use std::io::{self, Read};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};

use crate::args::Args;
use crate::wire::{Opening, tls_config};

/// The sample key of RFC 6455 section 1.3 and the answer it must get.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Where to connect and what to offer.
pub(crate) struct Target {
    /// The servers, each with the host that it is asked for; lines go to them in turn.
    servers: Vec<(SocketAddr, String)>,
    path: String,
    tls: Option<Arc<ClientConfig>>,
    pub(crate) deflate: bool,
    /// Whether Engine.IO is spoken: the server's pings are then messages.
    pub(crate) engine_io: bool,
    /// Tokens that the lines bring to the handshake, in turn; none if empty.
    pub(crate) bearers: Vec<String>,
    /// The size of the socket's receive buffer; the system's own if absent.
    pub(crate) receive_buffer: Option<usize>,
}

impl Target {
    /// The servers of `--url` and of `--also HOST,HOST`, among which the lines are spread; over TLS
    /// with `--ca FILE`, which holds the certificate.
    pub(crate) fn take(args: &mut Args) -> Result<Self, String> {
        let mut target = Self::parse(&args.required::<String>("url")?)?;
        let others = args.take::<String>("also")?.unwrap_or_default();
        for host in others.split(',').filter(|host| !host.is_empty()) {
            target.servers.push(server(host)?);
        }
        if let Some(ca) = args.take::<String>("ca")? {
            target.tls = Some(tls_config(&ca)?);
        }
        Ok(target)
    }

    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("ws://").ok_or("--url must begin with ws://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self {
            servers: vec![server(host)?],
            path: format!("/{path}"),
            tls: None,
            deflate: false,
            engine_io: false,
            bearers: Vec::new(),
            receive_buffer: None,
        })
    }

    /// The server of the line of this number.
    fn server(&self, number: usize) -> &(SocketAddr, String) {
        &self.servers[number % self.servers.len()]
    }

    /// The request with which the line of this number begins.
    pub(crate) fn request(&self, number: usize) -> String {
        let authorization = match self.bearers.len() {
            0 => String::new(),
            count => format!("Authorization: Bearer {}\r\n", self.bearers[number % count]),
        };
        let extensions = if self.deflate {
            "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; \
             server_no_context_takeover\r\n"
        } else {
            ""
        };
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{authorization}{extensions}\r\n",
            self.path,
            self.server(number).1
        )
    }

    /// A request for something that is no line.
    pub(crate) fn get(&self, number: usize, accept: &str) -> String {
        let (path, (_, host)) = (&self.path, self.server(number));
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: {accept}\r\n\r\n")
    }

    /// Fails unless it is a 101 with what was offered.
    pub(crate) fn check_answer(&self, head: &str) -> Result<(), String> {
        let status = head.lines().next().unwrap_or_default();
        if !status.starts_with("HTTP/1.1 101") {
            return Err(format!("not a 101: {status}"));
        }
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim())
        };
        if header("sec-websocket-accept") != Some(ACCEPT) {
            return Err("Sec-WebSocket-Accept is wrong".into());
        }
        let deflate = header("sec-websocket-extensions")
            .is_some_and(|value| value.contains("permessage-deflate"));
        if deflate != self.deflate {
            return Err(format!("deflate offered: {}, agreed: {deflate}", self.deflate));
        }
        Ok(())
    }

    /// The same servers, another path.
    pub(crate) fn at(&self, path: &str) -> Self {
        Self {
            servers: self.servers.clone(),
            path: path.to_owned(),
            tls: self.tls.clone(),
            deflate: false,
            engine_io: false,
            bearers: Vec::new(),
            receive_buffer: None,
        }
    }

    pub(crate) fn connect(&self, number: usize) -> io::Result<Opening> {
        let (address, _) = self.server(number);
        let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.connect_timeout(&(*address).into(), HANDSHAKE_TIMEOUT)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(HANDSHAKE_TIMEOUT))?;
        Opening::new(socket.into(), self.tls.as_ref())
    }
}

fn server(host: &str) -> Result<(SocketAddr, String), String> {
    let address = host
        .to_socket_addrs()
        .map_err(|e| format!("{host}: {e}"))?
        .next()
        .ok_or_else(|| format!("{host} has no address"))?;
    if !address.ip().is_loopback() {
        return Err(format!("{host} is not loopback"));
    }
    Ok((address, host.to_owned()))
}

/// The head of an answer, and what came behind it.
pub(crate) fn read_head(stream: &mut impl Read) -> Result<(String, Vec<u8>), String> {
    let text = |e: io::Error| format!("handshake: {e}");

    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(end) = head_end(&head) {
            break end;
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err("the answer's head does not end".into());
        }
        match stream.read(&mut chunk).map_err(text)? {
            0 => return Err("the server hung up in the handshake".into()),
            count => head.extend_from_slice(&chunk[..count]),
        }
    };
    let rest = head.split_off(end);
    Ok((String::from_utf8_lossy(&head).into_owned(), rest))
}

/// Where a head ends, if it does.
pub(crate) fn head_end(head: &[u8]) -> Option<usize> {
    head.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}
