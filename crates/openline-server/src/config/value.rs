//! [`Value`]: what a key's text or TOML is read into, and what is said when it does not fit.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

/// Where a value comes from.
#[derive(Debug)]
pub(crate) enum Input<'a> {
    /// The environment or a flag.
    Text(&'a str),
    /// A file.
    Toml(&'a Spanned<DeValue<'a>>),
}

impl<'a> Input<'a> {
    /// The text, unless it is something else than text.
    fn text(&self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Toml(value) => value.get_ref().as_str(),
        }
    }

    fn span(&self) -> Option<Range<usize>> {
        match self {
            Self::Text(_) => None,
            Self::Toml(value) => Some(value.span()),
        }
    }

    /// The value as an error shows it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Toml(value) => match value.get_ref() {
                DeValue::String(text) => quoted(text),
                DeValue::Integer(number) => number.to_string(),
                DeValue::Float(number) => number.to_string(),
                DeValue::Boolean(value) => value.to_string(),
                DeValue::Datetime(time) => time.to_string(),
                DeValue::Array(_) => "a list".to_owned(),
                DeValue::Table(_) => "a table".to_owned(),
            },
        }
    }
}

/// Quotes what somebody wrote, and cuts what is too long for a line.
pub(super) fn quoted(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    match text.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Why a key was not set.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// There is no such key.
    UnknownKey,
    /// The value is wrong; the key has to be named before it.
    Value { at: Option<Range<usize>>, what: String },
    /// Something inside the value is wrong, and the text says what.
    Inside { at: Option<Range<usize>>, what: String },
}

impl Complaint {
    pub(super) fn value(input: &Input<'_>, what: String) -> Self {
        Self::Value { at: input.span(), what }
    }

    fn is_not(input: &Input<'_>, expected: &str) -> Self {
        Self::value(input, format!("{} is not {expected}", input.shown()))
    }
}

/// A type that keys may have.
pub(crate) trait Value: Sized {
    const IS_LIST: bool = false;
    const IS_SWITCH: bool = false;

    /// What stands for a value in help.
    fn kind() -> String;

    /// What a value looks like: follows `is not`.
    fn expected() -> String;

    fn read(input: &Input<'_>) -> Result<Self, Complaint>;

    /// The value as logs may show it: without secrets.
    fn shown(&self) -> String;
}

/// What is shown in place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// A type that is written as text, in a file in quotes.
pub(crate) trait Text: Sized + fmt::Debug {
    /// Errors do not show what was written.
    const IS_SECRET: bool = false;

    fn kind() -> String;

    fn expected() -> String;

    fn parse(text: &str) -> Option<Self>;

    /// As logs may show it, if it is no secret.
    fn shown(&self) -> String {
        format!("{self:?}")
    }

    /// How none is written, where there may be none; an empty text is none too.
    fn none() -> &'static str {
        "\"\" for none"
    }

    /// Whether the text stands for none.
    fn is_none(text: &str) -> bool {
        text.is_empty()
    }
}

impl<T: Text> Value for T {
    fn kind() -> String {
        T::kind()
    }

    fn expected() -> String {
        T::expected()
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        input.text().and_then(T::parse).ok_or_else(|| refused::<T>(input))
    }

    fn shown(&self) -> String {
        shown(self)
    }
}

impl<T: Text> Value for Option<T> {
    fn kind() -> String {
        T::kind()
    }

    fn expected() -> String {
        format!("{}; {}", T::expected(), T::none())
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        match input.text() {
            Some(text) if T::is_none(text) => Ok(None),
            Some(text) => T::parse(text).map(Some).ok_or_else(|| refused::<T>(input)),
            None => Err(refused::<T>(input)),
        }
    }

    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), shown)
    }
}

fn shown<T: Text>(value: &T) -> String {
    if T::IS_SECRET { REDACTED.to_owned() } else { value.shown() }
}

fn refused<T: Text>(input: &Input<'_>) -> Complaint {
    let expected = T::expected();
    if T::IS_SECRET {
        return Complaint::value(input, format!("this is not {expected}"));
    }
    Complaint::is_not(input, &expected)
}

impl<T: Text> Value for Vec<T> {
    const IS_LIST: bool = true;

    fn kind() -> String {
        format!("{},…", T::kind())
    }

    fn expected() -> String {
        format!("a list; each is {}", T::expected())
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        match input {
            Input::Text("") => Ok(Vec::new()),
            Input::Text(text) => {
                text.split(',').map(|item| T::read(&Input::Text(item.trim()))).collect()
            }
            Input::Toml(value) => {
                let Some(items) = value.get_ref().as_array() else {
                    return Err(not_a_list(input, T::IS_SECRET));
                };
                read_all(items)
            }
        }
    }

    fn shown(&self) -> String {
        format!("[{}]", self.iter().map(shown).collect::<Vec<_>>().join(", "))
    }
}

fn read_all<T: Value>(items: &DeArray<'_>) -> Result<Vec<T>, Complaint> {
    items.iter().map(|item| T::read(&Input::Toml(item))).collect()
}

/// Says that a list is written in brackets.
pub(super) fn not_a_list(input: &Input<'_>, is_secret: bool) -> Complaint {
    if is_secret {
        return Complaint::value(input, "this is not a list; write it in [ ]".to_owned());
    }
    let shown = input.shown();
    let example = if input.text().is_some() { &shown } else { "\"…\"" };
    Complaint::value(input, format!("{shown} is not a list; write [{example}]"))
}

impl Value for bool {
    const IS_SWITCH: bool = true;

    fn kind() -> String {
        "true|false".to_owned()
    }

    fn expected() -> String {
        "true or false".to_owned()
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        let value = match input {
            Input::Text("true" | "1") => Some(true),
            Input::Text("false" | "0") => Some(false),
            Input::Text(_) => None,
            Input::Toml(value) => value.get_ref().as_bool(),
        };
        value.ok_or_else(|| Complaint::is_not(input, "true or false"))
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    fn kind() -> String {
        "N".to_owned()
    }

    fn expected() -> String {
        "a whole number".to_owned()
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        let value = match input {
            Input::Text(text) => text.parse().ok(),
            Input::Toml(value) => value
                .get_ref()
                .as_integer()
                .and_then(|number| Self::from_str_radix(number.as_str(), number.radix()).ok()),
        };
        value.ok_or_else(|| Complaint::is_not(input, "a whole number from 0 to 4294967295"))
    }

    fn shown(&self) -> String {
        self.to_string()
    }
}

/// 0 is none.
impl Value for Option<NonZeroU32> {
    fn kind() -> String {
        u32::kind()
    }

    fn expected() -> String {
        u32::expected()
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        u32::read(input).map(NonZeroU32::new)
    }

    fn shown(&self) -> String {
        self.map_or(0, NonZeroU32::get).to_string()
    }
}

/// 0 is none.
impl Value for Option<NonZeroUsize> {
    fn kind() -> String {
        u32::kind()
    }

    fn expected() -> String {
        u32::expected()
    }

    fn read(input: &Input<'_>) -> Result<Self, Complaint> {
        u32::read(input).map(|number| NonZeroUsize::new(number as usize))
    }

    fn shown(&self) -> String {
        self.map_or(0, NonZeroUsize::get).to_string()
    }
}

impl Text for String {
    fn kind() -> String {
        "TEXT".to_owned()
    }

    fn expected() -> String {
        "text".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl Text for PathBuf {
    fn kind() -> String {
        "PATH".to_owned()
    }

    fn expected() -> String {
        "a path".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty() && !text.contains('\0')).then(|| Self::from(text))
    }
}

impl Text for SocketAddr {
    fn kind() -> String {
        "ADDRESS:PORT".to_owned()
    }

    fn expected() -> String {
        "an address and a port, as in \"127.0.0.1:8000\" or \"[::1]:8000\"".to_owned()
    }

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}
