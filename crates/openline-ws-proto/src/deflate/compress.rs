//! Compressing our messages (RFC 7692 §7.2.1).
//!
//! A side that forgets its window after each message holds no codec between messages: it borrows
//! one from a pool of the thread.

use std::cell::RefCell;

use flate2::{Compress, Compression, FlushCompress};

use super::{LEVEL_MAX, TAIL, WINDOW_BITS_CODEC_MIN, WINDOW_BITS_MAX};

/// Codecs kept for each thread.
const POOLED_MAX: usize = 4;

/// The sending direction of one connection.
#[derive(Debug)]
pub(super) struct Compressor {
    takeover: bool,
    window_bits: u8,
    level: u32,
    /// Held only with takeover.
    codec: Option<Compress>,
}

impl Compressor {
    /// What is out of range is brought to the nearest that is in it.
    pub(super) fn new(takeover: bool, window_bits: u8, level: u32) -> Self {
        let window_bits = window_bits.min(WINDOW_BITS_MAX);
        Self { takeover, window_bits, level: level.min(LEVEL_MAX), codec: None }
    }

    /// Whether messages refer to those before them, or may.
    pub(super) fn keeps_window(&self) -> bool {
        self.takeover
    }

    pub(super) fn can_compress(&self) -> bool {
        self.window_bits >= WINDOW_BITS_CODEC_MIN
    }

    pub(super) fn window_bits(&self) -> u8 {
        self.window_bits
    }

    /// Appends `payload`, compressed, to `out`; returns whether that is what to send. Otherwise the
    /// payload is to be sent as it is.
    pub(super) fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let start = out.len();
        let mut codec = match self.codec.take() {
            Some(codec) => codec,
            None => take(self.level, self.window_bits),
        };
        compress_message(&mut codec, payload, out);
        if self.takeover {
            // Sent even where it is larger: later messages refer to it. To forget it instead would
            // cost them more than the few bytes that a payload grows by at the most.
            self.codec = Some(codec);
            return true;
        }
        give(codec, self.level, self.window_bits);
        out.len() - start < payload.len()
    }

    pub(super) fn forget(&mut self) {
        if let Some(codec) = &mut self.codec {
            codec.reset();
        }
    }
}

/// A message compressed on its own, for many lines at once. `window_bits` is 9 to 15.
pub(crate) fn compress_once(payload: &[u8], level: u32, window_bits: u8) -> Vec<u8> {
    let level = level.min(LEVEL_MAX);
    let mut out = Vec::with_capacity(payload.len() / 2 + 16);
    let mut codec = take(level, window_bits);
    compress_message(&mut codec, payload, &mut out);
    give(codec, level, window_bits);
    out
}

/// RFC 7692 §7.2.1: compress, flush to a byte boundary, remove the tail.
fn compress_message(codec: &mut Compress, payload: &[u8], out: &mut Vec<u8>) {
    if payload.is_empty() {
        // RFC 7692 §7.2.3.6. The codec would write nothing for a second flush in a row.
        out.push(0x00);
        return;
    }
    let start_in = codec.total_in();
    out.reserve(payload.len() / 2 + 16);
    loop {
        let rest = &payload[(codec.total_in() - start_in) as usize..];
        codec
            .compress_vec(rest, out, FlushCompress::Sync)
            .expect("deflate fails only on a wrong order of calls, and there is one order here");
        let all_in = codec.total_in() - start_in == payload.len() as u64;
        // Room left over means that the flush was completed (zlib's manual, deflate()).
        if all_in && out.len() < out.capacity() {
            break;
        }
        out.reserve(out.len().max(64));
    }
    debug_assert!(out.ends_with(&TAIL));
    out.truncate(out.len() - TAIL.len());
}

thread_local! {
    static FREE: RefCell<Vec<(u32, u8, Compress)>> = const { RefCell::new(Vec::new()) };
}

/// Frees the codecs that are kept.
pub(super) fn free() {
    FREE.take();
}

fn take(level: u32, window_bits: u8) -> Compress {
    FREE.with_borrow_mut(|free| {
        let at = free.iter().position(|(l, bits, _)| (*l, *bits) == (level, window_bits))?;
        Some(free.swap_remove(at).2)
    })
    .unwrap_or_else(|| Compress::new_with_window_bits(Compression::new(level), false, window_bits))
}

fn give(mut codec: Compress, level: u32, window_bits: u8) {
    codec.reset();
    FREE.with_borrow_mut(|free| {
        if free.len() < POOLED_MAX {
            free.push((level, window_bits, codec));
        }
    });
}
