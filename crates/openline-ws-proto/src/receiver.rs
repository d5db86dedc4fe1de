//! The receiving half: from bytes to whole frames, and from frames to messages.
//!
//! A message that lies whole in the input is unmasked where it lies and never copied. Anything else
//! is put together here as it arrives, so the caller need not keep a byte.

use std::ops::Range;

use crate::config::{Limits, Role};
use crate::deflate::Deflate;
use crate::error::{MessageSource, ProtocolError};
use crate::frame::{FrameHead, FrameRules, HEAD_BYTES_MAX, Opcode};
use crate::mask::{append_unmasked, mask};
use crate::outbox::FrameKind;
use crate::utf8::Utf8Validator;

/// What one step found. Ranges are of the input that was given.
#[derive(Debug)]
pub(crate) enum Found {
    /// The input is used up.
    NeedMore,
    /// A part of a message was taken in; there may be more in the input.
    Progress,
    /// A whole message in the input.
    InPlace(FrameKind, Range<usize>),
    /// A whole message put together.
    Assembled(FrameKind, Vec<u8>),
    /// A piece of a streamed message.
    Chunk { kind: FrameKind, data: ChunkData, first: bool, last: bool },
    /// A control frame.
    Control(Opcode, ControlPayload),
}

#[derive(Debug)]
pub(crate) enum ChunkData {
    InPlace(Range<usize>),
    Owned(Vec<u8>),
}

#[derive(Debug)]
pub(crate) enum ControlPayload {
    InPlace(Range<usize>),
    Owned(Vec<u8>),
}

/// A message of which not all has come.
#[derive(Debug)]
struct Message {
    kind: FrameKind,
    compressed: bool,
    /// What was put together and not handed over yet.
    data: Vec<u8>,
    utf8: Utf8Validator,
    fragments: u32,
    /// Payload bytes announced by the frames so far.
    announced: u64,
    /// A chunk of it was handed over.
    begun: bool,
}

/// A frame of which not all has come.
#[derive(Debug)]
struct Frame {
    head: FrameHead,
    received: u64,
    /// What has come of a control frame; data frames go to the message.
    control: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Receiver {
    /// The first bytes of a head that is not whole yet.
    partial_head: [u8; HEAD_BYTES_MAX],
    partial_head_len: u8,
    /// Hand messages over piece by piece.
    pub(crate) streaming: bool,
    frame: Option<Box<Frame>>,
    message: Option<Box<Message>>,
}

/// What the receiver needs of the connection it belongs to.
pub(crate) struct Surroundings<'a> {
    pub(crate) role: Role,
    pub(crate) limits: &'a Limits,
    pub(crate) deflate: Option<&'a mut Deflate>,
}

impl Receiver {
    /// Whether a message or a frame has begun and not ended.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.partial_head_len > 0 || self.frame.is_some() || self.message.is_some()
    }

    /// Whether a message is under way of which a chunk was handed over.
    pub(crate) fn in_streamed_message(&self) -> bool {
        self.message.as_ref().is_some_and(|message| message.begun)
    }

    /// Forgets what has come of a message or frame.
    pub(crate) fn clear(&mut self) {
        *self = Self { streaming: self.streaming, ..Self::default() };
    }

    /// Whether [`Receiver::step`] would find a whole frame in `rest`, or something else to report
    /// or to take in.
    pub(crate) fn has_work(&self, rest: &[u8], rules: FrameRules) -> bool {
        if self.streaming && self.message.as_ref().is_some_and(|message| !message.data.is_empty()) {
            return true;
        }
        if self.frame.is_some() {
            return !rest.is_empty();
        }
        let before = usize::from(self.partial_head_len);
        let parsed = if before == 0 {
            FrameHead::parse(rest, rules)
        } else {
            let mut head = self.partial_head;
            let more = rest.len().min(HEAD_BYTES_MAX - before);
            head[before..before + more].copy_from_slice(&rest[..more]);
            FrameHead::parse(&head[..before + more], rules)
        };
        match parsed {
            Ok(Some((head, len))) => head.payload_len <= (before + rest.len() - len) as u64,
            Ok(None) => false,
            // An error is something to do as well.
            Err(_) => true,
        }
    }

    /// Takes from the front of `input` up to the next thing to report; returns how much it took.
    pub(crate) fn step(
        &mut self,
        input: &mut [u8],
        mut around: Surroundings<'_>,
    ) -> Result<(usize, Found), ProtocolError> {
        if self.streaming
            && let Some(found) = self.take_buffered_chunk()
        {
            return Ok((0, found));
        }
        if let Some(frame) = self.frame.take() {
            return self.payload(frame, input, 0, around);
        }
        let Some((head, head_len)) = self.head(input, &around)? else {
            return Ok((input.len(), Found::NeedMore));
        };
        self.check_head(&head, &mut around)?;
        let whole = head.payload_len <= (input.len() - head_len) as u64;
        if whole && !head.compressed && self.stands_alone(&head) {
            let end = head_len + head.payload_len as usize;
            if let Some(key) = head.mask {
                mask(&mut input[head_len..end], key, 0);
            }
            return Ok((end, self.whole_frame(head, input, head_len..end)?));
        }
        let frame = Box::new(Frame { head, received: 0, control: Vec::new() });
        if !head.opcode.is_control() {
            self.begin_frame(&head);
        }
        self.payload(frame, input, head_len, around)
    }

    /// Whether the frame is all there is to its message, or a control frame.
    fn stands_alone(&self, head: &FrameHead) -> bool {
        head.opcode.is_control() || (head.fin && self.message.is_none())
    }

    fn whole_frame(
        &self,
        head: FrameHead,
        input: &[u8],
        range: Range<usize>,
    ) -> Result<Found, ProtocolError> {
        let kind = match head.opcode {
            Opcode::Text => FrameKind::Text,
            Opcode::Binary => FrameKind::Binary,
            control => return Ok(Found::Control(control, ControlPayload::InPlace(range))),
        };
        if !self.streaming {
            // The connection makes it a `str`, which checks it.
            return Ok(Found::InPlace(kind, range));
        }
        if kind == FrameKind::Text {
            text_in_place(input, range.clone())?;
        }
        Ok(Found::Chunk { kind, data: ChunkData::InPlace(range), first: true, last: true })
    }

    /// Reads the next head, of which the first bytes may have come earlier. Returns it with the
    /// number of bytes it took from `input`.
    fn head(
        &mut self,
        input: &[u8],
        around: &Surroundings<'_>,
    ) -> Result<Option<(FrameHead, usize)>, ProtocolError> {
        let rules = FrameRules { sender: around.role.peer(), deflate: around.deflate.is_some() };
        let before = usize::from(self.partial_head_len);
        if before == 0
            && let found @ Some(_) = FrameHead::parse(input, rules)?
        {
            return Ok(found);
        }
        let more = input.len().min(HEAD_BYTES_MAX - before);
        let end = before + more;
        self.partial_head[before..end].copy_from_slice(&input[..more]);
        match FrameHead::parse(&self.partial_head[..end], rules)? {
            Some((head, len)) => {
                self.partial_head_len = 0;
                Ok(Some((head, len - before)))
            }
            None => {
                self.partial_head_len = end as u8;
                Ok(None)
            }
        }
    }

    /// Checks the head against the message under way and the limits.
    fn check_head(
        &self,
        head: &FrameHead,
        around: &mut Surroundings<'_>,
    ) -> Result<(), ProtocolError> {
        if head.opcode.is_control() {
            return Ok(());
        }
        // RFC 6455 §5.4: fragments of two messages are not interleaved.
        match (&self.message, head.opcode) {
            (None, Opcode::Continuation) => return Err(ProtocolError::UnexpectedContinuation),
            (Some(_), Opcode::Text | Opcode::Binary) => {
                return Err(ProtocolError::ExpectedContinuation);
            }
            _ => {}
        }
        if self.streaming {
            // A streamed message is held by nobody, so its size is the application's business.
            return Ok(());
        }
        let limits = around.limits;
        let (announced, fragments) =
            self.message.as_ref().map_or((0, 0), |message| (message.announced, message.fragments));
        if head.payload_len > limits.message_bytes_max.saturating_sub(announced) {
            return Err(ProtocolError::MessageTooBig {
                limit: limits.message_bytes_max,
                inflated: false,
            });
        }
        if head.payload_len > limits.frame_bytes_max {
            return Err(ProtocolError::FrameTooBig { limit: limits.frame_bytes_max });
        }
        if fragments >= limits.fragments_max {
            return Err(ProtocolError::TooManyFragments { limit: limits.fragments_max });
        }
        Ok(())
    }

    fn begin_frame(&mut self, head: &FrameHead) {
        let message = self.message.get_or_insert_with(|| {
            Box::new(Message {
                kind: if head.opcode == Opcode::Text { FrameKind::Text } else { FrameKind::Binary },
                compressed: head.compressed,
                data: Vec::new(),
                utf8: Utf8Validator::new(),
                fragments: 0,
                announced: 0,
                begun: false,
            })
        });
        message.fragments = message.fragments.saturating_add(1);
        message.announced = message.announced.saturating_add(head.payload_len);
    }

    /// Takes what there is of the payload, which begins at `at` in the input.
    fn payload(
        &mut self,
        mut frame: Box<Frame>,
        input: &mut [u8],
        at: usize,
        around: Surroundings<'_>,
    ) -> Result<(usize, Found), ProtocolError> {
        let missing = frame.head.payload_len - frame.received;
        let here = missing.min((input.len() - at) as u64) as usize;
        let range = at..at + here;
        let offset = frame.received;
        frame.received += here as u64;
        let frame_ended = frame.received == frame.head.payload_len;
        let head = frame.head;
        let piece = &mut input[range.clone()];

        if head.opcode.is_control() {
            append(&mut frame.control, piece, &head, offset);
            if frame_ended {
                let payload = ControlPayload::Owned(frame.control);
                return Ok((range.end, Found::Control(head.opcode, payload)));
            }
            self.frame = Some(frame);
            return Ok((range.end, Found::NeedMore));
        }
        if !frame_ended {
            self.frame = Some(frame);
        }
        let ended = frame_ended && head.fin;
        let found = self.message_piece(piece, range.clone(), &head, offset, ended, around)?;
        Ok((range.end, found))
    }

    /// Adds a piece to the message under way.
    fn message_piece(
        &mut self,
        piece: &mut [u8],
        range: Range<usize>,
        head: &FrameHead,
        offset: u64,
        ended: bool,
        around: Surroundings<'_>,
    ) -> Result<Found, ProtocolError> {
        let message = self.message.as_mut().expect("begin_frame() made it for this frame's head");
        if self.streaming && !message.compressed {
            if let Some(key) = head.mask {
                mask(piece, key, offset);
            }
            message.check(piece, ended)?;
            return Ok(self.chunk(ChunkData::InPlace(range), ended));
        }
        let start = message.data.len();
        if message.compressed {
            if let Some(key) = head.mask {
                mask(piece, key, offset);
            }
            let deflate = around.deflate.expect("a head with RSV1 is refused without deflate");
            // A streamed message is handed over as it inflates; what one piece of input can inflate
            // to is bounded all the same.
            let limit = around.limits.message_bytes_max;
            deflate.inflate(piece, ended, &mut message.data, limit)?;
        } else {
            // The head was not held to the limit if streaming was on when it came.
            let limit = around.limits.message_bytes_max;
            if (message.data.len() + piece.len()) as u64 > limit {
                return Err(ProtocolError::MessageTooBig { limit, inflated: false });
            }
            append(&mut message.data, piece, head, offset);
        }
        message.check_from(start, ended)?;
        if self.streaming {
            let data = std::mem::take(&mut message.data);
            return Ok(self.chunk(ChunkData::Owned(data), ended));
        }
        if !ended {
            return Ok(Found::Progress);
        }
        let message = self.message.take().expect("it was there above");
        Ok(Found::Assembled(message.kind, message.data))
    }

    /// Reports a chunk, or nothing when it is an empty one in mid-message.
    fn chunk(&mut self, data: ChunkData, last: bool) -> Found {
        let message = self.message.as_mut().expect("a chunk belongs to a message");
        let empty = match &data {
            ChunkData::InPlace(range) => range.is_empty(),
            ChunkData::Owned(data) => data.is_empty(),
        };
        if empty && !last {
            return Found::Progress;
        }
        let first = !message.begun;
        message.begun = true;
        let kind = message.kind;
        if last {
            self.message = None;
        }
        Found::Chunk { kind, data, first, last }
    }

    /// What was put together before streaming was switched on.
    fn take_buffered_chunk(&mut self) -> Option<Found> {
        let message = self.message.as_mut().filter(|message| !message.data.is_empty())?;
        let data = std::mem::take(&mut message.data);
        Some(self.chunk(ChunkData::Owned(data), false))
    }
}

impl Message {
    /// Checks the bytes that were added to `data` at `start`.
    fn check_from(&mut self, start: usize, ended: bool) -> Result<(), ProtocolError> {
        let data = std::mem::take(&mut self.data);
        let result = self.check(&data[start..], ended);
        self.data = data;
        result
    }

    /// RFC 6455 §8.1: a text is UTF-8; §5.6 leaves a single fragment free to end inside a character.
    fn check(&mut self, piece: &[u8], ended: bool) -> Result<(), ProtocolError> {
        if self.kind != FrameKind::Text {
            return Ok(());
        }
        let result =
            self.utf8.push(piece).and_then(|()| if ended { self.utf8.finish() } else { Ok(()) });
        result.map_err(|error| ProtocolError::InvalidUtf8 {
            position: error.position,
            source: MessageSource::Message,
        })
    }
}

/// RFC 6455 §8.1, for a text that lies whole in the input.
pub(crate) fn text_in_place(input: &[u8], range: Range<usize>) -> Result<&str, ProtocolError> {
    std::str::from_utf8(&input[range]).map_err(|error| ProtocolError::InvalidUtf8 {
        position: error.valid_up_to() as u64,
        source: MessageSource::Message,
    })
}

fn append(out: &mut Vec<u8>, piece: &[u8], head: &FrameHead, offset: u64) {
    match head.mask {
        Some(key) => append_unmasked(out, piece, key, offset),
        None => out.extend_from_slice(piece),
    }
}
