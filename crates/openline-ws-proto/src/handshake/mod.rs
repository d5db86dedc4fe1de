//! The opening handshake as pure functions over request and response heads (RFC 6455 §4, RFC 8441).
//!
//! - [`HeadReader`] collects a head from bytes as they come and parses it once.
//! - [`server::Offer`] checks a request and makes the response.
//! - [`client::Handshake`] makes a request and checks the response.
//! - [`encode_request`] and [`encode_response`] write heads for HTTP/1.1; over HTTP/2 the library
//!   that speaks it does.

pub mod client;
mod head;
pub(crate) mod headers;
pub mod server;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha1::{Digest as _, Sha1};

use crate::deflate::DeflateParams;

pub use head::{
    HEAD_BYTES_MAX, HEADERS_MAX, HeadError, HeadReader, encode_request, encode_response,
};

/// What both sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Agreed {
    /// The subprotocol, if any.
    pub protocol: Option<String>,
    /// The terms of compression, if any.
    pub deflate: Option<DeflateParams>,
}

/// RFC 6455 §4.2.2: the answer to a `Sec-WebSocket-Key`.
fn accept_key(key: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_example_of_rfc_6455_1_3() {
        assert_eq!(super::accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
