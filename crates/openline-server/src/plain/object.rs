//! Messages as JSON objects in which the data's fields stand beside `type` and `id`.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Writes a message. What handlers wrote stands as they wrote it; a `type` of its own is left out, and
/// in an answer an `id`. Data that is no object stands under `data`, and nothing for `null`. With
/// `repeats` the fields stand under `data` too, unless there is a field of that name.
pub(super) fn message(event: &str, id: Option<&str>, data: &str, repeats: bool) -> String {
    let mut head = format!("{{\"type\":{}", json(event));
    if let Some(id) = id {
        let _ = write!(head, ",\"id\":{id}");
    }
    let Some(inside) = inside(data) else {
        return match (data, repeats) {
            ("null", false) => head + "}",
            ("null", true) => head + ",\"data\":{}}",
            _ => format!("{head},\"data\":{data}}}"),
        };
    };
    let fields = match needs_a_look(inside) {
        false => Fields { text: inside.into(), has_data: false },
        true => Fields::without(data, id.is_some()),
    };
    fields.behind(head, repeats)
}

/// Writes an object that is a message already.
pub(super) fn again(text: impl Into<String>, repeats: bool) -> String {
    let text = text.into();
    let Envelope { kind, id } = match (repeats, serde_json::from_str(&text)) {
        (true, Ok(envelope)) => envelope,
        _ => return text,
    };
    message(&kind.unwrap_or_default(), id.as_deref(), &text, repeats)
}

/// Writes bytes, which JSON has no way to carry.
pub(super) fn binary(event: &str, base64: &str) -> String {
    format!("{{\"type\":{},\"data\":\"{base64}\",\"encoding\":\"base64\"}}", json(event))
}

/// Writes a text or a number.
pub(super) fn json<T: ToJson + ?Sized>(value: &T) -> String {
    value.to_json()
}

pub(super) trait ToJson {
    fn to_json(&self) -> String;
}

impl ToJson for str {
    fn to_json(&self) -> String {
        written(self)
    }
}

impl ToJson for openline_protocol::Id {
    fn to_json(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => written(&**text),
        }
    }
}

fn written<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("a text can be written")
}

/// What stands between the braces of an object.
fn inside(data: &str) -> Option<&str> {
    Some(data.strip_prefix('{')?.strip_suffix('}')?.trim_ascii())
}

/// Whether one of the names that mean something here may be among the fields.
fn needs_a_look(inside: &str) -> bool {
    ["\"type\"", "\"id\"", "\"data\"", "\\"].iter().any(|mark| inside.contains(mark))
}

/// The fields of an object, without its braces.
struct Fields<'a> {
    text: Cow<'a, str>,
    has_data: bool,
}

impl Fields<'_> {
    /// Those of `data`, without those that are said otherwise.
    fn without(data: &str, id: bool) -> Self {
        let Ok(Members(members)) = serde_json::from_str(data) else {
            debug_assert!(false, "data is JSON: {data}");
            return Fields { text: Cow::default(), has_data: false };
        };
        let mut text = String::with_capacity(data.len());
        let mut has_data = false;
        for (name, value) in members {
            if name == "type" || (id && name == "id") {
                continue;
            }
            has_data |= name == "data";
            let comma = if text.is_empty() { "" } else { "," };
            let _ = write!(text, "{comma}{}:{}", json(&*name), value.get());
        }
        Fields { text: text.into(), has_data }
    }

    /// The message that begins with `head`.
    fn behind(&self, mut head: String, repeats: bool) -> String {
        let Self { text, has_data } = self;
        let repeats = repeats && !has_data;
        head.reserve(text.len() * (1 + usize::from(repeats)) + 16);
        if !text.is_empty() {
            head.push(',');
            head.push_str(text);
        }
        if repeats {
            head.push_str(",\"data\":{");
            head.push_str(text);
            head.push('}');
        }
        head.push('}');
        head
    }
}

/// The members of an object, in their order.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                    members.push((name.0, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// A name, borrowed where it has no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Borrow;

        impl<'de> Visitor<'de> for Borrow {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(name.into()))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(name.to_owned().into()))
            }
        }

        deserializer.deserialize_str(Borrow)
    }
}

/// What stands beside the fields of a message. The last of several counts, as it does in browsers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope<'a> {
    /// None where it is missing, or no text.
    pub(super) kind: Option<Cow<'a, str>>,
    /// As JSON. None where it is missing, or neither text nor number.
    pub(super) id: Option<Cow<'a, str>>,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Look;

        impl<'de> Visitor<'de> for Look {
            type Value = Envelope<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("one JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut envelope = Envelope::default();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    match &*name.0 {
                        "type" => {
                            let value = map.next_value::<&'de RawValue>()?.get();
                            envelope.kind =
                                serde_json::from_str::<Name<'de>>(value).ok().map(|name| name.0);
                        }
                        "id" => {
                            let value = map.next_value::<&'de RawValue>()?.get();
                            let is_id = value.starts_with(['"', '-'])
                                || value.starts_with(|c: char| c.is_ascii_digit());
                            envelope.id = is_id.then(|| value.into());
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(envelope)
            }
        }

        deserializer.deserialize_map(Look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_datas_fields_stand_beside_the_type() {
        for (data, once, twice) in [
            (r#"{"a":1}"#, r#"{"type":"e","a":1}"#, r#"{"type":"e","a":1,"data":{"a":1}}"#),
            ("{}", r#"{"type":"e"}"#, r#"{"type":"e","data":{}}"#),
            ("{ }", r#"{"type":"e"}"#, r#"{"type":"e","data":{}}"#),
            ("null", r#"{"type":"e"}"#, r#"{"type":"e","data":{}}"#),
            ("[1]", r#"{"type":"e","data":[1]}"#, r#"{"type":"e","data":[1]}"#),
            (r#""x""#, r#"{"type":"e","data":"x"}"#, r#"{"type":"e","data":"x"}"#),
            ("7", r#"{"type":"e","data":7}"#, r#"{"type":"e","data":7}"#),
            (
                r#"{"a":1,"data":2}"#,
                r#"{"type":"e","a":1,"data":2}"#,
                r#"{"type":"e","a":1,"data":2}"#,
            ),
        ] {
            assert_eq!(message("e", None, data, false), once);
            assert_eq!(message("e", None, data, true), twice);
        }
    }

    #[test]
    fn there_is_one_type_and_in_an_answer_one_id() {
        let data = r#"{"type":"x","id":5,"n":{"type":"y","id":6}}"#;
        let event = r#"{"type":"e","id":5,"n":{"type":"y","id":6}}"#;
        assert_eq!(message("e", None, data, false), event);
        let answer = r#"{"type":"e","id":"q","n":{"type":"y","id":6}}"#;
        assert_eq!(message("e", Some("\"q\""), data, false), answer);
        let escaped = r#"{"\u0074ype":"x","a":"\n"}"#;
        assert_eq!(message("e", None, escaped, false), r#"{"type":"e","a":"\n"}"#);
    }

    #[test]
    fn a_type_is_written_with_its_escapes() {
        assert_eq!(message("a\"b", None, "null", false), r#"{"type":"a\"b"}"#);
        assert_eq!(binary("a\"b", "AA=="), r#"{"type":"a\"b","data":"AA==","encoding":"base64"}"#);
    }

    #[test]
    fn numbers_and_order_stay_as_they_are() {
        let data = r#"{"z":1.10,"a":12345678901234567890123,"type":0}"#;
        let expected = r#"{"type":"e","z":1.10,"a":12345678901234567890123}"#;
        assert_eq!(message("e", None, data, false), expected);
    }

    #[test]
    fn a_finished_message_keeps_its_type_and_id() {
        let text = r#"{"type":"error","id":1,"code":"c"}"#;
        assert_eq!(again(text, false), text);
        assert_eq!(again(text, true), r#"{"type":"error","id":1,"code":"c","data":{"code":"c"}}"#);
    }
}
