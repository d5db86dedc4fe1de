//! The fields of an object in a message, not yet understood.

use std::borrow::Cow;
use std::cell::Cell;

use super::near_miss;
use crate::json::{Raw, Scanner};
use crate::limits::{DEPTH_MAX, FIELDS_MAX};
use crate::{ErrorCode, Fault};

/// How many fields a message usually has at most.
const FIELDS_USUAL: usize = 8;

/// The fields of one object, none of them twice.
#[derive(Default)]
pub(super) struct Fields<'a> {
    fields: Vec<Field<'a>>,
}

struct Field<'a> {
    key: Cow<'a, str>,
    value: Value<'a>,
    /// Whether something knew it.
    taken: Cell<bool>,
}

impl<'a> Fields<'a> {
    /// Reads the members of the object that the scanner has entered, until something is wrong.
    pub(super) fn read(text: &str, scanner: &mut Scanner<'a>) -> (Self, Result<(), Fault>) {
        let mut fields = Self { fields: Vec::with_capacity(FIELDS_USUAL) };
        let mut is_first = true;
        loop {
            match scanner.member(is_first, DEPTH_MAX - 1) {
                Ok(Some((key, value))) => {
                    if let Err(fault) = fields.add(key, value) {
                        return (fields, Err(fault));
                    }
                }
                Ok(None) => return (fields, Ok(())),
                Err(broken) => {
                    return (fields, Err(Fault::broken_json(text, broken, DEPTH_MAX)));
                }
            }
            is_first = false;
        }
    }

    fn add(&mut self, key: Raw<'a>, value: Raw<'a>) -> Result<(), Fault> {
        let key = key.unescaped().unwrap_or_default();
        if self.fields.iter().any(|field| field.key == key) {
            let message = format!("`{}` stands twice", shown(&key));
            return Err(Fault::new(ErrorCode::BadRequest, message));
        }
        if self.fields.len() == FIELDS_MAX {
            let message = format!("an object has more than {FIELDS_MAX} fields");
            return Err(Fault::new(ErrorCode::BadRequest, message));
        }
        self.fields.push(Field { key, value: Value(value), taken: Cell::new(false) });
        Ok(())
    }

    /// The value of a field, which counts as known from now on. Null is the same as none.
    pub(super) fn take(&self, key: &str) -> Option<Value<'a>> {
        let field = self.fields.iter().find(|field| field.key == key)?;
        field.taken.set(true);
        Some(field.value).filter(|value| !value.is_null())
    }

    /// The value of a field, null too, which stays as known as it was.
    pub(super) fn value(&self, key: &str) -> Option<Value<'a>> {
        self.fields.iter().find(|field| field.key == key).map(|field| field.value)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.value(key).is_some_and(|value| !value.is_null())
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.fields.retain(|field| field.key != key);
    }

    /// How many fields nothing knew.
    pub(super) fn unknown(&self) -> usize {
        self.fields.iter().filter(|field| !field.taken.get()).count()
    }

    /// The field that nothing knew so far and that looks as if this one was meant.
    pub(super) fn near_miss(&self, wanted: &str) -> Option<&str> {
        let keys = self.fields.iter().filter(|field| !field.taken.get()).map(|field| &*field.key);
        near_miss::nearest(wanted, keys)
    }

    /// What to say when a field is missing.
    pub(super) fn missing(&self, what: &str, wanted: &str) -> String {
        match self.near_miss(wanted) {
            Some(near) => format!("{what} needs `{wanted}`; `{}` looks like it", shown(near)),
            None => format!("{what} needs `{wanted}`"),
        }
    }
}

/// What of a field's name errors show: a peer chose it.
const SHOWN_CHARS_MAX: usize = 64;

fn shown(key: &str) -> String {
    key.escape_debug().take(SHOWN_CHARS_MAX).collect()
}

/// The value of a field.
#[derive(Clone, Copy)]
pub(super) struct Value<'a>(pub(super) Raw<'a>);

impl<'a> Value<'a> {
    pub(super) fn is_null(self) -> bool {
        self.0.text == "null"
    }

    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        self.0.unescaped()
    }

    pub(super) fn number(self) -> Option<serde_json::Number> {
        self.0
            .text
            .starts_with(|c: char| c == '-' || c.is_ascii_digit())
            .then(|| self.0.text.parse().ok())?
    }

    /// A whole number, written as one.
    pub(super) fn unsigned(self) -> Option<u64> {
        self.0.text.parse().ok()
    }

    pub(super) fn flag(self) -> Option<bool> {
        self.0.text.parse().ok()
    }

    /// The fields of an object, as far as they are right.
    pub(super) fn fields(self) -> Option<(Fields<'a>, Result<(), Fault>)> {
        let mut scanner = Scanner::new(self.0.text);
        scanner.enter_object().then(|| Fields::read(self.0.text, &mut scanner))
    }

    /// The elements of a list.
    pub(super) fn list(self) -> Option<impl Iterator<Item = Value<'a>>> {
        self.0.text.starts_with('[').then(|| Scanner::elements(self.0.text, DEPTH_MAX).map(Value))
    }
}
