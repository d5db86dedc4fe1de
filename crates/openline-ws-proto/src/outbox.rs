//! What waits to be written.
//!
//! Small frames are laid one behind the other in one buffer, so that many leave in one write. A
//! large payload is not copied: it is queued as it is, behind the buffer with its head. Pings and
//! pongs overtake queued messages at the next frame boundary, so a full queue never makes a live
//! line look dead, and they wait in two slots rather than a queue. The keepalive has no slot of its
//! own: while a ping of the application's waits, that one asks for a sign of life as well.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::buffer_pool;
use crate::frame::{FrameHead, Opcode};
use crate::mask::{MaskKey, mask};

/// From this size on a payload is shared instead of copied. Below it one copy is cheaper than one
/// more slice for the kernel to walk.
pub(crate) const SHARE_FROM: usize = 16 * 1024;

/// Frames laid one behind the other are a piece of about this size: it bounds what a pong has to wait
/// for once the first byte of the piece is written.
const PIECE_BYTES: usize = SHARE_FROM;

/// Pongs laid among the messages, in order, before only the latest is kept. RFC 6455 §5.5.3 allows to
/// answer the last ping alone; answering a few in order suits peers that count. Once output is
/// blocked, a pong from the slot overtakes those that were laid there before and wait still.
const PONGS_IN_ORDER_MAX: u8 = 32;

/// What a message is: the two kinds that RFC 6455 §5.6 knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameKind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl FrameKind {
    pub(crate) fn opcode(self) -> Opcode {
        match self {
            Self::Text => Opcode::Text,
            Self::Binary => Opcode::Binary,
        }
    }
}

/// Whether to compress a message, where permessage-deflate is in force (RFC 7692 §6: a choice of
/// the sender, message by message).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compress {
    /// From [`crate::DeflateOptions::threshold`] bytes on.
    #[default]
    Auto,
    /// Yes, however short. As with `Auto`, a message that would not get smaller is sent as it is,
    /// unless later ones are to refer to it ([`crate::DeflateOptions::takeover`]).
    Always,
    /// No: it is compressed already, or mixes secrets with what an attacker may choose.
    Never,
}

#[derive(Debug)]
enum Segment {
    /// Frames laid one behind the other; the last may lack its payload.
    Frames { bytes: Vec<u8>, ends_frame: bool },
    /// A payload, or a whole frame, that others hold as well.
    Shared(Bytes),
    /// Pings and pongs that overtook the rest.
    Control(Vec<u8>),
}

impl Segment {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Frames { bytes, .. } | Self::Control(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    fn ends_frame(&self) -> bool {
        !matches!(self, Self::Frames { ends_frame: false, .. })
    }
}

/// The slots for control frames that cannot go out in order.
#[derive(Debug, Default)]
struct ControlLane {
    ping: Option<Vec<u8>>,
    pong: Option<Vec<u8>>,
    /// A control segment is among the segments: the slots wait until it is out, or a peer that
    /// pings but does not read would make the queue grow.
    in_queue: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    segments: VecDeque<Segment>,
    /// Where small frames are laid; follows the segments.
    open: Vec<u8>,
    /// How much of the first piece is written already.
    front_written: usize,
    /// The head of the front piece is out already, as the end of the piece before.
    front_lacks_head: bool,
    queued_bytes: usize,
    pongs_in_order: u8,
    control: Option<Box<ControlLane>>,
    /// Which pool it goes back to.
    home: u64,
}

/// From this size on a frame that others hold too is shared: the one copy of it stays in the cache
/// while a thousand lines are written, and a thousand copies would not.
const SHARE_ENCODED_FROM: usize = 256;

impl Outbox {
    /// An empty outbox of the pool with this number.
    pub(crate) fn of_pool(home: u64) -> Self {
        Self { home, ..Self::default() }
    }

    /// The number of the pool that it is of; 0 if it is of none.
    pub(crate) fn home(&self) -> u64 {
        self.home
    }

    /// What its buffers take.
    pub(crate) fn capacity_bytes(&self) -> usize {
        size_of::<Self>() + self.open.capacity() + self.segments.capacity() * size_of::<Segment>()
    }

    /// Bytes that wait, control frames that overtake not counted.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// Bytes that wait and that nobody else holds.
    pub(crate) fn own_bytes(&self) -> usize {
        let own = self.segments.iter().map(|segment| match segment {
            Segment::Frames { bytes, .. } | Segment::Control(bytes) => bytes.len(),
            Segment::Shared(bytes) if bytes.is_unique() => bytes.len(),
            Segment::Shared(_) => 0,
        });
        own.sum::<usize>() + self.open.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued_bytes == 0 && self.control.is_none()
    }

    /// Queues a frame whose payload is copied, and masked if there is a key.
    pub(crate) fn push_frame(&mut self, head: FrameHead, payload: &[u8]) {
        self.append(|open| {
            head.encode(open);
            let start = open.len();
            open.extend_from_slice(payload);
            if let Some(key) = head.mask {
                mask(&mut open[start..], key, 0);
            }
        });
    }

    /// Queues a frame whose payload is shared if it is large. A masked one cannot be shared unless
    /// nobody else holds it.
    #[inline]
    pub(crate) fn push_frame_shared(&mut self, head: FrameHead, payload: Bytes) {
        if payload.len() < SHARE_FROM {
            return self.push_frame(head, &payload);
        }
        let payload = match head.mask {
            None => payload,
            Some(key) => masked(payload, key),
        };
        self.append(|open| head.encode(open));
        self.seal(false);
        self.push_shared(payload);
    }

    /// Queues a whole frame that was encoded elsewhere.
    pub(crate) fn push_encoded(&mut self, frame: &Bytes) {
        if frame.len() < SHARE_ENCODED_FROM {
            self.append(|open| open.extend_from_slice(frame));
        } else {
            self.seal(true);
            self.push_shared(frame.clone());
        }
    }

    /// Queues a pong: in order while output flows, else in its slot, where a later one replaces it.
    pub(crate) fn push_pong(&mut self, head: FrameHead, payload: &[u8]) {
        let blocked = !self.segments.is_empty() || self.front_written > 0;
        if !blocked && self.pongs_in_order < PONGS_IN_ORDER_MAX {
            self.pongs_in_order += 1;
            self.push_frame(head, payload);
        } else {
            self.lane().pong = Some(control_frame(head, payload));
        }
    }

    /// Queues the close frame, behind all that waits. Pings and pongs that have no place yet are put
    /// before it: RFC 6455 §5.5.1 forbids data frames after a close frame, and we send none at all.
    pub(crate) fn push_close(&mut self, head: FrameHead, payload: &[u8]) {
        if let Some(lane) = &mut self.control {
            let waiting = [lane.pong.take(), lane.ping.take()];
            if !lane.in_queue {
                self.control = None;
            }
            for frame in waiting.into_iter().flatten() {
                self.append(|open| open.extend_from_slice(&frame));
            }
        }
        self.push_frame(head, payload);
    }

    /// Queues a ping, ahead of messages that wait. One that still waits is replaced.
    pub(crate) fn push_ping(&mut self, head: FrameHead, payload: &[u8]) {
        self.lane().ping = Some(control_frame(head, payload));
    }

    /// Queues an empty ping, unless a ping waits that the peer has to answer as well.
    pub(crate) fn push_keepalive(&mut self, head: FrameHead) {
        self.lane().ping.get_or_insert_with(|| control_frame(head, &[]));
    }

    /// Drops the pieces of which no byte is written yet, but for pings and pongs. Returns how many
    /// bytes that were.
    pub(crate) fn discard_unstarted(&mut self) -> usize {
        self.seal(true);
        let begun = self.frame_boundary();
        let (mut at, mut dropped) = (0, 0);
        self.segments.retain(|segment| {
            let keep = at < begun || matches!(segment, Segment::Control(_));
            at += 1;
            if !keep {
                dropped += segment.bytes().len();
            }
            keep
        });
        self.queued_bytes -= dropped;
        dropped
    }

    /// What is to be written, in order. Call [`Outbox::advance`] with how much was.
    pub(crate) fn poll_transmit(&mut self) -> impl Iterator<Item = &[u8]> {
        if self.control.is_some() {
            self.admit_control();
        }
        let mut skip = self.front_written;
        let open = (!self.open.is_empty()).then_some(&self.open[..]);
        self.segments.iter().map(Segment::bytes).chain(open).map(move |piece| {
            let piece = &piece[skip..];
            skip = 0;
            piece
        })
    }

    /// Drops all that waits, what has begun as well.
    pub(crate) fn clear(&mut self) {
        let segments = self.segments.drain(..);
        for segment in segments {
            if let Segment::Frames { bytes, .. } = segment {
                buffer_pool::give(bytes);
            }
        }
        self.open.clear();
        self.front_written = 0;
        self.front_lacks_head = false;
        self.queued_bytes = 0;
        self.pongs_in_order = 0;
        self.control = None;
    }

    /// Takes note that the next `written` bytes are out, which [`Outbox::poll_transmit`] showed.
    pub(crate) fn advance(&mut self, mut written: usize) {
        assert!(
            written <= self.queued_bytes,
            "{written} bytes were reported as written, and {} wait",
            self.queued_bytes
        );
        while written > 0 {
            let Some(front) = self.segments.front() else {
                self.advance_open(written);
                return;
            };
            let left = front.bytes().len() - self.front_written;
            let now = left.min(written);
            written -= now;
            self.queued_bytes -= now;
            self.front_written += now;
            if now == left {
                self.pop_front();
            }
        }
    }

    fn advance_open(&mut self, written: usize) {
        self.front_written += written;
        self.queued_bytes -= written;
        if self.front_written == self.open.len() {
            self.front_written = 0;
            self.pongs_in_order = 0;
            self.open.clear();
        }
    }

    fn pop_front(&mut self) {
        self.front_written = 0;
        let front = self.segments.pop_front();
        self.front_lacks_head = front.as_ref().is_some_and(|segment| !segment.ends_frame());
        match front {
            Some(Segment::Frames { bytes, .. }) => buffer_pool::give(bytes),
            Some(Segment::Control(_)) => {
                if let Some(lane) = &mut self.control {
                    lane.in_queue = false;
                    if lane.ping.is_none() && lane.pong.is_none() {
                        self.control = None;
                    }
                }
            }
            Some(Segment::Shared(_)) | None => {}
        }
        if self.segments.is_empty() && self.open.is_empty() {
            self.pongs_in_order = 0;
        }
    }

    /// Puts the frames of the control lane where the next frame begins.
    fn admit_control(&mut self) {
        let Some(lane) = &mut self.control else { return };
        if lane.in_queue || (lane.ping.is_none() && lane.pong.is_none()) {
            return;
        }
        let mut bytes = lane.pong.take().unwrap_or_default();
        bytes.extend(lane.ping.take().unwrap_or_default());
        lane.in_queue = true;
        if self.front_written > 0 && self.segments.is_empty() {
            self.seal(true);
        }
        let at = self.frame_boundary();
        self.queued_bytes += bytes.len();
        self.segments.insert(at, Segment::Control(bytes));
    }

    /// The index of the first segment before which a frame may be put: 0, or behind the segment with
    /// which the frame ends that has begun.
    fn frame_boundary(&self) -> usize {
        if self.front_written == 0 && !self.front_lacks_head {
            return 0;
        }
        self.segments.iter().position(Segment::ends_frame).map_or(self.segments.len(), |i| i + 1)
    }

    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if self.open.len() >= PIECE_BYTES {
            self.seal(true);
        }
        if self.open.capacity() == 0 {
            self.open = buffer_pool::take();
        }
        let before = self.open.len();
        write(&mut self.open);
        self.queued_bytes += self.open.len() - before;
    }

    /// Makes the open buffer a segment.
    fn seal(&mut self, ends_frame: bool) {
        if !self.open.is_empty() {
            let bytes = std::mem::take(&mut self.open);
            self.segments.push_back(Segment::Frames { bytes, ends_frame });
        }
    }

    fn push_shared(&mut self, bytes: Bytes) {
        self.queued_bytes += bytes.len();
        self.segments.push_back(Segment::Shared(bytes));
    }

    fn lane(&mut self) -> &mut ControlLane {
        self.control.get_or_insert_default()
    }
}

fn control_frame(head: FrameHead, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 6);
    head.encode(&mut frame);
    let start = frame.len();
    frame.extend_from_slice(payload);
    if let Some(key) = head.mask {
        mask(&mut frame[start..], key, 0);
    }
    frame
}

/// Masks in place if nobody else holds the payload, else a copy.
fn masked(payload: Bytes, key: MaskKey) -> Bytes {
    let mut payload = match payload.try_into_mut() {
        Ok(unique) => unique,
        Err(shared) => bytes::BytesMut::from(&shared[..]),
    };
    mask(&mut payload, key, 0);
    payload.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(opcode: Opcode, payload: &[u8]) -> FrameHead {
        FrameHead {
            fin: true,
            compressed: false,
            opcode,
            mask: None,
            payload_len: payload.len() as u64,
        }
    }

    fn push(outbox: &mut Outbox, payload: &[u8]) {
        outbox.push_frame(head(Opcode::Binary, payload), payload);
    }

    fn pong(outbox: &mut Outbox, payload: &[u8]) {
        outbox.push_pong(head(Opcode::Pong, payload), payload);
    }

    /// Writes `step` bytes at a time until nothing is left.
    fn drain(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !outbox.is_empty() {
            let piece: Vec<u8> = outbox.poll_transmit().flatten().copied().take(step).collect();
            outbox.advance(piece.len());
            out.extend(piece);
        }
        out
    }

    #[test]
    fn frames_leave_in_order_however_little_is_written_at_a_time() {
        let large = Bytes::from(vec![7; SHARE_FROM]);
        let mut expected = b"\x82\x01a\x82\x7e\x40\0".to_vec();
        expected.extend_from_slice(&large);
        expected.extend_from_slice(b"\x82\x01b");
        for step in [1, 3, 17, 100_000] {
            let mut outbox = Outbox::default();
            push(&mut outbox, b"a");
            outbox.push_frame_shared(head(Opcode::Binary, &large), large.clone());
            push(&mut outbox, b"b");
            assert!(drain(&mut outbox, step) == expected, "step {step}");
        }
    }

    #[test]
    fn a_pong_overtakes_queued_messages_at_the_next_frame_boundary() {
        let large = Bytes::from(vec![7; SHARE_FROM]);
        let mut outbox = Outbox::default();
        outbox.push_frame_shared(head(Opcode::Binary, &large), large.clone());
        push(&mut outbox, b"later");
        let _ = outbox.poll_transmit();
        // The head is out and none of its payload: the pong has to wait for the payload's end.
        outbox.advance(4);
        pong(&mut outbox, b"p");
        let out = drain(&mut outbox, 1000);
        assert!(out[..SHARE_FROM] == large);
        assert_eq!(&out[SHARE_FROM..], b"\x8a\x01p\x82\x05later");
    }

    #[test]
    fn while_output_is_blocked_only_the_latest_pong_is_kept() {
        let mut outbox = Outbox::default();
        push(&mut outbox, b"message");
        let _ = outbox.poll_transmit();
        outbox.advance(1);
        for i in 0..100_000u32 {
            pong(&mut outbox, &i.to_be_bytes());
            // The writer tries again and again, and the socket takes nothing.
            let _ = outbox.poll_transmit();
        }
        let out = drain(&mut outbox, 5);
        // The first was put behind the message that had begun; of all the others the last is left.
        let first = [&b"\x8a\x04"[..], &0u32.to_be_bytes()].concat();
        let last = [&b"\x8a\x04"[..], &99_999u32.to_be_bytes()].concat();
        assert_eq!(out, [&b"\x07message"[..], &first, &last].concat());
    }

    #[test]
    fn discarding_keeps_the_frame_that_has_begun() {
        let mut outbox = Outbox::default();
        push(&mut outbox, b"one");
        let _ = outbox.poll_transmit();
        outbox.advance(2);
        outbox.seal(true);
        push(&mut outbox, b"two");
        assert_eq!(outbox.discard_unstarted(), 5);
        assert_eq!(drain(&mut outbox, 10), b"one");
    }
}
