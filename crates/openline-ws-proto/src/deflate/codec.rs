//! Compressing and inflating messages (RFC 7692 §7.2).
//!
//! A side that forgets its window after each message holds no codec between messages: it borrows
//! one from a pool of the thread.

use std::cell::RefCell;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::{DeflateParams, WINDOW_BITS_CODEC_MIN};
use crate::Role;
use crate::error::ProtocolError;

/// RFC 7692 §7.2.1: the end that every compressed message has and that is not sent.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// What the codec is lent to write to at first; twice as much whenever it fills that. It clears all
/// that it is lent, so lending it the whole buffer would let a message whose blocks end every other
/// byte cost a second of work for each 100 KiB.
const ROOM_BYTES: usize = 4 * 1024;

/// Codecs kept for each thread and kind.
const POOLED_MAX: usize = 4;

/// Both directions of one connection.
#[derive(Debug)]
pub(crate) struct Deflate {
    send_takeover: bool,
    send_window_bits: u8,
    level: u32,
    compressor: Option<Compress>,
    receive_takeover: bool,
    receive_window_bits: u8,
    /// Held while a message is being inflated; beyond it only with takeover.
    inflater: Option<Decompress>,
}

impl Deflate {
    pub(crate) fn new(params: DeflateParams, role: Role, level: u32) -> Self {
        let server = (!params.server_no_context_takeover, params.server_max_window_bits);
        let client = (!params.client_no_context_takeover, params.client_max_window_bits);
        let ((send_takeover, send_window_bits), (receive_takeover, receive_window_bits)) =
            match role {
                Role::Server => (server, client),
                Role::Client => (client, server),
            };
        Self {
            send_takeover,
            send_window_bits,
            level,
            compressor: None,
            receive_takeover,
            receive_window_bits,
            inflater: None,
        }
    }

    /// Whether our messages can be compressed: the codec cannot be held to a window of 8 bits, and a
    /// peer that asks for it gets messages as they are, which RFC 7692 §6 leaves to the sender.
    pub(crate) fn can_compress(&self) -> bool {
        self.send_window_bits >= WINDOW_BITS_CODEC_MIN
    }

    /// The window that a message compressed on its own must keep to.
    pub(crate) fn send_window_bits(&self) -> u8 {
        self.send_window_bits
    }

    /// Appends `payload`, compressed, to `out`.
    pub(crate) fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        let mut compressor = match self.compressor.take() {
            Some(compressor) => compressor,
            None => take_compressor(self.level, self.send_window_bits),
        };
        compress_message(&mut compressor, payload, out);
        if self.send_takeover {
            self.compressor = Some(compressor);
        } else {
            give_compressor(compressor, self.level, self.send_window_bits);
        }
    }

    /// Takes note that a message went out that was compressed elsewhere. The peer's window now
    /// holds what our compressor never saw, so the next message must not reach back beyond it.
    pub(crate) fn forget_sent(&mut self) {
        if let Some(compressor) = &mut self.compressor {
            compressor.reset();
        }
    }

    /// Appends what the next piece of a compressed message inflates to.
    ///
    /// `out` never grows beyond `limit` bytes by more than one, and its capacity not beyond that
    /// either: the limit acts while inflating.
    pub(crate) fn inflate(
        &mut self,
        piece: &[u8],
        out: &mut Vec<u8>,
        limit: u64,
    ) -> Result<(), ProtocolError> {
        let window_bits = self.receive_window_bits;
        let inflater = self.inflater.get_or_insert_with(|| take_inflater(window_bits));
        inflate_piece(inflater, piece, out, limit)
    }

    /// Appends the rest of a compressed message whose pieces have all been given to
    /// [`Deflate::inflate`].
    pub(crate) fn finish_inflate(
        &mut self,
        out: &mut Vec<u8>,
        limit: u64,
    ) -> Result<(), ProtocolError> {
        self.inflate(&TAIL, out, limit)?;
        if !self.receive_takeover
            && let Some(inflater) = self.inflater.take()
        {
            give_inflater(inflater, self.receive_window_bits);
        }
        Ok(())
    }
}

/// A message compressed on its own, for many lines at once.
pub(crate) fn compress_once(payload: &[u8], level: u32, window_bits: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() / 2 + 16);
    let mut compressor = take_compressor(level, window_bits);
    compress_message(&mut compressor, payload, &mut out);
    give_compressor(compressor, level, window_bits);
    out
}

/// RFC 7692 §7.2.1: compress, flush to a byte boundary, remove the tail.
fn compress_message(compressor: &mut Compress, payload: &[u8], out: &mut Vec<u8>) {
    if payload.is_empty() {
        // RFC 7692 §7.2.3.6. The codec would write nothing for a second flush in a row.
        out.push(0x00);
        return;
    }
    let start_in = compressor.total_in();
    out.reserve(payload.len() / 2 + 16);
    loop {
        let rest = &payload[(compressor.total_in() - start_in) as usize..];
        compressor
            .compress_vec(rest, out, FlushCompress::Sync)
            .expect("deflate fails only on a wrong order of calls, and there is one order here");
        let all_in = compressor.total_in() - start_in == payload.len() as u64;
        // Room left over means that the flush was completed (zlib's manual, deflate()).
        if all_in && out.len() < out.capacity() {
            break;
        }
        out.reserve(out.len().max(64));
    }
    debug_assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
}

fn inflate_piece(
    inflater: &mut Decompress,
    piece: &[u8],
    out: &mut Vec<u8>,
    limit: u64,
) -> Result<(), ProtocolError> {
    let limit_len = usize::try_from(limit).unwrap_or(usize::MAX).min(usize::MAX - 1);
    let mut rest = piece;
    let mut room = ROOM_BYTES;
    loop {
        let start = out.len();
        if start > limit_len {
            return Err(ProtocolError::MessageTooBig { limit, inflated: true });
        }
        if start == out.capacity() {
            let more = start.max(piece.len() * 2).max(256);
            // One byte over the limit is room enough to see that it is passed.
            out.reserve_exact(more.min(limit_len + 1 - start));
        }
        out.resize(out.capacity().min(start + room), 0);
        let before = (inflater.total_in(), inflater.total_out());
        let status = inflater.decompress(rest, &mut out[start..], FlushDecompress::Sync);
        let taken = (inflater.total_in() - before.0) as usize;
        let written = (inflater.total_out() - before.1) as usize;
        let filled = start + written == out.len();
        out.truncate(start + written);
        rest = &rest[taken..];
        if status.map_err(|_| ProtocolError::InvalidDeflate)? == Status::StreamEnd {
            // RFC 7692 §7.2.3.4: a message may have blocks that say they are the last.
            inflater.reset(false);
        } else if filled {
            room = room.saturating_mul(2);
        } else if rest.is_empty() {
            return Ok(());
        } else if taken == 0 && written == 0 {
            return Err(ProtocolError::InvalidDeflate);
        }
    }
}

thread_local! {
    static COMPRESSORS: RefCell<Vec<(u32, u8, Compress)>> = const { RefCell::new(Vec::new()) };
    static INFLATERS: RefCell<Vec<(u8, Decompress)>> = const { RefCell::new(Vec::new()) };
}

fn take_compressor(level: u32, window_bits: u8) -> Compress {
    COMPRESSORS
        .with_borrow_mut(|pool| {
            let at = pool.iter().position(|(l, bits, _)| (*l, *bits) == (level, window_bits))?;
            Some(pool.swap_remove(at).2)
        })
        .unwrap_or_else(|| {
            Compress::new_with_window_bits(Compression::new(level), false, window_bits)
        })
}

fn give_compressor(mut compressor: Compress, level: u32, window_bits: u8) {
    compressor.reset();
    COMPRESSORS.with_borrow_mut(|pool| {
        if pool.len() < POOLED_MAX {
            pool.push((level, window_bits, compressor));
        }
    });
}

fn take_inflater(window_bits: u8) -> Decompress {
    // A larger window reads what a smaller one wrote.
    let window_bits = window_bits.max(WINDOW_BITS_CODEC_MIN);
    INFLATERS
        .with_borrow_mut(|pool| {
            let at = pool.iter().position(|(bits, _)| *bits == window_bits)?;
            Some(pool.swap_remove(at).1)
        })
        .unwrap_or_else(|| Decompress::new_with_window_bits(false, window_bits))
}

fn give_inflater(mut inflater: Decompress, window_bits: u8) {
    inflater.reset(false);
    INFLATERS.with_borrow_mut(|pool| {
        if pool.len() < POOLED_MAX {
            pool.push((window_bits.max(WINDOW_BITS_CODEC_MIN), inflater));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(params: DeflateParams) -> (Deflate, Deflate) {
        (Deflate::new(params, Role::Server, 4), Deflate::new(params, Role::Client, 4))
    }

    fn inflated(
        codec: &mut Deflate,
        pieces: &[&[u8]],
        limit: u64,
    ) -> Result<Vec<u8>, ProtocolError> {
        let mut out = Vec::new();
        for piece in pieces {
            codec.inflate(piece, &mut out, limit)?;
        }
        codec.finish_inflate(&mut out, limit)?;
        Ok(out)
    }

    proptest! {
        #[test]
        fn compressing_and_inflating_is_the_identity(
            messages in proptest::collection::vec(proptest::collection::vec(0u8..4, 0..600), 1..6),
            bits in 9u8..=15, takeover: bool, cut in 0usize..50,
        ) {
            let (mut server, mut client) = pair(DeflateParams {
                server_no_context_takeover: !takeover,
                server_max_window_bits: bits,
                ..DeflateParams::default()
            });
            for message in messages {
                let mut wire = Vec::new();
                server.compress(&message, &mut wire);
                let (a, b) = wire.split_at(cut.min(wire.len()));
                prop_assert_eq!(inflated(&mut client, &[a, b], 1000).unwrap(), message);
            }
        }
    }

    #[test]
    fn the_examples_of_rfc_7692_7_2_3_inflate() {
        let hello: [&[u8]; 5] = [
            b"\xf2\x48\xcd\xc9\xc9\x07\x00",
            // Two blocks, no compression, a block marked as the last, two deflate blocks.
            b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00",
            b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00",
            b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00",
            b"\xf2\x48\xcd\xc9\xc9\x07\x00",
        ];
        for wire in hello {
            let (_, mut client) = pair(DeflateParams {
                server_no_context_takeover: true,
                ..DeflateParams::default()
            });
            assert_eq!(inflated(&mut client, &[wire], 100).unwrap(), b"Hello", "{wire:x?}");
        }
    }

    #[test]
    fn an_inflate_bomb_stops_at_the_limit_and_holds_no_more_memory() {
        let zeros = vec![0; 16 << 20];
        let bomb = compress_once(&zeros, 9, 15);
        assert!(bomb.len() < zeros.len() / 900);
        let (_, mut client) = pair(DeflateParams::default());
        let limit = 1 << 20;
        let mut out = Vec::new();
        let error = client.inflate(&bomb, &mut out, limit).unwrap_err();
        assert_eq!(error.to_string(), "decompressed message exceeds 1048576 bytes");
        assert!(out.capacity() as u64 <= limit + 1);
    }

    #[test]
    fn a_message_of_exactly_the_limit_passes() {
        let data = vec![1; 5000];
        let (mut server, mut client) = pair(DeflateParams::default());
        let mut wire = Vec::new();
        server.compress(&data, &mut wire);
        assert_eq!(inflated(&mut client, &[&wire], 5000).unwrap().len(), 5000);
    }

    #[test]
    fn after_a_message_compressed_elsewhere_the_window_is_not_used() {
        let (mut server, mut client) = pair(DeflateParams::default());
        for _ in 0..3 {
            let mut wire = Vec::new();
            server.compress(b"the same words again and again", &mut wire);
            assert!(inflated(&mut client, &[&wire], 100).is_ok());
            let other = compress_once(b"something that others get as well", 4, 15);
            server.forget_sent();
            assert_eq!(
                inflated(&mut client, &[&other], 100).unwrap(),
                b"something that others get as well"
            );
        }
    }

    #[test]
    fn garbage_is_refused() {
        let (_, mut client) = pair(DeflateParams::default());
        assert_eq!(
            client.inflate(b"\xff\xff\xff\xff", &mut Vec::new(), 100),
            Err(ProtocolError::InvalidDeflate)
        );
    }
}
