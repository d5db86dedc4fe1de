//! [`Fields`]: what a request to the API says, not yet understood.
//!
//! Unlike a client's message, which may have fields of a later version, a backend's request may
//! only have fields that are known: a slip would otherwise be done as something else, and nobody
//! told.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytestring::ByteString;
use openline_protocol::{ChannelName, Data, ErrorCode, Fault, Position, limits};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::bad;
use super::route::Field;

/// As in messages: what this server writes, and the same without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Words that people use for a field elsewhere.
const OTHER_WORDS: &[(&str, &[&str])] = &[
    ("channel", &["room", "topic", "stream"]),
    ("channels", &["rooms", "topics", "streams"]),
    ("client", &["clientId", "connection", "session"]),
    ("data", &["message", "payload", "body", "text"]),
    ("event", &["type", "name"]),
    ("key", &["idempotencyKey", "idempotency_key", "id"]),
    ("publications", &["messages", "batch", "events"]),
    ("since", &["position", "offset"]),
    ("token", &["jti"]),
    ("user", &["sub", "userId"]),
];

/// The fields of a request, or of an object in it; none of them twice, all of them known.
pub(super) struct Fields<'a> {
    /// What has them, for people.
    what: &'static str,
    /// The text that JSON values are slices of.
    source: Option<&'a ByteString>,
    fields: Vec<(Cow<'a, str>, Value<'a>)>,
}

#[derive(Clone)]
enum Value<'a> {
    Json(&'a RawValue),
    Query(String),
}

impl<'a> Fields<'a> {
    /// Those of a body.
    pub(super) fn of_body(
        what: &'static str,
        known: &[Field],
        body: &'a ByteString,
    ) -> Result<Self, Fault> {
        if body.trim().is_empty() {
            return Err(bad("the body is empty; send a JSON object"));
        }
        Self::of_object(what, known, body, body)
    }

    /// Those of an object in a body.
    pub(super) fn of_object(
        what: &'static str,
        known: &[Field],
        source: &'a ByteString,
        text: &'a str,
    ) -> Result<Self, Fault> {
        if !text.trim_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok() {
            return Err(bad(format!("{what} takes a JSON object")));
        }
        let object: Object<'a> = serde_json::from_str(text).map_err(|error| {
            let code = match error.is_data() {
                true => ErrorCode::BadRequest,
                false => ErrorCode::InvalidJson,
            };
            Fault::new(code, format!("{what} takes a JSON object: {error}"))
        })?;
        let json = object.0.into_iter().map(|(name, value)| (name, Value::Json(value)));
        Self::known(what, known, Some(source), json.collect())
    }

    /// Those of a query.
    pub(super) fn of_query(
        what: &'static str,
        known: &[Field],
        query: &'a str,
    ) -> Result<Self, Fault> {
        let mut fields: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(bad(format!("`{}` stands twice", shown(&name))));
            }
            fields.push((name.into(), Value::Query(value)));
            if fields.len() > limits::FIELDS_MAX {
                return Err(bad("there are too many fields"));
            }
        }
        Self::known(what, known, None, fields)
    }

    fn known(
        what: &'static str,
        known: &[Field],
        source: Option<&'a ByteString>,
        fields: Vec<(Cow<'a, str>, Value<'a>)>,
    ) -> Result<Self, Fault> {
        let names = || known.iter().map(|field| field.name);
        for (name, _) in &fields {
            if names().any(|known| known == name) {
                continue;
            }
            let is_free = |known: &&str| !fields.iter().any(|(other, _)| other == known);
            let hint = match nearest(name, names().filter(is_free)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it takes none".to_owned(),
                None => format!("it takes {}", names().collect::<Vec<_>>().join(", ")),
            };
            return Err(bad(format!("{what} has no field `{}`; {hint}", shown(name))));
        }
        let fields = Self { what, source, fields };
        for field in known.iter().filter(|field| field.required) {
            if fields.field(field.name).is_none() {
                return Err(bad(format!("{what} needs `{}`", field.name)));
            }
        }
        Ok(fields)
    }

    fn field(&self, name: &str) -> Option<&Value<'a>> {
        let field = self.fields.iter().find(|(other, _)| other == name);
        field.map(|(_, value)| value)
    }

    /// The value of a field. Null is the same as none.
    fn value(&self, name: &str) -> Option<&Value<'a>> {
        self.field(name).filter(|value| !matches!(value, Value::Json(json) if json.get() == "null"))
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Query(text)) => Ok(Some(text.clone())),
            Some(Value::Json(json)) => serde_json::from_str(json.get())
                .map(Some)
                .map_err(|_| bad(format!("`{name}` must be text"))),
        }
    }

    /// Text of 1 to `max` bytes.
    pub(super) fn name(&self, name: &str, max: usize) -> Result<Option<String>, Fault> {
        let text = self.text(name)?;
        match text.as_ref().map_or(1, String::len) {
            0 => Err(bad(format!("`{name}` must not be empty"))),
            len if len > max => Err(bad(format!("`{name}` has {len} bytes, {max} are allowed"))),
            _ => Ok(text),
        }
    }

    pub(super) fn unsigned(&self, name: &str, max: u64) -> Result<Option<u64>, Fault> {
        let digits = match self.value(name) {
            None => return Ok(None),
            Some(Value::Query(text)) => text.as_str(),
            Some(Value::Json(json)) => json.get(),
        };
        match digits.parse() {
            Ok(number) if number <= max => Ok(Some(number)),
            _ => Err(bad(format!("`{name}` must be a whole number from 0 to {max}"))),
        }
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool, Fault> {
        let word = match self.value(name) {
            None => return Ok(false),
            Some(Value::Query(text)) => text.as_str(),
            Some(Value::Json(json)) => json.get(),
        };
        word.parse().map_err(|_| bad(format!("`{name}` must be true or false")))
    }

    pub(super) fn channel(&self) -> Result<ChannelName, Fault> {
        let name = self.text("channel")?;
        let name = name.ok_or_else(|| bad(format!("{} needs `channel`", self.what)))?;
        channel(&name)
    }

    pub(super) fn position(&self, name: &str) -> Result<Option<Position>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let message = format!("`{name}` must be a position from an answer or a publication");
            Fault::new(ErrorCode::BadPosition, message)
        })
    }

    /// The payload in `data`, which `encoding` may say to be base64 of bytes. Null is one too.
    pub(super) fn data(&self) -> Result<Data, Fault> {
        let needs = || bad(format!("{} needs `data`", self.what));
        let Some((Value::Json(json), source)) = self.field("data").zip(self.source) else {
            return Err(needs());
        };
        match self.text("encoding")?.as_deref() {
            // One level is left for the message that will carry it.
            None => Data::from_json_text(source.slice_ref(json.get()), limits::DEPTH_MAX - 1)
                .map_err(|fault| Fault { message: format!("`data`: {}", fault.message), ..fault }),
            Some("base64") => serde_json::from_str::<Cow<'_, str>>(json.get())
                .ok()
                .and_then(|text| BASE64.decode(&*text).ok())
                .map(|bytes| Data::Binary(bytes.into()))
                .ok_or_else(|| bad("`data` is not base64, as `encoding` says")),
            Some(_) => Err(bad("`encoding` must be base64, or absent")),
        }
    }

    /// The elements of a list, at least one and at most `max`.
    pub(super) fn list(&self, name: &str, max: usize) -> Result<Vec<&'a RawValue>, Fault> {
        let Some(Value::Json(json)) = self.value(name) else {
            return Err(bad(format!("{} needs `{name}`", self.what)));
        };
        let list: Vec<&'a RawValue> = serde_json::from_str(json.get())
            .map_err(|_| bad(format!("`{name}` must be a list")))?;
        match list.len() {
            0 => Err(bad(format!("`{name}` must not be empty"))),
            count if count > max => {
                Err(bad(format!("`{name}` has {count} items, {max} are allowed")))
            }
            _ => Ok(list),
        }
    }

    /// The text that JSON values are slices of; of a query there is none.
    pub(super) fn source(&self) -> Option<&'a ByteString> {
        self.source
    }
}

pub(super) fn channel(name: &str) -> Result<ChannelName, Fault> {
    ChannelName::new(name).map_err(|error| Fault::new(ErrorCode::BadChannel, error.to_string()))
}

/// The candidate that was probably meant.
pub(super) fn nearest<'k>(
    name: &str,
    candidates: impl Iterator<Item = &'k str> + Clone,
) -> Option<&'k str> {
    // Longer than any; comparing costs the product of both lengths.
    const BYTES_MAX: usize = 32;
    if name.len() > BYTES_MAX {
        return None;
    }
    let is_other_word = |candidate: &&str| {
        let words = OTHER_WORDS.iter().find(|(of, _)| of == candidate);
        words.is_some_and(|(_, words)| words.contains(&name))
    };
    let plain = |text: &str| text.to_ascii_lowercase().replace(['_', '-'], "");
    let allowed = (name.len() / 3).max(1);
    let measured = candidates
        .clone()
        .map(|candidate| (strsim::damerau_levenshtein(&plain(name), &plain(candidate)), candidate));
    measured
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
        .or_else(|| candidates.clone().find(is_other_word))
}

/// RFC 3986 percent-encoding, with `+` for a space as forms and most clients write it.
fn decoded(text: &str) -> Result<String, Fault> {
    let text = text.replace('+', " ");
    match percent_decode_str(&text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(bad("the query is not UTF-8 with percent-encoding")),
    }
}

/// A name of the caller's, as a message may show it.
fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// The members of a JSON object, in their order.
struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if members.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom(format!("`{}` stands twice", shown(&name))));
                    }
                    if members.len() == limits::FIELDS_MAX {
                        return Err(A::Error::custom("there are too many fields"));
                    }
                    members.push((name.into(), value));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}
