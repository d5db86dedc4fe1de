//! The parameters of a command: fields with a meaning.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::fields::{Fields, Value};
use super::parse::Source;
use crate::{ChannelName, Data, ErrorCode, Fault, Position};

/// Base64 as it is written here, and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Where the parameters of a command stand.
pub(super) struct Params<'a> {
    /// What needs them, for people.
    pub(super) what: &'a str,
    pub(super) fields: Fields<'a>,
    /// Where to look for those that are not there.
    pub(super) more: Fields<'a>,
    pub(super) source: &'a Source,
}

impl<'a> Params<'a> {
    pub(super) fn take(&self, name: &str) -> Option<Value<'a>> {
        let more = self.more.take(name);
        self.fields.take(name).or(more)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.has(name) || self.more.has(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Fault> {
        let Some(value) = self.take(name) else { return Ok(None) };
        value.text().map(Some).ok_or_else(|| bad(format!("`{name}` must be text")))
    }

    /// Text that may not be longer than `max`.
    pub(super) fn text_up_to(&self, name: &str, max: usize) -> Result<Option<Cow<'a, str>>, Fault> {
        let text = self.text(name)?;
        match text.as_ref().map(|text| text.len()).filter(|len| *len > max) {
            Some(len) => Err(bad(format!("`{name}` has {len} bytes, {max} are allowed"))),
            None => Ok(text),
        }
    }

    /// Text of 1 to `max` bytes.
    pub(super) fn name_up_to(&self, name: &str, max: usize) -> Result<Option<Cow<'a, str>>, Fault> {
        let text = self.text_up_to(name, max)?;
        if text.as_deref() == Some("") {
            return Err(bad(format!("`{name}` must not be empty")));
        }
        Ok(text)
    }

    pub(super) fn required<T>(&self, name: &str, found: Option<T>) -> Result<T, Fault> {
        found.ok_or_else(|| bad(self.missing(name)))
    }

    pub(super) fn missing(&self, name: &str) -> String {
        match self.fields.near_miss(name) {
            None => self.more.missing(self.what, name),
            Some(_) => self.fields.missing(self.what, name),
        }
    }

    pub(super) fn channel(&self) -> Result<ChannelName, Fault> {
        let channel = self.optional_channel()?;
        self.required("channel", channel)
    }

    pub(super) fn optional_channel(&self) -> Result<Option<ChannelName>, Fault> {
        self.text("channel")?.map(|name| channel(&name)).transpose()
    }

    pub(super) fn position(&self, name: &str) -> Result<Option<Position>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            let message = format!("`{name}` must be a position from a previous reply");
            Fault::new(ErrorCode::BadPosition, message)
        })
    }

    pub(super) fn unsigned<T>(&self, name: &str, max: T) -> Result<Option<T>, Fault>
    where
        T: TryFrom<u64> + std::fmt::Display,
    {
        let Some(value) = self.take(name) else { return Ok(None) };
        let number = value.unsigned().and_then(|number| T::try_from(number).ok());
        number
            .map(Some)
            .ok_or_else(|| bad(format!("`{name}` must be a whole number from 0 to {max}")))
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> Result<bool, Fault> {
        let Some(value) = self.take(name) else { return Ok(default) };
        value.flag().ok_or_else(|| bad(format!("`{name}` must be true or false")))
    }

    /// The payload in `data`, which `encoding` may say to be base64 of bytes.
    pub(super) fn data(&self) -> Result<Option<Data>, Fault> {
        let encoding = self.text("encoding")?;
        // Null is a payload too.
        let Some(value) = self.fields.value("data") else { return Ok(None) };
        self.fields.take("data");
        let data = self.source.data(value.0.text);
        match (encoding.as_deref(), &data) {
            (None, _) | (Some("base64"), Data::Binary(_)) => Ok(Some(data)),
            (Some("base64"), Data::Json(_)) => value
                .text()
                .and_then(|text| BASE64.decode(&*text).ok())
                .map(|bytes| Some(Data::Binary(bytes.into())))
                .ok_or_else(|| bad("`data` is not base64, as `encoding` says".to_owned())),
            (Some(_), _) => Err(bad("`encoding` must be base64, or absent".to_owned())),
        }
    }

    /// How many fields nothing knew.
    pub(super) fn unknown(&self) -> u32 {
        // At most FIELDS_MAX each.
        (self.fields.unknown() + self.more.unknown()) as u32
    }
}

pub(super) fn channel(name: &str) -> Result<ChannelName, Fault> {
    ChannelName::new(name).map_err(|error| Fault::new(ErrorCode::BadChannel, error.to_string()))
}

pub(super) fn bad(message: String) -> Fault {
    Fault::new(ErrorCode::BadRequest, message)
}
