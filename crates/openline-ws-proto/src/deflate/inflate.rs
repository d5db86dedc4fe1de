//! Inflating the peer's messages (RFC 7692 §7.2.2).
//!
//! A codec is borrowed from a pool of the thread for the time of one message. Where the peer keeps
//! its window from one message to the next, the window is what a line holds in between, and the next
//! codec is told it. Keeping the codec instead would hold a full window for each line, however small
//! the agreed one is, and leave no way to ask the codec whether a message was whole.

use std::cell::RefCell;

use flate2::{Decompress, FlushDecompress, Status};

use super::window::Window;
use super::{TAIL, WINDOW_BITS_CODEC_MIN, WINDOW_BITS_MAX};
use crate::error::ProtocolError;

/// An empty stored block that says it is the last. Between two blocks the codec takes it whole and
/// reports the end, and nowhere else: inside a block the first bit goes to what was cut, and neither
/// the zeros behind it nor the ones at the end hold the beginning of a last block.
const LAST_BLOCK: [u8; 5] = [0x01, 0x00, 0x00, 0xff, 0xff];

/// What the codec is lent to write to at first; twice as much whenever it fills that. It clears all
/// that it is lent, so lending it the whole buffer would let a message whose blocks end every other
/// byte cost a second of work for each 100 KiB.
const ROOM_BYTES: usize = 4 * 1024;

/// How often in one message the window is handed on over a block that says it is the last. Each time
/// copies up to 32 KiB, and two bytes are such a block. Beyond this, what refers back over one does
/// not inflate.
const HANDED_ON_MAX: u32 = 256;

/// Codecs kept for each thread.
const POOLED_MAX: usize = 4;

/// The receiving direction of one connection.
#[derive(Debug)]
pub(super) struct Inflater {
    takeover: bool,
    /// What came before the piece at hand: of this message, and with takeover of those before.
    window: Window,
    message: Option<Message>,
}

/// A message of which some has come.
#[derive(Debug)]
struct Message {
    codec: Decompress,
    /// The last byte that was taken ended a block that said it was the last.
    at_end: bool,
    handed_on: u32,
}

impl Inflater {
    pub(super) fn new(takeover: bool, window_bits: u8) -> Self {
        // A peer that is held to 8 bits may have a codec that cannot go below 9 and counts on ours
        // doing the same, as zlib does.
        let bits = window_bits.clamp(WINDOW_BITS_CODEC_MIN, WINDOW_BITS_MAX);
        Self { takeover, window: Window::new(1 << bits), message: None }
    }

    /// Whether messages refer to those before them, or may.
    pub(super) fn keeps_window(&self) -> bool {
        self.takeover
    }

    /// Appends what the next piece of a message inflates to; `ended` says that it is the last.
    ///
    /// `out` never grows beyond `limit` bytes by more than one, and its capacity not beyond that
    /// either: the limit acts while inflating.
    pub(super) fn inflate(
        &mut self,
        piece: &[u8],
        ended: bool,
        out: &mut Vec<u8>,
        limit: u64,
    ) -> Result<(), ProtocolError> {
        let start = out.len();
        let message = self.message.get_or_insert_with(|| Message::begin(&self.window));
        message.inflate(piece, &self.window, start, out, limit)?;
        if ended {
            message.finish(&self.window, start, out, limit)?;
            if let Some(message) = self.message.take() {
                give(message.codec);
            }
        }
        match ended && !self.takeover {
            true => self.window.clear(),
            false => self.window.push(&out[start..]),
        }
        Ok(())
    }
}

impl Message {
    fn begin(window: &Window) -> Self {
        let mut message = Self { codec: take(), at_end: false, handed_on: 0 };
        message.tell(&window.pieces());
        message
    }

    /// `out` from `start` on is what the window does not know yet.
    fn inflate(
        &mut self,
        piece: &[u8],
        window: &Window,
        start: usize,
        out: &mut Vec<u8>,
        limit: u64,
    ) -> Result<(), ProtocolError> {
        let limit_len = usize::try_from(limit).unwrap_or(usize::MAX).min(usize::MAX - 1);
        let mut rest = piece;
        let mut room = ROOM_BYTES;
        loop {
            let len = out.len();
            if len > limit_len {
                return Err(ProtocolError::MessageTooBig { limit, inflated: true });
            }
            if len == out.capacity() {
                let more = len.max(piece.len() * 2).max(256);
                // One byte over the limit is room enough to see that it is passed.
                out.reserve_exact(more.min(limit_len + 1 - len));
            }
            out.resize(out.capacity().min(len.saturating_add(room)), 0);
            let before = (self.codec.total_in(), self.codec.total_out());
            let status = self.codec.decompress(rest, &mut out[len..], FlushDecompress::Sync);
            let taken = (self.codec.total_in() - before.0) as usize;
            let written = (self.codec.total_out() - before.1) as usize;
            let filled = len + written == out.len();
            out.truncate(len + written);
            rest = &rest[taken..];
            let ended = status.map_err(|_| ProtocolError::InvalidDeflate)? == Status::StreamEnd;
            self.at_end = ended || (self.at_end && taken == 0);
            if ended {
                // RFC 7692 §7.2.3.4: a message may have blocks that say they are the last.
                self.hand_on(window, &out[start..]);
            } else if filled {
                room = room.saturating_mul(2);
            } else if rest.is_empty() {
                return Ok(());
            } else if taken == 0 && written == 0 {
                return Err(ProtocolError::InvalidDeflate);
            }
        }
    }

    /// RFC 7692 §7.2.2: appends the tail that is not sent, after which the message must be whole. The
    /// codec reads the tail as whatever the message was cut in, so a message that lacks its end would
    /// pass for one with another end.
    fn finish(
        &mut self,
        window: &Window,
        start: usize,
        out: &mut Vec<u8>,
        limit: u64,
    ) -> Result<(), ProtocolError> {
        if self.at_end {
            // RFC 7692 §7.2.3.4 has a byte follow on the last block. A peer that leaves it out is
            // understood all the same: nothing is missing.
            return Ok(());
        }
        let len = out.len();
        self.inflate(&TAIL, window, start, out, limit)?;
        if out.len() > len || !self.is_between_blocks() {
            return Err(ProtocolError::InvalidDeflate);
        }
        Ok(())
    }

    /// Asks the codec; nothing can be inflated after that.
    fn is_between_blocks(&mut self) -> bool {
        let before = self.codec.total_in();
        let status = self.codec.decompress(&LAST_BLOCK, &mut [], FlushDecompress::Sync);
        let taken = self.codec.total_in() - before;
        matches!(status, Ok(Status::StreamEnd)) && taken == LAST_BLOCK.len() as u64
    }

    /// Begins the codec anew, which forgets its window, and tells it what came last.
    fn hand_on(&mut self, window: &Window, recent: &[u8]) {
        self.codec.reset(false);
        if self.handed_on < HANDED_ON_MAX {
            self.handed_on += 1;
            let [older, newer] = window.pieces();
            self.tell(&[older, newer, window.tail(recent)]);
        }
    }

    fn tell(&mut self, history: &[&[u8]]) {
        for piece in history.iter().filter(|piece| !piece.is_empty()) {
            self.codec
                .set_dictionary(piece)
                .expect("a codec for data without a head takes a dictionary at its beginning");
        }
    }
}

thread_local! {
    static FREE: RefCell<Vec<Decompress>> = const { RefCell::new(Vec::new()) };
}

/// Frees the codecs that are kept.
pub(super) fn free() {
    FREE.take();
}

/// A codec at its beginning. Its window is the largest: it reads what a smaller one wrote.
fn take() -> Decompress {
    FREE.with_borrow_mut(Vec::pop).unwrap_or_else(|| Decompress::new(false))
}

fn give(mut codec: Decompress) {
    codec.reset(false);
    FREE.with_borrow_mut(|free| {
        if free.len() < POOLED_MAX {
            free.push(codec);
        }
    });
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    use super::*;
    use crate::deflate::compress_once;

    fn inflated(
        inflater: &mut Inflater,
        pieces: &[&[u8]],
        limit: u64,
    ) -> Result<Vec<u8>, ProtocolError> {
        let (mut out, last) = (Vec::new(), pieces.len() - 1);
        for (i, piece) in pieces.iter().enumerate() {
            inflater.inflate(piece, i == last, &mut out, limit)?;
        }
        Ok(out)
    }

    /// A compressor that ends each message with a block that says it is the last, and refers back
    /// over it.
    fn finished(history: &[u8], message: &[u8], bits: u8) -> Vec<u8> {
        let mut codec = Compress::new_with_window_bits(Compression::new(6), false, bits);
        if !history.is_empty() {
            codec.set_dictionary(history).unwrap();
        }
        let mut wire = Vec::with_capacity(message.len() + 100);
        codec.compress_vec(message, &mut wire, FlushCompress::Finish).unwrap();
        wire
    }

    proptest! {
        #[test]
        fn the_window_reaches_back_over_blocks_that_say_they_are_the_last(
            messages in proptest::collection::vec(proptest::collection::vec(0u8..3, 0..700), 1..8),
            bits in 9u8..=15, padded: bool, cut in 0usize..100,
        ) {
            let mut inflater = Inflater::new(true, bits);
            let mut history = Vec::new();
            for message in messages {
                let mut wire = finished(&history, &message, bits);
                if padded {
                    wire.push(0x00);
                }
                let (a, b) = wire.split_at(cut.min(wire.len()));
                prop_assert_eq!(&inflated(&mut inflater, &[a, b], 1000).unwrap(), &message);
                history.extend(message);
            }
        }

        #[test]
        fn how_a_message_is_cut_does_not_matter_whatever_it_holds(
            wire: Vec<u8>, cut in 0usize..30, takeover: bool,
        ) {
            let begin = || {
                let mut inflater = Inflater::new(takeover, 15);
                inflated(&mut inflater, &[b"\xf2\x48\xcd\xc9\xc9\x07\x00"], 1000).unwrap();
                inflater
            };
            let whole = inflated(&mut begin(), &[&wire], 1000);
            let (a, b) = wire.split_at(cut.min(wire.len()));
            prop_assert_eq!(inflated(&mut begin(), &[a, b], 1000), whole);
        }
    }

    #[test]
    fn one_message_may_have_several_last_blocks_and_refer_back_over_them() {
        let wire = [&b"\xf3\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf2\x00\x11\x00\x00"].concat();
        for takeover in [false, true] {
            for cut in 0..wire.len() {
                let mut inflater = Inflater::new(takeover, 15);
                let (a, b) = wire.split_at(cut);
                assert_eq!(inflated(&mut inflater, &[a, b], 100).unwrap(), b"HelloHello");
            }
        }
    }

    #[test]
    fn a_message_cut_short_anywhere_is_refused() {
        // Blocks of every kind, one and many.
        let noise: Vec<u8> = (0..3_000u32).map(|i| ((i * i * 7) >> 3) as u8).collect();
        let text: Vec<u8> = (0..2_000).flat_map(|i| format!("{i},").into_bytes()).collect();
        for (data, level) in [(&b"Hello"[..], 4), (&noise, 0), (&noise, 9), (&text, 1), (&text, 9)]
        {
            let wire = compress_once(data, level, 15);
            for takeover in [false, true] {
                let mut inflater = Inflater::new(takeover, 15);
                assert!(inflated(&mut inflater, &[&wire], 100_000).unwrap() == data);
                for cut in 0..wire.len() {
                    if wire[..cut] == [0x00] {
                        // The head of a stored block alone is a message: the empty one.
                        continue;
                    }
                    let mut inflater = Inflater::new(takeover, 15);
                    let result = inflated(&mut inflater, &[&wire[..cut]], 100_000);
                    let refused = result == Err(ProtocolError::InvalidDeflate);
                    assert!(refused, "level {level}, {cut} of {} bytes", wire.len());
                }
            }
        }
    }

    #[test]
    fn an_inflate_bomb_stops_at_the_limit_and_holds_no_more_memory() {
        let zeros = vec![0; 16 << 20];
        let bomb = compress_once(&zeros, 9, 15);
        assert!(bomb.len() < zeros.len() / 900);
        let limit = 1 << 20;
        let mut out = Vec::new();
        let error = Inflater::new(true, 15).inflate(&bomb, true, &mut out, limit).unwrap_err();
        assert_eq!(error.to_string(), "decompressed message exceeds 1048576 bytes");
        assert!(out.capacity() as u64 <= limit + 1);
    }

    #[test]
    fn a_message_of_exactly_the_limit_passes() {
        let wire = compress_once(&[1; 5000], 4, 15);
        let mut inflater = Inflater::new(true, 15);
        assert_eq!(inflated(&mut inflater, &[&wire], 5000).unwrap().len(), 5000);
    }

    #[test]
    fn garbage_is_refused() {
        let mut inflater = Inflater::new(true, 15);
        let result = inflated(&mut inflater, &[b"\xff\xff\xff\xff"], 100);
        assert_eq!(result, Err(ProtocolError::InvalidDeflate));
    }
}
