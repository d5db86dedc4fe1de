//! What holds of any message of a plain client.

use bytestring::ByteString;
use openline_protocol::Data;

use super::Incoming;

/// What is read is one JSON object with a type.
pub fn plain(data: &[u8]) {
    let Ok(text) = ByteString::try_from(data) else { return };
    let Ok(incoming) = Incoming::read(text) else { return };
    let Data::Json(json) = incoming.data else { unreachable!("a plain message is text") };
    let object: serde_json::Map<_, _> = serde_json::from_str(&json).expect("it was checked");
    assert_eq!(object.get("type").and_then(|kind| kind.as_str()), Some(&*incoming.event));
}
