//! The floor: one epoll, one buffer, bytes go back as they came.
//!
//! It answers the opening handshake and then knows nothing of WebSocket, so the
//! frames come back masked: this is what the sockets alone cost on a machine. Run
//! the load generator with `--raw` against it.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 256 * 1024;
const HEAD_BYTES_MAX: usize = 16 * 1024;

struct Line {
    stream: TcpStream,
    /// The request's head until it is complete, then nothing.
    head: Vec<u8>,
    open: bool,
    waiting: Vec<u8>,
}

fn main() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = listen(address())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut lines: HashMap<usize, Line> = HashMap::new();
    let mut next_token = 0;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut events = Events::with_capacity(1024);
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                accept_all(&listener, &poll, &mut lines, &mut next_token)?;
            } else if let Some(line) = lines.get_mut(&event.token().0)
                && line.turn(&mut buffer).is_err()
            {
                lines.remove(&event.token().0);
            }
        }
    }
}

fn address() -> SocketAddr {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.as_slice() {
        [flag, address] if flag == "--listen" => address.parse().expect("HOST:PORT is needed"),
        _ => panic!("--listen HOST:PORT is needed"),
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {address}");
    Ok(listener)
}

fn accept_all(
    listener: &TcpListener,
    poll: &Poll,
    lines: &mut HashMap<usize, Line>,
    next_token: &mut usize,
) -> io::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(_) => continue,
        };
        stream.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry().register(&mut stream, Token(*next_token), interest)?;
        let line = Line { stream, head: Vec::new(), open: false, waiting: Vec::new() };
        lines.insert(*next_token, line);
        *next_token += 1;
    }
}

impl Line {
    /// Echoes until the socket is empty, or full the other way.
    fn turn(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            if !self.flush()? {
                return Ok(());
            }
            let count = match self.stream.read(buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            if self.open {
                self.write(&buffer[..count])?;
            } else {
                self.shake_hands(&buffer[..count])?;
            }
            if count < buffer.len() && self.waiting.is_empty() {
                return Ok(());
            }
        }
    }

    fn shake_hands(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.head.extend_from_slice(bytes);
        if self.head.len() > HEAD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if !self.head.ends_with(b"\r\n\r\n") {
            return Ok(());
        }
        let head = String::from_utf8_lossy(&std::mem::take(&mut self.head)).into_owned();
        let key = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
            .map(|(_, value)| value.trim())
            .ok_or(io::ErrorKind::InvalidData)?;
        let seal = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
        let accept = STANDARD.encode(sha1_smol::Sha1::from(seal).digest().bytes());
        self.open = true;
        self.write(
            format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            )
            .as_bytes(),
        )
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = write_some(&mut self.stream, bytes)?;
        self.waiting.extend_from_slice(&bytes[written..]);
        Ok(())
    }

    /// Returns whether nothing waits any more.
    fn flush(&mut self) -> io::Result<bool> {
        if !self.waiting.is_empty() {
            let written = write_some(&mut self.stream, &self.waiting)?;
            self.waiting.drain(..written);
        }
        Ok(self.waiting.is_empty())
    }
}

fn write_some(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<usize> {
    let mut written = 0;
    while written < bytes.len() {
        match stream.write(&bytes[written..]) {
            Ok(count) => written += count,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(written)
}
