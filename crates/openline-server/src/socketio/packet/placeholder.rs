//! Placeholders: where in a packet's JSON its attachments belong.
//!
//! A placeholder is `{"_placeholder":true,"num":k}` and nothing else. An object with such a mark that
//! is anything else is refused, so that what a receiver takes for an attachment is always one.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::{ATTACHMENTS_MAX, Malformed};

/// Checks that the placeholders of a packet name each of its `count` attachments once. The JSON must
/// have been checked, its depth too.
pub(super) fn check(json: &str, count: usize) -> Result<(), Malformed> {
    let mut walk = Walk { count, named: [false; ATTACHMENTS_MAX] };
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let walked = Value(&mut walk).deserialize(&mut deserializer);
    walked.map_err(|error| Malformed::Placeholder(error.to_string()))?;
    match walk.named.iter().filter(|named| **named).count() == count {
        true => Ok(()),
        false => Err(Malformed::Placeholder("there are attachments that none names".into())),
    }
}

struct Walk {
    count: usize,
    named: [bool; ATTACHMENTS_MAX],
}

/// What a value is, as far as it matters here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Seen {
    True,
    Number(u64),
    Other,
}

/// Any value.
struct Value<'a>(&'a mut Walk);

/// A key of an object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Key {
    Mark,
    Num,
    Other,
}

impl Walk {
    fn name(&mut self, num: Option<Seen>) -> Result<(), &'static str> {
        let Some(Seen::Number(num)) = num else {
            return Err("num is the number of an attachment");
        };
        let num = usize::try_from(num).ok().filter(|num| *num < self.count);
        let num = num.ok_or("num is the number of an attachment that there is")?;
        match std::mem::replace(&mut self.named[num], true) {
            true => Err("an attachment has one place"),
            false => Ok(()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Seen;

    fn deserialize<D: serde::Deserializer<'de>>(self, value: D) -> Result<Seen, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Seen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Seen, E> {
        Ok(if value { Seen::True } else { Seen::Other })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Seen, E> {
        Ok(Seen::Number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Seen, E> {
        Ok(Seen::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seen, A::Error> {
        while list.next_element_seed(Value(self.0))?.is_some() {}
        Ok(Seen::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Seen, A::Error> {
        let (mut members, mut is_marked, mut num) = (0_usize, false, None);
        while let Some(key) = object.next_key_seed(OfKey)? {
            let value = object.next_value_seed(Value(self.0))?;
            members = members.saturating_add(1);
            match key {
                Key::Mark => is_marked |= value == Seen::True,
                Key::Num => num = Some(value),
                Key::Other => {}
            }
        }
        if is_marked {
            // A member twice makes more than two of them.
            if members != 2 {
                return Err(A::Error::custom("a placeholder has a mark and a num and no more"));
            }
            self.0.name(num).map_err(A::Error::custom)?;
        }
        Ok(Seen::Other)
    }
}

struct OfKey;

impl<'de> DeserializeSeed<'de> for OfKey {
    type Value = Key;

    fn deserialize<D: serde::Deserializer<'de>>(self, key: D) -> Result<Key, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for OfKey {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
        Ok(match key {
            "_placeholder" => Key::Mark,
            "num" => Key::Num,
            _ => Key::Other,
        })
    }
}
