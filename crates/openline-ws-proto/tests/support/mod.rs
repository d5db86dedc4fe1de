//! A scripted peer: it builds frames bit by bit, lawful or not, and reads what comes back with a
//! decoder of its own, so that the crate is not checked against itself.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::sync::Arc;

use openline_ws_proto::{
    CloseCode, CloseReason, Config, Connection, DeflateParams, Event, FrameKind, Limits, MaskKey,
    Prepared, ProtocolError, Role, State, Timestamp,
};

/// The key that every frame of a client has here.
pub(crate) const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const CONTINUATION: u8 = 0x0;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xa;

/// The moment at which everything happens that is not about time.
pub(crate) const NOW: Timestamp = Timestamp(1_000);

/// A frame to be sent to the connection under test.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    first: u8,
    length: Option<Vec<u8>>,
    masked: bool,
    payload: Vec<u8>,
}

/// A final frame from a client.
pub(crate) fn frame(opcode: u8, payload: impl AsRef<[u8]>) -> Frame {
    Frame { first: 0x80 | opcode, length: None, masked: true, payload: payload.as_ref().to_vec() }
}

impl Frame {
    /// More frames of the message follow.
    pub(crate) fn more(mut self) -> Self {
        self.first &= 0x7f;
        self
    }

    /// Sets RSV1 (4), RSV2 (2), RSV3 (1).
    pub(crate) fn rsv(mut self, bits: u8) -> Self {
        self.first |= bits << 4;
        self
    }

    /// As a server sends it.
    pub(crate) fn unmasked(mut self) -> Self {
        self.masked = false;
        self
    }

    /// From the peer of a connection in `role`.
    pub(crate) fn to(mut self, role: Role) -> Self {
        self.masked = role == Role::Server;
        self
    }

    /// Claims `length` in two bytes, whatever the payload is.
    pub(crate) fn length16(mut self, length: u16) -> Self {
        self.length = Some([&[126][..], &length.to_be_bytes()].concat());
        self
    }

    /// Claims `length` in eight bytes, whatever the payload is.
    pub(crate) fn length64(mut self, length: u64) -> Self {
        self.length = Some([&[127][..], &length.to_be_bytes()].concat());
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![self.first];
        let length = self.length.clone().unwrap_or_else(|| shortest(self.payload.len()));
        out.extend_from_slice(&length);
        if self.masked {
            out[1] |= 0x80;
            out.extend_from_slice(&KEY);
        }
        out.extend(
            self.payload
                .iter()
                .enumerate()
                .map(|(i, byte)| if self.masked { byte ^ KEY[i % 4] } else { *byte }),
        );
        out
    }
}

fn shortest(len: usize) -> Vec<u8> {
    match len {
        0..=125 => vec![len as u8],
        126..=0xffff => [&[126][..], &(len as u16).to_be_bytes()].concat(),
        _ => [&[127][..], &(len as u64).to_be_bytes()].concat(),
    }
}

/// The bytes of several frames, one behind the other.
pub(crate) fn bytes(frames: &[Frame]) -> Vec<u8> {
    frames.iter().flat_map(Frame::bytes).collect()
}

/// An event that owns its data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seen {
    Text(String),
    Binary(Vec<u8>),
    /// The chunks of one message up to its end, or up to what came in between.
    Chunks {
        kind: FrameKind,
        data: Vec<u8>,
        first: bool,
        last: bool,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseReason),
    Error(ProtocolError),
}

impl From<Event<'_>> for Seen {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Text(text) => Self::Text(text.into_owned()),
            Event::Binary(data) => Self::Binary(data.into_owned()),
            Event::Chunk(chunk) => Self::Chunks {
                kind: chunk.kind,
                data: chunk.data.into_owned(),
                first: chunk.first,
                last: chunk.last,
            },
            Event::Ping(payload) => Self::Ping(payload.into_owned()),
            Event::Pong(payload) => Self::Pong(payload.into_owned()),
            Event::Close(reason) => Self::Close(reason),
        }
    }
}

/// Lays a chunk to the one before it, so that the way the input was cut does not show.
fn add(seen: &mut Vec<Seen>, event: Seen) {
    if let Seen::Chunks { data: more, first: false, last: end, .. } = &event
        && let Some(Seen::Chunks { data, last: last @ false, .. }) = seen.last_mut()
    {
        data.extend_from_slice(more);
        *last = *end;
        return;
    }
    seen.push(event);
}

/// A frame that the connection under test sent, unmasked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    pub(crate) fin: bool,
    pub(crate) compressed: bool,
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// A final, uncompressed frame, to compare with.
pub(crate) fn sent(opcode: u8, payload: impl AsRef<[u8]>) -> Sent {
    Sent { fin: true, compressed: false, opcode, payload: payload.as_ref().to_vec() }
}

/// A close frame, to compare with.
pub(crate) fn sent_close(code: u16, reason: &str) -> Sent {
    sent(CLOSE, [&code.to_be_bytes()[..], reason.as_bytes()].concat())
}

/// Reads frames that a connection in `role` sent: whole, lawful ones only.
pub(crate) fn decode(role: Role, mut bytes: &[u8]) -> Vec<Sent> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (frame, len) = decode_one(role, bytes);
        frames.push(frame);
        bytes = &bytes[len..];
    }
    frames
}

fn decode_one(role: Role, bytes: &[u8]) -> (Sent, usize) {
    assert_eq!(bytes[0] & 0x30, 0, "RSV2 and RSV3 are never set");
    assert_eq!(bytes[1] & 0x80 != 0, role == Role::Client, "RFC 6455 §5.1: clients mask");
    let (len, mut at) = match bytes[1] & 0x7f {
        126 => (u64::from(u16::from_be_bytes(bytes[2..4].try_into().expect("two"))), 4),
        127 => (u64::from_be_bytes(bytes[2..10].try_into().expect("eight")), 10),
        short => (u64::from(short), 2),
    };
    let len = len as usize;
    assert_eq!(shortest(len).len(), at - 1, "RFC 6455 §5.2: the length in its shortest form");
    let key: MaskKey = if role == Role::Client {
        at += 4;
        bytes[at - 4..at].try_into().expect("four")
    } else {
        [0; 4]
    };
    let payload =
        bytes[at..at + len].iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
    let frame = Sent {
        fin: bytes[0] & 0x80 != 0,
        compressed: bytes[0] & 0x40 != 0,
        opcode: bytes[0] & 0xf,
        payload,
    };
    assert!(frame.opcode < 8 || (frame.fin && len <= 125), "RFC 6455 §5.5");
    (frame, at + len)
}

/// Takes all that waits to be written, as a transport that takes everything.
pub(crate) fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut out = Vec::new();
    while connection.wants_transmit() {
        let now: Vec<u8> = connection.poll_transmit().flatten().copied().collect();
        assert!(!now.is_empty(), "wants_transmit() without anything to write");
        connection.handle_transmitted(now.len(), NOW);
        out.extend(now);
    }
    assert_eq!(connection.queued_bytes(), 0);
    out
}

/// Gives input to the connection until it is used up or refused.
pub(crate) fn feed(connection: &mut Connection, input: &[u8], now: Timestamp) -> Vec<Seen> {
    let mut seen = Vec::new();
    let mut input = input.to_vec();
    let mut rest = &mut input[..];
    while !rest.is_empty() {
        let consumed = match connection.handle_input(rest, now) {
            Ok(progress) => {
                seen.extend(progress.event.map(Seen::from));
                progress.consumed
            }
            Err(error) => {
                seen.push(Seen::Error(error));
                return seen;
            }
        };
        rest = &mut rest[consumed..];
    }
    seen
}

/// The payload of a text or binary message, for comparisons of prepared frames.
pub(crate) fn prepared(kind: FrameKind, payload: &[u8]) -> Prepared {
    match kind {
        FrameKind::Text => Prepared::text(String::from_utf8(payload.to_vec()).expect("a text")),
        FrameKind::Binary => Prepared::binary(payload.to_vec()),
    }
}

/// The connection under test and what it is told when it is made.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) role: Role,
    pub(crate) config: Config,
    pub(crate) deflate: Option<DeflateParams>,
    pub(crate) streaming: bool,
}

/// What became of a case, however its input was cut.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) seen: Vec<Seen>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) state: State,
}

impl Outcome {
    /// The error, which has to be the last thing seen, and the close frame that told the peer.
    pub(crate) fn error(&self) -> &ProtocolError {
        let Some(Seen::Error(error)) = self.seen.last() else { panic!("no error: {self:?}") };
        let reason = error.close_reason();
        assert_eq!(self.sent.last(), Some(&sent_close(reason.code.into(), &reason.text)));
        assert_eq!(self.state, State::Failed);
        error
    }

    /// The close code and sentence of the error that ended the case, with nothing seen before.
    pub(crate) fn refused(&self) -> (u16, String) {
        assert_eq!(self.seen.len(), 1, "something before the error: {self:?}");
        let error = self.error();
        (error.close_code().into(), error.to_string())
    }

    /// All that was seen, of a case that went well.
    pub(crate) fn seen(&self) -> &[Seen] {
        assert!(!matches!(self.seen.last(), Some(Seen::Error(_))), "{self:?}");
        &self.seen
    }
}

pub(crate) fn server() -> Case {
    Case::new(Role::Server)
}

pub(crate) fn client() -> Case {
    Case::new(Role::Client)
}

impl Case {
    pub(crate) fn new(role: Role) -> Self {
        let config = Config { mask_source: Some(|| [0xa5, 0x00, 0xff, 0x3c]), ..Config::default() };
        Self { role, config, deflate: None, streaming: false }
    }

    pub(crate) fn limits(mut self, limits: Limits) -> Self {
        self.config.limits = limits;
        self
    }

    pub(crate) fn message_bytes_max(mut self, max: u64) -> Self {
        self.config.limits.message_bytes_max = max;
        self
    }

    pub(crate) fn deflate(mut self, params: DeflateParams) -> Self {
        self.deflate = Some(params);
        self
    }

    /// Compresses every message, however short.
    pub(crate) fn threshold(mut self, bytes: usize) -> Self {
        self.config.deflate.threshold = bytes;
        self
    }

    pub(crate) fn streaming(mut self) -> Self {
        self.streaming = true;
        self
    }

    /// The connection itself.
    pub(crate) fn connection(&self) -> Connection {
        let config = Arc::new(self.config.clone());
        let mut connection = Connection::new(self.role, config, self.deflate, NOW);
        connection.set_streaming(self.streaming);
        connection
    }

    /// Runs whole frames through the connection in the three ways that every decoder has to
    /// withstand: whole, byte by byte, and with bytes of the next frame behind them. All have to
    /// come to the same.
    pub(crate) fn run(&self, frames: &[Frame]) -> Outcome {
        let input = bytes(frames);
        let whole = self.pieces(&[&input]);
        let by_byte: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(self.pieces(&by_byte), whole, "byte by byte against whole");
        self.with_bytes_behind(&input, &whole);
        whole
    }

    /// As [`Case::run`] for input that ends inside a frame, so that nothing can stand behind it.
    pub(crate) fn run_unfinished(&self, input: &[u8]) -> Outcome {
        let whole = self.pieces(&[input]);
        let by_byte: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(self.pieces(&by_byte), whole, "byte by byte against whole");
        whole
    }

    /// Runs input that comes in the given pieces.
    pub(crate) fn pieces(&self, pieces: &[&[u8]]) -> Outcome {
        let mut connection = self.connection();
        let (mut seen, mut out) = (Vec::new(), Vec::new());
        for piece in pieces {
            for event in feed(&mut connection, piece, NOW) {
                add(&mut seen, event);
            }
            out.extend(drain(&mut connection));
        }
        Outcome { seen, sent: decode(self.role, &out), state: connection.state() }
    }

    /// A ping may stand behind any frame. Cut anywhere, its first bytes must neither change what
    /// came before nor be lost.
    fn with_bytes_behind(&self, input: &[u8], whole: &Outcome) {
        let ping = frame(PING, b"behind").to(self.role).bytes();
        for cut in 1..=ping.len() {
            let (behind, later) = ping.split_at(cut);
            let outcome = self.pieces(&[&[input, behind].concat(), later]);
            let mut expected: Vec<&Seen> = whole.seen.iter().collect();
            let ping = Seen::Ping(b"behind".to_vec());
            if whole.state.listens() {
                expected.push(&ping);
            }
            assert_eq!(outcome.seen.iter().collect::<Vec<_>>(), expected, "{cut} bytes behind");
            assert_eq!(outcome.state, whole.state);
            assert!(outcome.sent.starts_with(&whole.sent));
            assert_eq!(outcome.sent.len() - whole.sent.len(), usize::from(whole.state.may_send()));
        }
    }
}

/// A connection on each side, whose output can be carried to the other.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) server: Connection,
    pub(crate) client: Connection,
}

impl Pair {
    pub(crate) fn new(deflate: Option<DeflateParams>) -> Self {
        let connection = |role| Case { deflate, ..Case::new(role) }.threshold(0).connection();
        Self { server: connection(Role::Server), client: connection(Role::Client) }
    }

    /// Carries what the server has to say; returns what the client saw.
    pub(crate) fn client_sees(&mut self) -> Vec<Seen> {
        let out = drain(&mut self.server);
        feed(&mut self.client, &out, NOW)
    }

    /// Carries what the client has to say; returns what the server saw.
    pub(crate) fn server_sees(&mut self) -> Vec<Seen> {
        let out = drain(&mut self.client);
        feed(&mut self.server, &out, NOW)
    }
}

/// Compresses as RFC 7692 §7.2.1 says, with its own codec and the whole window.
pub(crate) fn deflated(data: &[u8]) -> Vec<u8> {
    let mut codec = flate2::Compress::new(flate2::Compression::new(6), false);
    let mut out = Vec::with_capacity(data.len() + 100);
    codec.compress_vec(data, &mut out, flate2::FlushCompress::Sync).expect("room for all");
    assert!(out.ends_with(&[0, 0, 0xff, 0xff]));
    out.truncate(out.len() - 4);
    out
}

/// A close reason, to compare with.
pub(crate) fn reason(code: u16, text: &str) -> CloseReason {
    CloseReason { code: CloseCode(code), text: text.to_owned() }
}
