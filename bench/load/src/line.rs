//! One connection: opening handshake, batched writes, reads into a shared buffer.

use std::io::{self, Read, Write};

use mio::Registry;
use mio::net::TcpStream;

use crate::frame::{self, Part, Reader};
use crate::target::{Target, read_head};
use crate::wire::{Opening, Wire};

/// How a ping of Engine.IO begins, and the whole of a pong.
const ENGINE_PING: u8 = b'2';
const ENGINE_PONG: &[u8] = b"3";

/// An open line. Writes that did not fit wait in it; nothing else is kept.
pub(crate) struct Line {
    stream: Wire<TcpStream>,
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
        let stream = stream.register(registry, token).map_err(|e| format!("line {token}: {e}"))?;
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
                    if count < buffer.len() && self.stream.ends_short() {
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
        match self.stream.flush() {
            Err(e) if e.kind() != io::ErrorKind::WouldBlock => Err(e.to_string()),
            _ => Ok(()),
        }
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

fn write_some(stream: &mut impl Write, bytes: &[u8]) -> Result<usize, String> {
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
fn shake_hands(target: &Target, number: usize) -> Result<(Opening, Vec<u8>), String> {
    let mut stream = target.connect(number).map_err(|e| format!("connect: {e}"))?;
    let text = |e: io::Error| format!("handshake: {e}");
    stream.write_all(target.request(number).as_bytes()).map_err(text)?;
    let (head, rest) = read_head(&mut stream)?;
    target.check_answer(&head)?;
    Ok((stream, rest))
}
