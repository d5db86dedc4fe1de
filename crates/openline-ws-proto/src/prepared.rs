//! A message encoded once and sent to many.

use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes};

use crate::deflate::compress_once;
use crate::frame::FrameHead;
use crate::outbox::FrameKind;

/// Windows of 9 to 15 bits.
const WINDOWS: usize = 7;

/// A message that is framed once, and compressed at most once for each window size in use, however
/// many connections it is sent to. Cloning shares it.
///
/// Only servers gain: a client masks each frame with a new key, so it encodes the message anew.
#[derive(Debug, Clone)]
pub struct Prepared(Arc<Encodings>);

#[derive(Debug)]
struct Encodings {
    kind: FrameKind,
    payload: Bytes,
    level: u32,
    plain: OnceLock<Bytes>,
    deflated: [OnceLock<Option<Bytes>>; WINDOWS],
}

impl Prepared {
    /// A text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new(FrameKind::Text, Bytes::from(text.into()))
    }

    /// A binary message.
    pub fn binary(data: impl Into<Bytes>) -> Self {
        Self::new(FrameKind::Binary, data.into())
    }

    /// Sets the compression level, 0 to 9 (more counts as 9), in place of the default of
    /// [`crate::DeflateOptions`]. It makes a message of its own: what was encoded of this one before
    /// is not shared with it.
    #[must_use]
    pub fn level(self, level: u32) -> Self {
        let encodings = &self.0;
        Self(Arc::new(Encodings::new(encodings.kind, encodings.payload.clone(), level)))
    }

    fn new(kind: FrameKind, payload: Bytes) -> Self {
        Self(Arc::new(Encodings::new(kind, payload, crate::DeflateOptions::default().level)))
    }

    /// What the message is.
    pub fn kind(&self) -> FrameKind {
        self.0.kind
    }

    /// The message itself.
    pub fn payload(&self) -> &Bytes {
        &self.0.payload
    }

    /// Whether nobody else holds the message.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// The frame as a server sends it.
    pub(crate) fn plain(&self) -> &Bytes {
        self.0.plain.get_or_init(|| self.0.frame(false, &self.0.payload))
    }

    /// The compressed frame as a server sends it; none when it would be no smaller.
    pub(crate) fn deflated(&self, window_bits: u8) -> Option<&Bytes> {
        let deflated = self.0.deflated[usize::from(window_bits - 9)].get_or_init(|| {
            let payload = compress_once(&self.0.payload, self.0.level, window_bits);
            (payload.len() < self.0.payload.len()).then(|| self.0.frame(true, &payload))
        });
        deflated.as_ref()
    }
}

/// Messages that leave together: what a channel has to say in one turn of a server's loop. Laid one
/// behind the other once, so that each connection costs one write from the same memory. Cloning
/// shares it.
#[derive(Debug, Clone)]
pub struct PreparedBatch(Arc<Batch>);

#[derive(Debug)]
struct Batch {
    messages: Vec<Prepared>,
    longest: usize,
    payload_bytes: usize,
    plain: OnceLock<Bytes>,
}

impl PreparedBatch {
    /// A batch of these messages, in this order.
    pub fn new(messages: Vec<Prepared>) -> Self {
        let lengths = || messages.iter().map(|message| message.payload().len());
        let (longest, payload_bytes) = (lengths().max().unwrap_or(0), lengths().sum());
        Self(Arc::new(Batch { messages, longest, payload_bytes, plain: OnceLock::new() }))
    }

    /// The messages.
    pub fn messages(&self) -> &[Prepared] {
        &self.0.messages
    }

    /// Whether nobody else holds the batch.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Payload bytes of all messages together.
    pub fn payload_bytes(&self) -> usize {
        self.0.payload_bytes
    }

    /// Payload bytes of the longest message.
    pub(crate) fn longest(&self) -> usize {
        self.0.longest
    }

    /// All frames as a server sends them uncompressed.
    pub(crate) fn plain(&self) -> &Bytes {
        self.0.plain.get_or_init(|| match &self.0.messages[..] {
            [message] => message.plain().clone(),
            messages => {
                let frames = messages.iter().map(|m| m.payload().len() + crate::HEAD_BYTES_MAX);
                let mut all = Vec::with_capacity(frames.sum());
                for message in messages {
                    message.0.append_frame(&mut all, false, message.payload());
                }
                all.into()
            }
        })
    }
}

impl Encodings {
    fn new(kind: FrameKind, payload: Bytes, level: u32) -> Self {
        Self { kind, payload, level, plain: OnceLock::new(), deflated: Default::default() }
    }

    fn frame(&self, compressed: bool, payload: &[u8]) -> Bytes {
        let mut frame = Vec::with_capacity(payload.len() + crate::HEAD_BYTES_MAX);
        self.append_frame(&mut frame, compressed, payload);
        frame.into()
    }

    fn append_frame(&self, frames: &mut Vec<u8>, compressed: bool, payload: &[u8]) {
        let head = FrameHead {
            fin: true,
            compressed,
            opcode: self.kind.opcode(),
            mask: None,
            payload_len: payload.len() as u64,
        };
        head.encode(frames);
        frames.put_slice(payload);
    }
}
