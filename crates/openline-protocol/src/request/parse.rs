//! From the bytes of a message to its envelope.

use std::borrow::Cow;

use bytes::Bytes;
use bytestring::ByteString;

use super::command;
use super::fields::Fields;
use super::{Format, Request};
use crate::json::Scanner;
use crate::limits::{DEPTH_MAX, ID_BYTES_MAX, TYPE_BYTES_MAX};
use crate::msgpack::{Transcoded, transcode};
use crate::{Data, ErrorCode, Fault, Id};

/// Reads a message of a client.
///
/// The payload (`data`) is checked to be one JSON value and is otherwise left alone: from a JSON line
/// it is a slice of `input`, and so is one of bytes from a MessagePack line.
///
/// # Errors
/// What to answer. The fault has the id of the request where that could be read.
pub fn parse_request(format: Format, input: &Bytes) -> Result<Request, Fault> {
    let source = Source::read(format, input)?;
    let (fields, outcome) = envelope(&source.text)?;
    let id = read_id(&fields, &source);
    if let Err(fault) = outcome {
        return Err(fault.with_id(id.ok().flatten()));
    }
    let id = id?;
    let kind = match read_kind(&fields) {
        Ok(kind) => kind,
        Err(fault) => return Err(fault.with_id(id)),
    };
    match command::read(kind, fields, &source) {
        Ok((command, unknown_fields)) => Ok(Request { id, command, unknown_fields }),
        Err(fault) => Err(fault.with_id(id)),
    }
}

/// A message as JSON text, and the payloads in it that were bytes.
pub(super) struct Source {
    text: ByteString,
    payloads: [Option<(usize, Bytes)>; 2],
}

impl Source {
    fn read(format: Format, input: &Bytes) -> Result<Self, Fault> {
        match format {
            Format::Json => match ByteString::try_from(input.clone()) {
                Ok(text) => Ok(Self { text, payloads: [None, None] }),
                Err(error) => Err(Fault::new(
                    ErrorCode::InvalidJson,
                    format!("invalid JSON: byte {} is not UTF-8", error.valid_up_to()),
                )),
            },
            Format::MessagePack => {
                let Transcoded { json, payloads } = transcode(input)?;
                let text = ByteString::try_from(json).expect("text and escapes were written");
                Ok(Self { text, payloads })
            }
        }
    }

    /// The payload that the value, a part of this text, stands for.
    pub(super) fn data(&self, value: &str) -> Data {
        let at = value.as_ptr() as usize - self.text.as_ptr() as usize;
        match self.payloads.iter().flatten().find(|(start, _)| *start == at) {
            Some((_, bytes)) => Data::Binary(bytes.clone()),
            None => Data::Json(self.text.slice_ref(value)),
        }
    }

    /// Text, as a part of this one where it is.
    pub(super) fn byte_string(&self, text: Cow<'_, str>) -> ByteString {
        match text {
            Cow::Borrowed(text) => self.text.slice_ref(text),
            Cow::Owned(text) => text.into(),
        }
    }
}

/// The fields of a message. A fault beside them says what else is wrong with it.
fn envelope(text: &str) -> Result<(Fields<'_>, Result<(), Fault>), Fault> {
    let mut scanner = Scanner::new(text);
    if !scanner.enter_object() {
        let broken = |broken| Fault::broken_json(text, broken, DEPTH_MAX);
        scanner.value(DEPTH_MAX).map_err(broken)?;
        scanner.end().map_err(broken)?;
        return Err(Fault::new(
            ErrorCode::BadRequest,
            "a message must be one object with a `type`",
        ));
    }
    let (fields, outcome) = Fields::read(text, &mut scanner);
    let outcome = outcome
        .and_then(|()| scanner.end().map_err(|broken| Fault::broken_json(text, broken, DEPTH_MAX)));
    match outcome {
        // Where the message breaks off, nothing is known about what it was to be.
        Err(fault) if fault.code == ErrorCode::InvalidJson => Err(fault),
        outcome => Ok((fields, outcome)),
    }
}

fn read_id(fields: &Fields<'_>, source: &Source) -> Result<Option<Id>, Fault> {
    let Some(field) = fields.take("id") else { return Ok(None) };
    if let Some(text) = field.text().filter(|text| text.len() <= ID_BYTES_MAX) {
        return Ok(Some(Id::Text(source.byte_string(text))));
    }
    if let Some(number) = field.number() {
        return Ok(Some(Id::Number(number)));
    }
    Err(Fault::new(
        ErrorCode::BadRequest,
        format!("`id` must be a number, or text of at most {ID_BYTES_MAX} bytes"),
    ))
}

fn read_kind<'a>(fields: &Fields<'a>) -> Result<Cow<'a, str>, Fault> {
    let bad = |message| Err(Fault::new(ErrorCode::BadRequest, message));
    let Some(field) = fields.take("type") else {
        return bad(fields.missing("a message", "type"));
    };
    match field.text() {
        Some(kind) if (1..=TYPE_BYTES_MAX).contains(&kind.len()) => Ok(kind),
        _ => bad(format!("`type` must be text of 1 to {TYPE_BYTES_MAX} bytes")),
    }
}
