//! [`Object`]: a JSON object, written in one line.

use std::fmt::Display;

use openline_client::{Data, Member};

use crate::connect::hex;

/// A JSON object that is being written.
pub(super) struct Object(String);

impl Object {
    /// An object whose field `type` says what it is.
    pub(super) fn new(kind: &str) -> Self {
        Self(format!("{{\"type\":{}", quoted(kind)))
    }

    /// A field whose value is JSON already.
    pub(super) fn raw(mut self, name: &str, value: impl Display) -> Self {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&format!("\"{name}\":{value}"));
        self
    }

    pub(super) fn text(self, name: &str, value: impl Display) -> Self {
        self.raw(name, quoted(&value.to_string()))
    }

    /// A field that is left out where there is no value.
    pub(super) fn text_if(self, name: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    /// A payload; bytes are hex digits in a field of the name `hex`.
    pub(super) fn data(self, name: &str, data: &Data) -> Self {
        match data {
            Data::Json(text) => self.raw(name, one_line(text)),
            Data::Binary(bytes) => self.text("hex", hex::encode(bytes)),
        }
    }

    /// Somebody who is in a channel.
    pub(super) fn member(self, member: &Member) -> Self {
        let object = self
            .text("clientId", &member.client_id)
            .text_if("user", member.user.as_ref())
            .text_if("status", member.status.as_ref());
        let object = match &member.info {
            Some(info) => object.data("info", info),
            None => object,
        };
        match &member.data {
            Some(data) => object.data("data", data),
            None => object,
        }
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A list of members.
pub(super) fn members(members: &[Member]) -> String {
    let all: Vec<String> =
        members.iter().map(|member| Object("{".to_owned()).member(member).finish()).collect();
    format!("[{}]", all.join(","))
}

/// A JSON value without line breaks, and without characters that would steer a terminal. Its meaning
/// stays: between values they are white space, within strings they have escapes.
pub(super) fn one_line(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut line, c| {
        match c {
            '\n' | '\r' | '\t' => line.push(' '),
            c if c.is_control() => line.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => line.push(c),
        }
        line
    })
}

fn quoted(text: &str) -> String {
    one_line(&serde_json::Value::from(text).to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn an_object_is_one_line_whatever_is_in_it() {
        let data = Data::Json("{\n\t\"a\": [1,\r\n 2], \"b\": \"x\u{9b}31m\u{7f}\"}".into());
        let written = Object::new("publication")
            .text("channel", "a\u{9b}\"b\nc")
            .text_if("user", None::<&str>)
            .raw("count", 3)
            .data("data", &data)
            .finish();
        assert!(!written.chars().any(char::is_control), "{written:?}");
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!(read["type"], "publication");
        assert_eq!(read["channel"], "a\u{9b}\"b\nc");
        assert_eq!(read["count"], 3);
        assert_eq!(read["data"]["a"][1], 2);
        assert_eq!(read["data"]["b"], "x\u{9b}31m\u{7f}");
        assert_eq!(read.get("user"), None);
    }

    #[test]
    fn bytes_are_hex_digits() {
        let written = Object::new("publication").data("data", &Data::Binary(vec![0, 255].into()));
        assert_eq!(written.finish(), r#"{"type":"publication","hex":"00ff"}"#);
    }
}
