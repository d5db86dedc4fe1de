//! Both directions of one connection (RFC 7692 §7.2).

use super::DeflateParams;
use super::compress::Compressor;
use super::inflate::Inflater;
use crate::Role;
use crate::error::ProtocolError;

#[derive(Debug)]
pub(crate) struct Deflate {
    compressor: Compressor,
    inflater: Inflater,
}

impl Deflate {
    pub(crate) fn new(params: DeflateParams, role: Role, level: u32) -> Self {
        let server = (!params.server_no_context_takeover, params.server_max_window_bits);
        let client = (!params.client_no_context_takeover, params.client_max_window_bits);
        let (send, receive) = match role {
            Role::Server => (server, client),
            Role::Client => (client, server),
        };
        Self {
            compressor: Compressor::new(send.0, send.1, level),
            inflater: Inflater::new(receive.0, receive.1),
        }
    }

    /// Whether either side refers to what was sent before, or may.
    pub(crate) fn keeps_windows(&self) -> bool {
        self.compressor.keeps_window() || self.inflater.keeps_window()
    }

    /// Whether our messages can be compressed: the codec cannot be held to a window of 8 bits, and a
    /// peer that asks for it gets messages as they are, which RFC 7692 §6 leaves to the sender.
    pub(crate) fn can_compress(&self) -> bool {
        self.compressor.can_compress()
    }

    /// The window that a message compressed on its own must keep to.
    pub(crate) fn send_window_bits(&self) -> u8 {
        self.compressor.window_bits()
    }

    /// Appends `payload`, compressed, to `out`; returns whether that is what to send. Otherwise the
    /// payload is to be sent as it is.
    pub(crate) fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        self.compressor.compress(payload, out)
    }

    /// Takes note that a message went out that was compressed elsewhere. The peer's window now
    /// holds what our compressor never saw, so the next message must not reach back beyond it.
    pub(crate) fn forget_sent(&mut self) {
        self.compressor.forget();
    }

    /// Appends what the next piece of a compressed message inflates to; `ended` says that it is the
    /// last.
    ///
    /// `out` never grows beyond `limit` bytes by more than one, and its capacity not beyond that
    /// either: the limit acts while inflating.
    pub(crate) fn inflate(
        &mut self,
        piece: &[u8],
        ended: bool,
        out: &mut Vec<u8>,
        limit: u64,
    ) -> Result<(), ProtocolError> {
        self.inflater.inflate(piece, ended, out, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deflate::compress_once;
    use proptest::prelude::*;

    fn pair(params: DeflateParams) -> (Deflate, Deflate) {
        (Deflate::new(params, Role::Server, 4), Deflate::new(params, Role::Client, 4))
    }

    fn inflated(codec: &mut Deflate, wire: &[u8], cut: usize) -> Vec<u8> {
        let (a, b) = wire.split_at(cut.min(wire.len()));
        let mut out = Vec::new();
        codec.inflate(a, false, &mut out, 1000).unwrap();
        codec.inflate(b, true, &mut out, 1000).unwrap();
        out
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
                prop_assert_eq!(inflated(&mut client, &wire, cut), message);
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
            assert_eq!(inflated(&mut client, wire, 0), b"Hello", "{wire:x?}");
        }
    }

    #[test]
    fn after_a_message_compressed_elsewhere_the_window_is_not_used() {
        let (mut server, mut client) = pair(DeflateParams::default());
        for _ in 0..3 {
            let mut wire = Vec::new();
            let own = b"the same words again and again";
            server.compress(own, &mut wire);
            assert_eq!(inflated(&mut client, &wire, 0), own);
            let other = compress_once(b"something that others get as well", 4, 15);
            server.forget_sent();
            assert_eq!(inflated(&mut client, &other, 0), b"something that others get as well");
        }
    }
}
