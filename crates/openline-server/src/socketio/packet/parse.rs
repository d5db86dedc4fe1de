//! From the text of a packet to what it says.

use bytestring::ByteString;
use openline_protocol::{Data, limits};

use super::arguments::{Arguments, Split};
use super::{
    ATTACHMENTS_MAX, Kind, MAIN, Malformed, NAMESPACE_BYTES_MAX, Packet, is_reserved, placeholder,
};

/// Reads the text of a packet: `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`. Returns it with
/// the number of attachments that are to follow.
pub(super) fn parse(text: &ByteString) -> Result<(Packet, usize), Malformed> {
    let mut rest = Rest { text, at: 0 };
    let kind = rest.kind()?;
    let attachments = match kind {
        '5' | '6' => rest.attachments()?,
        _ => 0,
    };
    let namespace = rest.namespace()?;
    let id = rest.id()?;
    let json = text.slice_ref(&text[rest.at..]);
    let kind = match kind {
        '0' => connect(&json, id)?,
        '1' => disconnect(&json, id)?,
        '2' | '5' => event(&json, id)?,
        _ => ack(&json, id)?,
    };
    if attachments > 0 {
        placeholder::check(&json, attachments)?;
    }
    Ok((Packet { namespace, kind }, attachments))
}

/// What of a text has not been read.
struct Rest<'a> {
    text: &'a ByteString,
    at: usize,
}

impl<'a> Rest<'a> {
    fn kind(&mut self) -> Result<char, Malformed> {
        let kind = self.text.chars().next();
        self.at = 1;
        // Only servers send 4, CONNECT_ERROR.
        kind.filter(|kind| matches!(kind, '0'..='3' | '5' | '6')).ok_or(Malformed::Kind)
    }

    fn attachments(&mut self) -> Result<usize, Malformed> {
        let number = self.digits();
        // None would leave a packet that is never whole.
        let count = number.parse().ok().filter(|count| (1..=ATTACHMENTS_MAX).contains(count));
        let count = count.filter(|_| number.len() <= 2).ok_or(Malformed::Attachments)?;
        match self.text[self.at..].starts_with('-') {
            true => self.at += 1,
            false => return Err(Malformed::Attachments),
        }
        Ok(count)
    }

    fn namespace(&mut self) -> Result<ByteString, Malformed> {
        let rest = &self.text[self.at..];
        if !rest.starts_with('/') {
            return Ok(ByteString::from_static(MAIN));
        }
        let (namespace, comma) = match rest.split_once(',') {
            Some((namespace, _)) => (namespace, 1),
            None => (rest, 0),
        };
        if namespace.len() > NAMESPACE_BYTES_MAX {
            return Err(Malformed::NamespaceTooLong);
        }
        self.at += namespace.len() + comma;
        // It outlives the packet, which may be large.
        Ok(namespace.into())
    }

    fn id(&mut self) -> Result<Option<u64>, Malformed> {
        match self.digits() {
            "" => Ok(None),
            digits => digits.parse().map(Some).map_err(|_| Malformed::Id),
        }
    }

    fn digits(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        self.at += digits;
        &rest[..digits]
    }
}

fn connect(json: &ByteString, id: Option<u64>) -> Result<Kind, Malformed> {
    if id.is_some() {
        return Err(Malformed::Id);
    }
    if json.is_empty() {
        return Ok(Kind::Connect { auth: None });
    }
    match Data::from_json_text(json.clone(), limits::DEPTH_MAX) {
        Ok(Data::Json(auth)) if auth.starts_with('{') => Ok(Kind::Connect { auth: Some(auth) }),
        Ok(_) => Err(Malformed::Payload("an object or nothing")),
        Err(fault) => Err(Malformed::Json(fault.message)),
    }
}

fn disconnect(json: &str, id: Option<u64>) -> Result<Kind, Malformed> {
    match (json.is_empty(), id) {
        (true, None) => Ok(Kind::Disconnect),
        (true, Some(_)) => Err(Malformed::Id),
        (false, _) => Err(Malformed::Payload("nothing")),
    }
}

fn event(json: &ByteString, id: Option<u64>) -> Result<Kind, Malformed> {
    let split = Split::of(json, limits::DEPTH_MAX)?;
    let name = split.first.and_then(|first| event_name(json, first));
    let name = name.ok_or(Malformed::Payload("a list that begins with the event's name"))?;
    if is_reserved(&name) {
        return Err(Malformed::ReservedEvent);
    }
    let arguments = Arguments::checked(split.rest(json), split.count - 1);
    Ok(Kind::Event { name, arguments, id })
}

/// The name of an event: text, or a number, which is its own name as in JavaScript.
fn event_name(json: &ByteString, first: &str) -> Option<ByteString> {
    let name = match first.as_bytes() {
        [b'"', plain @ .., b'"'] if !plain.contains(&b'\\') => &first[1..first.len() - 1],
        [b'"', ..] => {
            return serde_json::from_str::<String>(first).ok().map(ByteString::from);
        }
        [b'-' | b'0'..=b'9', ..] => first,
        _ => return None,
    };
    Some(json.slice_ref(name))
}

fn ack(json: &ByteString, id: Option<u64>) -> Result<Kind, Malformed> {
    let id = id.ok_or(Malformed::Id)?;
    let split = Split::of(json, limits::DEPTH_MAX)?;
    Ok(Kind::Ack { id, arguments: Arguments::checked(split.all(json), split.count) })
}
