//! Objects in a message of the server.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use bytestring::ByteString;

use super::{DEPTH_MAX, DecodeError};
use crate::json::{Raw, Scanner};
use crate::limits::ID_BYTES_MAX;
use crate::msgpack::transcode_nested;
use crate::{ChannelName, Data, Fault, Format, Id, Position};

/// A message as JSON text, and the payloads in it that were bytes.
pub(super) struct Source {
    text: ByteString,
    /// In the order of their places.
    payloads: Vec<(usize, Bytes)>,
}

impl Source {
    pub(super) fn read(format: Format, input: &Bytes) -> Result<Self, DecodeError> {
        let (text, payloads) = match format {
            Format::Json => (ByteString::try_from(input.clone()).ok(), Vec::new()),
            Format::MessagePack => {
                let (json, payloads) = transcode_nested(input).map_err(malformed)?;
                (ByteString::try_from(json).ok(), payloads)
            }
        };
        let text = text.ok_or_else(|| DecodeError("not UTF-8".to_owned()))?;
        Ok(Self { text, payloads })
    }

    /// The object that the message is.
    pub(super) fn object(&self) -> Result<Object<'_>, DecodeError> {
        let mut scanner = Scanner::new(&self.text);
        if !scanner.enter_object() {
            return Err(DecodeError("not an object".to_owned()));
        }
        let broken = |broken| malformed(Fault::broken_json(&self.text, broken, DEPTH_MAX));
        let fields = members(&mut scanner).map_err(broken)?;
        scanner.end().map_err(broken)?;
        Ok(Object { fields, source: self })
    }

    fn data(&self, value: &str) -> Data {
        let at = value.as_ptr() as usize - self.text.as_ptr() as usize;
        match self.payloads.binary_search_by_key(&at, |(start, _)| *start) {
            Ok(index) => Data::Binary(self.payloads[index].1.clone()),
            Err(_) => Data::Json(self.text.slice_ref(value)),
        }
    }

    fn byte_string(&self, text: Cow<'_, str>) -> ByteString {
        match text {
            Cow::Borrowed(text) => self.text.slice_ref(text),
            Cow::Owned(text) => text.into(),
        }
    }
}

fn malformed(fault: Fault) -> DecodeError {
    DecodeError(fault.message)
}

type Members<'a> = Vec<(Cow<'a, str>, Raw<'a>)>;

fn members<'a>(scanner: &mut Scanner<'a>) -> Result<Members<'a>, crate::json::Broken> {
    let mut members = Vec::with_capacity(8);
    while let Some((key, value)) = scanner.member(members.is_empty(), DEPTH_MAX)? {
        members.push((key.unescaped().unwrap_or_default(), value));
    }
    Ok(members)
}

/// The fields of an object. Asking for one that is null is asking for one that is not there.
pub(super) struct Object<'a> {
    fields: Members<'a>,
    source: &'a Source,
}

impl<'a> Object<'a> {
    fn value(&self, name: &str) -> Option<Raw<'a>> {
        let (_, value) = self.fields.iter().find(|(key, _)| key == name)?;
        Some(*value).filter(|value| value.text != "null")
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.value(name)?.unescaped()
    }

    pub(super) fn byte_string(&self, name: &str) -> Option<ByteString> {
        Some(self.source.byte_string(self.text(name)?))
    }

    pub(super) fn required(&self, name: &str) -> Result<ByteString, DecodeError> {
        self.byte_string(name).ok_or_else(|| missing(name, "text"))
    }

    pub(super) fn shared(&self, name: &str) -> Option<Arc<str>> {
        Some(self.text(name)?.into())
    }

    /// A whole number, however it is written.
    pub(super) fn unsigned(&self, name: &str) -> Option<u64> {
        let text = self.value(name)?.text;
        text.parse().ok().or_else(|| {
            let number = text.parse::<f64>().ok()?;
            // As a cast does, which is exact for what a clock or a counter gives.
            (number >= 0.0 && number.fract() == 0.0).then_some(number as u64)
        })
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.value(name)?.text.parse().ok()
    }

    pub(super) fn position(&self, name: &str) -> Result<Option<Position>, DecodeError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| missing(name, "a position"))
    }

    pub(super) fn channel(&self) -> Result<ChannelName, DecodeError> {
        let name = self.text("channel").ok_or_else(|| missing("channel", "text"))?;
        channel(&name)
    }

    pub(super) fn id(&self) -> Result<Option<Id>, DecodeError> {
        let Some(value) = self.value("id") else { return Ok(None) };
        if let Some(text) = value.unescaped().filter(|text| text.len() <= ID_BYTES_MAX) {
            return Ok(Some(Id::Text(self.source.byte_string(text))));
        }
        let number = value.text.parse().map_err(|_| missing("id", "a number or short text"))?;
        Ok(Some(Id::Number(number)))
    }

    /// The payload in `data`, null too.
    pub(super) fn data(&self) -> Option<Data> {
        let (_, value) = self.fields.iter().find(|(key, _)| key == "data")?;
        let data = self.source.data(value.text);
        let is_base64 =
            matches!(data, Data::Json(_)) && self.text("encoding").as_deref() == Some("base64");
        let decoded = if is_base64 { BASE64.decode(&*value.unescaped()?).ok() } else { None };
        Some(decoded.map_or(data, |bytes| Data::Binary(bytes.into())))
    }

    /// A value as it is written.
    pub(super) fn raw(&self, name: &str) -> Option<Data> {
        Some(self.source.data(self.value(name)?.text))
    }

    /// An object in it.
    pub(super) fn object(&self, name: &str) -> Option<Self> {
        self.inner(self.value(name)?)
    }

    /// The objects in it, by their names.
    pub(super) fn objects(&self) -> impl Iterator<Item = (&str, Self)> {
        self.fields.iter().filter_map(|(key, value)| Some((&**key, self.inner(*value)?)))
    }

    /// The objects of a list in it.
    pub(super) fn list(&self, name: &str) -> Vec<Self> {
        self.elements(name).filter_map(|element| self.inner(element)).collect()
    }

    /// The texts of a list in it.
    pub(super) fn texts(&self, name: &str) -> Vec<Cow<'a, str>> {
        self.elements(name).filter_map(Raw::unescaped).collect()
    }

    fn elements(&self, name: &str) -> impl Iterator<Item = Raw<'a>> {
        let list = self.value(name).map(|value| value.text).filter(|text| text.starts_with('['));
        list.into_iter().flat_map(|text| Scanner::elements(text, DEPTH_MAX))
    }

    fn inner(&self, value: Raw<'a>) -> Option<Self> {
        let mut scanner = Scanner::new(value.text);
        if !scanner.enter_object() {
            return None;
        }
        Some(Self { fields: members(&mut scanner).ok()?, source: self.source })
    }
}

pub(super) fn channel(name: &str) -> Result<ChannelName, DecodeError> {
    ChannelName::new(name).map_err(|error| DecodeError(error.to_string()))
}

pub(super) fn missing(name: &str, what: &str) -> DecodeError {
    DecodeError(format!("`{name}` should be there and be {what}"))
}
