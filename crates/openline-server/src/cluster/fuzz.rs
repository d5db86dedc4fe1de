//! What holds of any bytes that another node says.

use super::Message;
use super::forward::fuzz::forwarded;

/// A message is read as it is written again; what is handed over is a request or nothing.
pub fn cluster(data: &[u8]) {
    if let Some(message) = Message::from_bytes(data) {
        let bytes = message.to_bytes().expect("no longer than it came");
        assert_eq!(Message::from_bytes(&bytes), Some(message));
    }
    forwarded(data);
}
