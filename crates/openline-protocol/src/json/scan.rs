//! A scanner that checks JSON (RFC 8259) and says where values end.
//!
//! A parser of a library would be less code here, but not one pass: a message has to be checked as
//! a whole, held to a depth, and split into its fields without looking into the payload again.
//!
//! Two things that the grammar allows are refused because not every receiver could read them: half
//! of a surrogate pair as an escape, and a number beyond the range of a double.

use std::borrow::Cow;
use std::fmt;

use super::text::{plain_len, unescaped};

/// How deep a scanner can be told to go: one bit for each level.
const LEVELS_MAX: usize = u128::BITS as usize;
/// Shorter numbers without an exponent are within the range of a double.
const SURELY_FINITE_BYTES: usize = 300;

/// Why a text is not one JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broken {
    /// It breaks the grammar at this byte.
    Syntax { at: usize, expected: &'static str },
    /// It is nested too deep.
    TooDeep,
}

/// The JSON text of one value, checked.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a> {
    pub(crate) text: &'a str,
    /// Whether there are escapes in any of its strings.
    has_escapes: bool,
}

impl<'a> Raw<'a> {
    /// What it means, if it is a string.
    pub(crate) fn unescaped(self) -> Option<Cow<'a, str>> {
        self.text.starts_with('"').then(|| unescaped(self.text, self.has_escapes))
    }
}

/// A place in a JSON text.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Whether there were escapes since this was last reset.
    has_escapes: bool,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0, has_escapes: false }
    }

    /// Goes behind the next value, which it returns without the white space around it. The value may
    /// be nested `depth_max` deep.
    pub(crate) fn value(&mut self, depth_max: usize) -> Result<Raw<'a>, Broken> {
        self.white_space();
        let from = self.at;
        self.has_escapes = false;
        let mut open = Open { objects: 0, depth: 0, max: depth_max.min(LEVELS_MAX) };
        loop {
            match self.peek() {
                Some(b'{') => {
                    open.push(true)?;
                    self.at += 1;
                    if !self.closes(b'}') {
                        self.key()?;
                        self.white_space();
                        continue;
                    }
                    open.pop();
                }
                Some(b'[') => {
                    open.push(false)?;
                    self.at += 1;
                    if !self.closes(b']') {
                        continue;
                    }
                    open.pop();
                }
                _ => self.scalar()?,
            }
            if !self.next_value(&mut open)? {
                return Ok(self.raw(from));
            }
        }
    }

    /// Begins to go through an object whose [`Self::member`]s are to be asked for one by one. False if
    /// what comes is something else.
    pub(crate) fn enter_object(&mut self) -> bool {
        self.white_space();
        let is_object = self.peek() == Some(b'{');
        self.at += usize::from(is_object);
        is_object
    }

    /// The next member of the object that was entered: its key and its value. Call it with
    /// `is_first` once, and no more after it returned none.
    pub(crate) fn member(
        &mut self,
        is_first: bool,
        depth_max: usize,
    ) -> Result<Option<(Raw<'a>, Raw<'a>)>, Broken> {
        if self.closes(b'}') {
            return Ok(None);
        }
        if !is_first {
            self.expect(b',', "expected , or }")?;
            self.white_space();
        }
        self.has_escapes = false;
        let key = self.key()?;
        Ok(Some((key, self.value(depth_max)?)))
    }

    /// Begins to go through a list whose [`Self::element`]s are to be asked for one by one. False if
    /// what comes is something else.
    pub(crate) fn enter_list(&mut self) -> bool {
        self.white_space();
        self.skip(b'[')
    }

    /// The next element of the list that was entered. Call it with `is_first` once, and no more after
    /// it returned none.
    pub(crate) fn element(
        &mut self,
        is_first: bool,
        depth_max: usize,
    ) -> Result<Option<Raw<'a>>, Broken> {
        if self.closes(b']') {
            return Ok(None);
        }
        if !is_first {
            self.expect(b',', "expected , or ]")?;
        }
        self.value(depth_max).map(Some)
    }

    /// The elements of a list that is known to be one.
    pub(crate) fn elements(list: &'a str, depth_max: usize) -> Elements<'a> {
        let mut scanner = Self::new(list);
        scanner.at = 1;
        Elements { scanner, depth_max, done: false }
    }

    /// Checks that nothing but white space follows.
    pub(crate) fn end(&mut self) -> Result<(), Broken> {
        self.white_space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.broken("expected the end")) }
    }

    /// Goes from behind a value to before the next one. False if there is none.
    fn next_value(&mut self, open: &mut Open) -> Result<bool, Broken> {
        while open.depth > 0 {
            self.white_space();
            let in_object = open.in_object();
            match (self.peek(), in_object) {
                (Some(b','), true) => {
                    self.at += 1;
                    self.white_space();
                    self.key()?;
                    self.white_space();
                    return Ok(true);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    self.white_space();
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    open.pop();
                }
                (_, true) => return Err(self.broken("expected , or }")),
                (_, false) => return Err(self.broken("expected , or ]")),
            }
        }
        Ok(false)
    }

    fn scalar(&mut self) -> Result<(), Broken> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal("true"),
            Some(b'f') => self.literal("false"),
            Some(b'n') => self.literal("null"),
            _ => Err(self.broken("expected a value")),
        }
    }

    /// A key and the colon behind it.
    fn key(&mut self) -> Result<Raw<'a>, Broken> {
        let from = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.broken("expected a key in double quotes"));
        }
        self.string()?;
        let key = self.raw(from);
        self.white_space();
        self.expect(b':', "expected :")?;
        Ok(key)
    }

    fn string(&mut self) -> Result<(), Broken> {
        self.at += 1;
        loop {
            self.at += plain_len(&self.text.as_bytes()[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return Err(self.broken("control characters in text must be escaped")),
                None => return Err(self.broken("expected the closing quote of a text")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Broken> {
        let from = self.at;
        self.has_escapes = true;
        match self.text.as_bytes().get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                return Ok(());
            }
            Some(b'u') => {}
            _ => return Err(self.broken("expected an escape that JSON has")),
        }
        match self.unit()? {
            0xD800..=0xDBFF => {
                let has_second = self.text.as_bytes()[self.at..].starts_with(b"\\u")
                    && matches!(self.unit()?, 0xDC00..=0xDFFF);
                if has_second {
                    return Ok(());
                }
            }
            0xDC00..=0xDFFF => {}
            _ => return Ok(()),
        }
        self.at = from;
        Err(self.broken("half of a surrogate pair is not a character"))
    }

    /// One `\u` and its four digits.
    fn unit(&mut self) -> Result<u32, Broken> {
        let mut unit = 0;
        for at in self.at + 2..self.at + 6 {
            let digit = self.text.as_bytes().get(at).and_then(|b| char::from(*b).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.broken("expected four hexadecimal digits after \\u"));
            };
            unit = unit << 4 | digit;
        }
        self.at += 6;
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Broken> {
        let from = self.at;
        self.skip(b'-');
        if !self.skip(b'0') {
            self.digits()?;
        }
        if self.skip(b'.') {
            self.digits()?;
        }
        let has_exponent = self.skip(b'e') || self.skip(b'E');
        if has_exponent {
            let _ = self.skip(b'+') || self.skip(b'-');
            self.digits()?;
        }
        let number = &self.text[from..self.at];
        let is_finite = (!has_exponent && number.len() < SURELY_FINITE_BYTES)
            || number.parse::<f64>().is_ok_and(f64::is_finite);
        if is_finite {
            return Ok(());
        }
        self.at = from;
        Err(self.broken("a number must fit into a double"))
    }

    fn digits(&mut self) -> Result<(), Broken> {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err(self.broken("expected a digit")) }
    }

    fn literal(&mut self, literal: &str) -> Result<(), Broken> {
        if !self.text.as_bytes()[self.at..].starts_with(literal.as_bytes()) {
            return Err(self.broken("expected a value"));
        }
        self.at += literal.len();
        Ok(())
    }

    fn raw(&self, from: usize) -> Raw<'a> {
        Raw { text: &self.text[from..self.at], has_escapes: self.has_escapes }
    }

    fn white_space(&mut self) {
        // Most messages have none.
        if self.peek().is_some_and(|byte| byte > b' ') {
            return;
        }
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Whether this byte comes after white space; if so, goes behind it.
    fn closes(&mut self, byte: u8) -> bool {
        self.white_space();
        self.skip(byte)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), Broken> {
        if self.skip(byte) { Ok(()) } else { Err(self.broken(expected)) }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn broken(&self, expected: &'static str) -> Broken {
        Broken::Syntax { at: self.at, expected }
    }
}

/// What [`Scanner::elements`] yields.
pub(crate) struct Elements<'a> {
    scanner: Scanner<'a>,
    depth_max: usize,
    done: bool,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        if self.done || self.scanner.closes(b']') {
            return None;
        }
        // The list was checked before, so this cannot fail; if it did, the list would just end.
        let element = self.scanner.value(self.depth_max).ok();
        self.done = !self.scanner.closes(b',');
        element
    }
}

/// Which arrays and objects are open: the innermost is the lowest bit, set for an object.
struct Open {
    objects: u128,
    depth: usize,
    max: usize,
}

impl Open {
    fn push(&mut self, is_object: bool) -> Result<(), Broken> {
        if self.depth == self.max {
            return Err(Broken::TooDeep);
        }
        self.objects = self.objects << 1 | u128::from(is_object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}

/// What was expected and where, for people.
pub(crate) struct Explained<'a>(pub(crate) &'a str, pub(crate) Broken);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, broken) = *self;
        match broken {
            Broken::TooDeep => f.write_str("nested too deep"),
            Broken::Syntax { at, expected } => {
                let before = &text[..at];
                let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
                let start = before.rfind('\n').map_or(0, |newline| newline + 1);
                let column = before[start..].chars().count() + 1;
                write!(f, "line {line} column {column}: {expected}, got ")?;
                match text[at..].chars().next() {
                    None => f.write_str("the end"),
                    Some(c) if c.is_control() => write!(f, "U+{:04X}", c as u32),
                    Some(c) => write!(f, "{c}"),
                }
            }
        }
    }
}
