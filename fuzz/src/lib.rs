//! What the fuzz targets share: running bytes through a connection and noting what became of them.

use std::sync::Arc;

use openline_ws_proto::{
    CloseReason, Config, Connection, DeflateParams, Event, FrameHead, FrameKind, FrameRules,
    Limits, ProtocolError, Role, State, Timestamp,
};

/// The moment at which everything happens.
pub const NOW: Timestamp = Timestamp(1);

/// An event that owns its data.
#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    Message(FrameKind, Vec<u8>),
    Chunks { kind: FrameKind, data: Vec<u8>, first: bool, last: bool },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(CloseReason),
}

/// What became of an input.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub seen: Vec<Seen>,
    pub error: Option<ProtocolError>,
    /// All that was sent.
    pub sent: Vec<u8>,
}

/// How a connection is made.
#[derive(Debug, Clone)]
pub struct Setup {
    pub role: Role,
    pub limits: Limits,
    pub deflate: Option<DeflateParams>,
    pub streaming: bool,
}

impl Setup {
    pub fn connection(&self) -> Connection {
        let config =
            Config { limits: self.limits, mask_source: Some(|| [1, 2, 3, 4]), ..Config::default() };
        let mut connection = Connection::new(self.role, Arc::new(config), self.deflate, NOW);
        connection.set_streaming(self.streaming);
        connection
    }

    /// Runs an input that comes in the given pieces.
    pub fn run<'a>(&self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
        let mut connection = self.connection();
        let mut outcome = Outcome { seen: Vec::new(), error: None, sent: Vec::new() };
        for piece in pieces {
            let mut piece = piece.to_vec();
            let mut rest = &mut piece[..];
            while !rest.is_empty() {
                let listened = connection.state().listens();
                let (len, consumed) = (rest.len(), outcome.take(&mut connection, rest));
                assert!(consumed <= len, "more consumed than was there");
                assert!(listened || consumed == len, "input is ignored from there on");
                outcome.sent.extend(drain(&mut connection));
                rest = &mut rest[consumed..];
            }
        }
        if outcome.error.is_some() {
            assert_eq!(connection.state(), State::Failed);
        }
        check_lawful(self.role, &outcome.sent);
        outcome
    }
}

impl Outcome {
    /// Takes the next event; returns how much of the input it took.
    fn take(&mut self, connection: &mut Connection, input: &mut [u8]) -> usize {
        let len = input.len();
        match connection.handle_input(input, NOW) {
            Ok(progress) => {
                if let Some(event) = progress.event {
                    assert!(self.error.is_none(), "an event after an error");
                    self.add(event);
                }
                progress.consumed
            }
            Err(error) => {
                assert_eq!(self.error.replace(error), None, "a second error");
                len
            }
        }
    }

    /// Lays a chunk to the one before it, so that the way the input was cut does not show.
    fn add(&mut self, event: Event<'_>) {
        let seen = match event {
            Event::Text(text) => Seen::Message(FrameKind::Text, text.into_owned().into_bytes()),
            Event::Binary(data) => Seen::Message(FrameKind::Binary, data.into_owned()),
            Event::Ping(payload) => Seen::Ping(payload.into_owned()),
            Event::Pong(payload) => Seen::Pong(payload.into_owned()),
            Event::Close(reason) => Seen::Close(reason),
            Event::Chunk(chunk) => {
                if let Some(Seen::Chunks { data, last: last @ false, .. }) = self.seen.last_mut()
                    && !chunk.first
                {
                    data.extend_from_slice(&chunk.data);
                    *last = chunk.last;
                    return;
                }
                Seen::Chunks {
                    kind: chunk.kind,
                    data: chunk.data.into_owned(),
                    first: chunk.first,
                    last: chunk.last,
                }
            }
        };
        self.seen.push(seen);
    }
}

/// Takes all that waits to be written.
pub fn drain(connection: &mut Connection) -> Vec<u8> {
    let mut out = Vec::new();
    while connection.wants_transmit() {
        let now: Vec<u8> = connection.poll_transmit().flatten().copied().collect();
        assert!(!now.is_empty(), "something waits that is not shown");
        connection.handle_transmitted(now.len(), NOW);
        out.extend(now);
    }
    out
}

/// What we send is lawful, and nothing follows a close frame.
fn check_lawful(role: Role, mut sent: &[u8]) {
    let rules = FrameRules { sender: role, deflate: true };
    while !sent.is_empty() {
        let (head, len) = FrameHead::parse(sent, rules).expect("lawful").expect("whole");
        sent = &sent[len + head.payload_len as usize..];
        assert!(head.opcode != openline_ws_proto::Opcode::Close || sent.is_empty());
    }
}

/// Cuts bytes into pieces whose sizes follow from `seed`.
pub fn cut(mut bytes: &[u8], mut seed: u32) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = match seed >> 30 {
            0 => 1,
            1 => (seed >> 16) as usize % 4 + 1,
            2 => (seed >> 16) as usize % 20 + 1,
            _ => (seed >> 16) as usize % 200 + 1,
        };
        let (piece, rest) = bytes.split_at(size.min(bytes.len()));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}
