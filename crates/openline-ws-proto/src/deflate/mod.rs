//! permessage-deflate (RFC 7692): what is negotiated, and the codec that it leads to.

mod codec;
mod compress;
mod inflate;
mod negotiate;
mod window;

pub(crate) use codec::Deflate;
pub(crate) use compress::compress_once;
pub(crate) use negotiate::{accept_offer, accept_response, offer};

/// Frees the codecs that are kept for this thread's connections.
pub(crate) fn free_spare_codecs() {
    compress::free();
    inflate::free();
}

/// RFC 7692 §7.2.1: the end that every compressed message has and that is not sent.
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The smallest window that the codec can be told to keep to.
const WINDOW_BITS_CODEC_MIN: u8 = 9;
const WINDOW_BITS_MIN: u8 = 8;
const WINDOW_BITS_MAX: u8 = 15;

/// The most that the codec can be told to try.
const LEVEL_MAX: u32 = 9;

/// What this endpoint wants of compression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeflateOptions {
    /// Offer compression as a client, take it as a server. Default: yes.
    pub enabled: bool,
    /// Messages from this many bytes on are compressed. Smaller ones seldom gain. One that gets no
    /// smaller is sent as it is, but with 0 every message is compressed, whatever comes of it: there
    /// are peers that expect it. Default: 1,024.
    pub threshold: usize,
    /// 0 (store) to 9 (smallest); more counts as 9. Default: 4, which is near the smallest for
    /// messages and costs about half of 6.
    pub level: u32,
    /// Keep our compressor's window from one message to the next. It makes similar messages smaller
    /// and holds about 300 KiB for each line. Default: no for a server, and a client does as the
    /// server says.
    pub takeover: bool,
    /// Let the peer keep its compressor's window, of which we hold a copy for each line: as much as
    /// has come, 32 KiB at the most. Default: no for a server; a client allows it.
    pub peer_takeover: bool,
    /// The largest window for our compressor, 9 to 15 bits; less counts as 9, more as 15. It does
    /// not bound the peer's window. Default: 15.
    pub window_bits_max: u8,
}

impl Default for DeflateOptions {
    fn default() -> Self {
        Self {
            enabled: true,
            threshold: 1024,
            level: 4,
            takeover: false,
            peer_takeover: false,
            window_bits_max: WINDOW_BITS_MAX,
        }
    }
}

impl DeflateOptions {
    /// What a client wants by default: it has one line, so it lets both sides keep their windows.
    pub fn client() -> Self {
        Self { takeover: true, peer_takeover: true, ..Self::default() }
    }

    /// No compression.
    pub fn disabled() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// The largest window, brought into the range that the codec can keep to.
    fn window_bits(&self) -> u8 {
        self.window_bits_max.clamp(WINDOW_BITS_CODEC_MIN, WINDOW_BITS_MAX)
    }
}

/// What both sides agreed on in the handshake (RFC 7692 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeflateParams {
    /// The server forgets its window after each message.
    pub server_no_context_takeover: bool,
    /// The client forgets its window after each message.
    pub client_no_context_takeover: bool,
    /// The server's window, 8 to 15 bits.
    pub server_max_window_bits: u8,
    /// The client's window, 8 to 15 bits.
    pub client_max_window_bits: u8,
}

impl Default for DeflateParams {
    /// What holds when no parameter is named.
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: WINDOW_BITS_MAX,
            client_max_window_bits: WINDOW_BITS_MAX,
        }
    }
}
