//! From what is said to the messages that say it.

use bytes::Bytes;
use bytestring::ByteString;

use super::{Arguments, MAIN};

/// A packet, ready to be sent: the text first, then the attachments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encoded {
    pub(crate) text: ByteString,
    pub(crate) attachments: Vec<Bytes>,
}

/// Room for what stands around values.
const FRAME_BYTES: usize = 64;

/// The client has joined the namespace as `sid`. Only it knows `pid`, with which it comes back.
pub(crate) fn connect(namespace: &str, sid: &str, pid: Option<&str>) -> ByteString {
    let mut text = Text::new('0', 0, namespace, None, FRAME_BYTES);
    text.raw(r#"{"sid":"#);
    text.string(sid);
    if let Some(pid) = pid {
        text.raw(r#","pid":"#);
        text.string(pid);
    }
    text.raw("}");
    text.done()
}

/// The client may not join the namespace. `data` is JSON.
pub(crate) fn connect_error(namespace: &str, message: &str, data: Option<&str>) -> ByteString {
    let mut text = Text::new('4', 0, namespace, None, FRAME_BYTES + message.len());
    text.raw(r#"{"message":"#);
    text.string(message);
    if let Some(data) = data {
        text.raw(r#","data":"#);
        text.raw(data);
    }
    text.raw("}");
    text.done()
}

/// The client is out of the namespace.
pub(crate) fn disconnect(namespace: &str) -> ByteString {
    Text::new('1', 0, namespace, None, 0).done()
}

/// An event; with an `id` it wants an answer. `offset` follows the values as one more: where the
/// client is then, for its coming back. The name must not be a [reserved](super::is_reserved) one.
pub(crate) fn event(
    namespace: &str,
    name: &str,
    arguments: &Arguments,
    id: Option<u64>,
    offset: Option<&str>,
) -> Encoded {
    debug_assert!(!super::is_reserved(name), "a client takes {name} for broken");
    let attachments = arguments.attachments();
    let kind = if attachments.is_empty() { '2' } else { '5' };
    let room = FRAME_BYTES + name.len() + arguments.values().len();
    let mut text = Text::new(kind, attachments.len(), namespace, id, room);
    text.raw("[");
    text.string(name);
    if arguments.len() > 0 {
        text.raw(",");
        text.raw(arguments.values());
    }
    if let Some(offset) = offset {
        text.raw(",");
        text.string(offset);
    }
    text.raw("]");
    Encoded { text: text.done(), attachments: attachments.to_vec() }
}

/// The answer to the event with this id.
pub(crate) fn ack(namespace: &str, id: u64, arguments: &Arguments) -> Encoded {
    let attachments = arguments.attachments();
    let kind = if attachments.is_empty() { '3' } else { '6' };
    let room = FRAME_BYTES + arguments.values().len();
    let mut text = Text::new(kind, attachments.len(), namespace, Some(id), room);
    text.raw("[");
    text.raw(arguments.values());
    text.raw("]");
    Encoded { text: text.done(), attachments: attachments.to_vec() }
}

/// The text of a packet while it is written.
struct Text(String);

impl Text {
    fn new(kind: char, attachments: usize, namespace: &str, id: Option<u64>, room: usize) -> Self {
        use std::fmt::Write as _;
        let mut text = String::with_capacity(room + namespace.len());
        text.push(kind);
        // Writing to text does not fail.
        if attachments > 0 {
            let _ = write!(text, "{attachments}-");
        }
        if namespace != MAIN {
            text.push_str(namespace);
            text.push(',');
        }
        if let Some(id) = id {
            let _ = write!(text, "{id}");
        }
        Self(text)
    }

    fn raw(&mut self, json: &str) {
        self.0.push_str(json);
    }

    fn string(&mut self, text: &str) {
        let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        if text.bytes().all(is_plain) {
            self.0.push('"');
            self.0.push_str(text);
            self.0.push('"');
        } else {
            self.0.push_str(&serde_json::Value::from(text).to_string());
        }
    }

    fn done(self) -> ByteString {
        self.0.into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use openline_protocol::Data;

    use super::*;

    fn arguments(list: &'static str) -> Arguments {
        Arguments::from_list(&ByteString::from_static(list), Vec::new()).unwrap()
    }

    #[test]
    fn packets_are_written_as_the_protocol_shows_them() {
        assert_eq!(connect("/", "a1", None), r#"0{"sid":"a1"}"#);
        assert_eq!(connect("/b", "a1", Some("p")), r#"0/b,{"sid":"a1","pid":"p"}"#);
        assert_eq!(connect_error("/", "no \"x\"", None), r#"4{"message":"no \"x\""}"#);
        let error = connect_error("/b", "no", Some("[1]"));
        assert_eq!(error, r#"4/b,{"message":"no","data":[1]}"#);
        assert_eq!(disconnect("/"), "1");
        assert_eq!(disconnect("/b"), "1/b,");
        let text = |encoded: Encoded| encoded.text.to_string();
        assert_eq!(text(event("/", "hi", &arguments("[]"), None, None)), r#"2["hi"]"#);
        let hi = event("/b", "h\ni", &arguments("[1,{}]"), Some(3), None);
        assert_eq!(text(hi), r#"2/b,3["h\ni",1,{}]"#);
        let hi = event("/", "hi", &arguments("[1]"), None, Some("1f"));
        assert_eq!(text(hi), r#"2["hi",1,"1f"]"#);
        let hi = event("/", "hi", &arguments("[]"), None, Some("1f"));
        assert_eq!(text(hi), r#"2["hi","1f"]"#);
        assert_eq!(text(ack("/", 0, &arguments("[]"))), "30[]");
        assert_eq!(text(ack("/b", 12, &arguments("[null,2]"))), "3/b,12[null,2]");
    }

    #[test]
    fn bytes_travel_beside_the_text() {
        let bytes = Bytes::from_static(b"\x00\xff");
        let encoded = event("/", "f", &Data::Binary(bytes.clone()).into(), None, Some("2"));
        assert_eq!(encoded.text, r#"51-["f",{"_placeholder":true,"num":0},"2"]"#);
        assert_eq!(encoded.attachments, std::slice::from_ref(&bytes));
        let encoded = ack("/b", 4, &Data::Binary(bytes.clone()).into());
        assert_eq!(encoded.text, r#"61-/b,4[{"_placeholder":true,"num":0}]"#);
        assert_eq!(encoded.attachments, [bytes]);
    }
}
