//! [`Arguments`]: what an event or an ack carries.

use bytes::Bytes;
use bytestring::ByteString;
use openline_protocol::{Data, limits};
use serde::Deserialize;

use super::{ATTACHMENTS_MAX, Malformed, placeholder};

/// What an event carries beside its name, or an ack. They pass through as they came: the JSON of all
/// of them is one slice of the packet, with placeholders where attachments belong.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Arguments {
    /// The values, with commas between them and no brackets around them.
    list: ByteString,
    count: usize,
    attachments: Vec<Bytes>,
}

/// A placeholder that stands alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Placeholder {
    #[serde(rename = "_placeholder")]
    is_one: bool,
    num: usize,
}

impl Arguments {
    /// From the values of a list that was checked. The attachments are to follow.
    pub(super) fn checked(list: ByteString, count: usize) -> Self {
        Self { list, count, attachments: Vec::new() }
    }

    pub(super) fn attach(&mut self, bytes: Bytes) {
        self.attachments.push(bytes);
    }

    /// How long they are, with what is attached.
    pub(crate) fn bytes(&self) -> usize {
        self.list.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }

    /// Many values, as one JSON list with a placeholder where each attachment belongs.
    ///
    /// # Errors
    /// The text is not a list, or its placeholders do not name each attachment once.
    pub(crate) fn from_list(list: &ByteString, attachments: Vec<Bytes>) -> Result<Self, Malformed> {
        if attachments.len() > ATTACHMENTS_MAX {
            return Err(Malformed::Attachments);
        }
        let split = Split::of(list, limits::DEPTH_MAX)?;
        if !attachments.is_empty() {
            placeholder::check(list, attachments.len())?;
        }
        Ok(Self { list: split.all(list), count: split.count, attachments })
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }

    /// The JSON of the values, with commas between them.
    pub(crate) fn values(&self) -> &str {
        &self.list
    }

    /// The values as one JSON list.
    pub(crate) fn to_list(&self) -> ByteString {
        format!("[{}]", self.list).into()
    }

    /// The values as one payload, and the attachments that it names: nothing is `null`, a single value
    /// is itself, bytes if it is an attachment; more of them are a list.
    pub(crate) fn into_data(self) -> (Data, Vec<Bytes>) {
        match (self.count, self.attachments.as_slice()) {
            (0, _) => (Data::null(), Vec::new()),
            (1, [bytes]) if self.is_placeholder() => (Data::Binary(bytes.clone()), Vec::new()),
            (1, _) => (Data::Json(self.list), self.attachments),
            _ => (Data::Json(self.to_list()), self.attachments),
        }
    }

    fn is_placeholder(&self) -> bool {
        let placeholder = serde_json::from_str::<Placeholder>(&self.list);
        placeholder.is_ok_and(|placeholder| placeholder.is_one && placeholder.num == 0)
    }
}

/// A single value.
impl From<Data> for Arguments {
    fn from(data: Data) -> Self {
        match data {
            Data::Json(list) => Self { list, count: 1, attachments: Vec::new() },
            Data::Binary(bytes) => Self {
                list: ByteString::from_static(r#"{"_placeholder":true,"num":0}"#),
                count: 1,
                attachments: vec![bytes],
            },
        }
    }
}

/// Where the values of a list stand in its text.
pub(super) struct Split<'a> {
    pub(super) count: usize,
    pub(super) first: Option<&'a str>,
    /// Where the second one begins, and the last one ends.
    second: usize,
    end: usize,
}

impl<'a> Split<'a> {
    pub(super) fn of(list: &'a str, depth_max: usize) -> Result<Self, Malformed> {
        let mut split = Self { count: 0, first: None, second: 0, end: 0 };
        let place = |element: &str| element.as_ptr() as usize - list.as_ptr() as usize;
        openline_protocol::each_json_element(list, depth_max, |element| {
            split.count += 1;
            split.end = place(element) + element.len();
            match split.count {
                1 => split.first = Some(element),
                2 => split.second = place(element),
                _ => {}
            }
        })
        .map_err(|fault| Malformed::Json(fault.message))?;
        Ok(split)
    }

    /// The values of the list that this was made of.
    pub(super) fn all(&self, list: &ByteString) -> ByteString {
        self.first.map_or_else(ByteString::new, |first| {
            let from = first.as_ptr() as usize - list.as_ptr() as usize;
            list.slice_ref(&list[from..self.end])
        })
    }

    /// The values behind the first.
    pub(super) fn rest(&self, list: &ByteString) -> ByteString {
        match self.count {
            0 | 1 => ByteString::new(),
            _ => list.slice_ref(&list[self.second..self.end]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn arguments(list: &'static str, attachments: &[&'static [u8]]) -> Arguments {
        let attachments = attachments.iter().map(|bytes| Bytes::from_static(bytes)).collect();
        Arguments::from_list(&ByteString::from_static(list), attachments).unwrap()
    }

    fn json(text: &'static str) -> Data {
        Data::Json(ByteString::from_static(text))
    }

    #[test]
    fn none_one_and_many_values_are_told_apart() {
        assert_eq!(arguments("[]", &[]).into_data(), (json("null"), vec![]));
        assert_eq!(arguments("[ {\"a\": 1} ]", &[]).into_data(), (json("{\"a\": 1}"), vec![]));
        // A list as the only value is not many values.
        assert_eq!(arguments("[[1,2]]", &[]).into_data(), (json("[1,2]"), vec![]));
        assert_eq!(arguments("[[1,2]]", &[]).len(), 1);
        assert_eq!(arguments("[1, 2]", &[]).into_data(), (json("[1, 2]"), vec![]));
        assert_eq!(arguments("[1, 2]", &[]).len(), 2);
    }

    #[test]
    fn a_single_attachment_is_bytes() {
        let bytes = Bytes::from_static(b"\x01\x02");
        for list in [
            r#"[{"_placeholder":true,"num":0}]"#,
            r#"[ {"num": 0, "_placeholder": true} ]"#,
            r#"[{"\u005fplaceholder":true,"num":0}]"#,
        ] {
            let data = arguments(list, &[b"\x01\x02"]).into_data();
            assert_eq!(data, (Data::Binary(bytes.clone()), vec![]), "{list}");
        }
        let within = r#"[{"a":{"_placeholder":true,"num":0}}]"#;
        let (data, attachments) = arguments(within, &[b"\x01\x02"]).into_data();
        assert_eq!(data, json(r#"{"a":{"_placeholder":true,"num":0}}"#));
        assert_eq!(attachments, std::slice::from_ref(&bytes));
        assert_eq!(Arguments::from(Data::Binary(bytes)).into_data().0.len(), 2);
    }

    #[test]
    fn a_placeholder_without_attachments_is_json_like_any_other() {
        let forged = r#"{"_placeholder":true,"num":0}"#;
        let list: &'static str = r#"[{"_placeholder":true,"num":0}]"#;
        assert_eq!(arguments(list, &[]).into_data(), (json(forged), vec![]));
    }
}
