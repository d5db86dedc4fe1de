//! One connection: opening handshake, batched writes, reads into a shared buffer.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};

use crate::args::Args;
use crate::frame::{self, Part, Reader};

/// The sample key of RFC 6455 section 1.3 and the answer it must get.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// How a ping of Engine.IO begins, and the whole of a pong.
const ENGINE_PING: u8 = b'2';
const ENGINE_PONG: &[u8] = b"3";

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// Where to connect and what to offer.
pub(crate) struct Target {
    /// The servers, each with the host that it is asked for; lines go to them in turn.
    servers: Vec<(SocketAddr, String)>,
    path: String,
    pub(crate) deflate: bool,
    /// Whether Engine.IO is spoken: the server's pings are then messages.
    pub(crate) engine_io: bool,
    /// Tokens that the lines bring to the handshake, in turn; none if empty.
    pub(crate) bearers: Vec<String>,
    /// The size of the socket's receive buffer; the system's own if absent.
    pub(crate) receive_buffer: Option<usize>,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("ws://").ok_or("--url must begin with ws://")?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self {
            servers: vec![server(host)?],
            path: format!("/{path}"),
            deflate: false,
            engine_io: false,
            bearers: Vec::new(),
            receive_buffer: None,
        })
    }

    /// Spreads the lines over the servers of `--also HOST,HOST` as well.
    pub(crate) fn take_others(&mut self, args: &mut Args) -> Result<(), String> {
        let others = args.take::<String>("also")?.unwrap_or_default();
        for host in others.split(',').filter(|host| !host.is_empty()) {
            self.servers.push(server(host)?);
        }
        Ok(())
    }

    /// The server of the line of this number.
    fn server(&self, number: usize) -> &(SocketAddr, String) {
        &self.servers[number % self.servers.len()]
    }

    fn connect(&self, number: usize) -> io::Result<std::net::TcpStream> {
        let (address, _) = self.server(number);
        let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
        if let Some(bytes) = self.receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.connect_timeout(&(*address).into(), HANDSHAKE_TIMEOUT)?;
        socket.set_tcp_nodelay(true)?;
        socket.set_read_timeout(Some(HANDSHAKE_TIMEOUT))?;
        Ok(socket.into())
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

/// An open line. Writes that did not fit wait in it; nothing else is kept.
pub(crate) struct Line {
    stream: TcpStream,
    reader: Reader,
    /// Bytes that followed the server's head in the same read.
    early: Vec<u8>,
    ping: Vec<u8>,
    engine_io: bool,
    /// The kind of the Engine.IO packet in progress, which is its first character.
    first: u8,
    waiting: Vec<u8>,
}

impl Line {
    /// Connects, demands a 101 and registers the socket under `token`.
    pub(crate) fn open(
        target: &Target,
        reader: Reader,
        registry: &Registry,
        token: usize,
    ) -> Result<Self, String> {
        let (stream, early) =
            shake_hands(target, token).map_err(|e| format!("line {token}: {e}"))?;
        let mut stream = TcpStream::from_std(stream);
        registry
            .register(&mut stream, Token(token), Interest::READABLE | Interest::WRITABLE)
            .map_err(|e| format!("line {token}: {e}"))?;
        Ok(Self {
            stream,
            reader,
            early,
            ping: Vec::new(),
            engine_io: target.engine_io,
            first: 0,
            waiting: Vec::new(),
        })
    }

    /// Reads until the socket is empty. Pings are answered here, and not shown.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        mut visit: impl FnMut(Part<'_>),
    ) -> Result<(), String> {
        if !self.early.is_empty() {
            let early = std::mem::take(&mut self.early);
            self.consume(&early, &mut visit)?;
        }
        loop {
            match self.stream.read(buffer) {
                Ok(0) => return Err("the server hung up".into()),
                Ok(count) => {
                    self.consume(&buffer[..count], &mut visit)?;
                    // A short read means that the socket is empty; more bytes
                    // raise a new edge.
                    if count < buffer.len() {
                        return Ok(());
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.to_string()),
            }
        }
    }

    /// Writes now what fits and keeps the rest for [`Line::flush`].
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut written = 0;
        if self.waiting.is_empty() {
            written = write_some(&mut self.stream, bytes)?;
        }
        self.waiting.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> Result<(), String> {
        if !self.waiting.is_empty() {
            let written = write_some(&mut self.stream, &self.waiting)?;
            self.waiting.drain(..written);
        }
        Ok(())
    }

    fn consume(&mut self, bytes: &[u8], visit: &mut impl FnMut(Part<'_>)) -> Result<(), String> {
        let (ping, first, engine_io) = (&mut self.ping, &mut self.first, self.engine_io);
        let mut pongs = Vec::new();
        self.reader.read(bytes, |part| match part {
            Part::Body { opcode: frame::PING, bytes, .. } => ping.extend_from_slice(bytes),
            Part::End { opcode: frame::PING, .. } => {
                pongs.extend(frame::client_frame(frame::PONG, ping));
                ping.clear();
            }
            Part::Body { opcode: frame::PONG, .. } | Part::End { opcode: frame::PONG, .. } => {}
            part if engine_io => {
                if let Part::Body { opcode: frame::TEXT, offset: 0, bytes } = part {
                    *first = bytes[0];
                }
                match part {
                    _ if *first != ENGINE_PING => visit(part),
                    Part::Body { .. } => {}
                    Part::End { .. } => {
                        pongs.extend(frame::client_frame(frame::TEXT, ENGINE_PONG));
                        *first = 0;
                    }
                }
            }
            part => visit(part),
        })?;
        if pongs.is_empty() { Ok(()) } else { self.write(&pongs) }
    }
}

fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> Result<usize, String> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e.to_string()),
        }
    }
    Ok(written)
}

/// Returns the socket, not blocking any more, and what came after the head.
fn shake_hands(target: &Target, number: usize) -> Result<(std::net::TcpStream, Vec<u8>), String> {
    let mut stream = target.connect(number).map_err(|e| format!("connect: {e}"))?;
    let text = |e: io::Error| format!("handshake: {e}");
    stream.write_all(request(target, number).as_bytes()).map_err(text)?;

    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(at) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err("the answer's head does not end".into());
        }
        match stream.read(&mut chunk).map_err(text)? {
            0 => return Err("the server hung up in the handshake".into()),
            count => head.extend_from_slice(&chunk[..count]),
        }
    };
    check_answer(target, &String::from_utf8_lossy(&head[..end]))?;
    stream.set_nonblocking(true).map_err(text)?;
    Ok((stream, head.split_off(end)))
}

fn request(target: &Target, number: usize) -> String {
    let authorization = match target.bearers.len() {
        0 => String::new(),
        count => format!("Authorization: Bearer {}\r\n", target.bearers[number % count]),
    };
    let extensions = if target.deflate {
        "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; \
         server_no_context_takeover\r\n"
    } else {
        ""
    };
    format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{authorization}{extensions}\r\n",
        target.path,
        target.server(number).1
    )
}

fn check_answer(target: &Target, head: &str) -> Result<(), String> {
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
    if deflate != target.deflate {
        return Err(format!("deflate offered: {}, agreed: {deflate}", target.deflate));
    }
    Ok(())
}
