//! MessagePack into JSON text.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::json::{write_base64, write_text};
use crate::limits::DEPTH_MAX;
use crate::message::DEPTH_MAX as MESSAGE_DEPTH_MAX;
use crate::{ErrorCode, Fault};

/// A message as JSON text, and the bytes that JSON would only carry as base64.
pub(crate) struct Transcoded {
    pub(crate) json: Vec<u8>,
    /// Where in `json` bytes stand under `data`, and under `data` in `data`: a payload that consists
    /// of bytes stays so.
    pub(crate) payloads: [Option<(usize, Bytes)>; 2],
}

/// Reads one value, which must be all there is.
pub(crate) fn transcode(input: &Bytes) -> Result<Transcoded, Fault> {
    let mut transcoder = Transcoder::new(input, DEPTH_MAX);
    transcoder.whole()?;
    Ok(Transcoded { json: transcoder.json, payloads: transcoder.payloads })
}

/// Where in the JSON text bytes stand, and the bytes, in this order.
pub(crate) type Payloads = Vec<(usize, Bytes)>;

/// As [`transcode`], for messages that hold other messages: as JSON text, with the bytes that stand
/// under `data` at any depth, and where.
pub(crate) fn transcode_nested(input: &Bytes) -> Result<(Vec<u8>, Payloads), Fault> {
    let mut transcoder = Transcoder::new(input, MESSAGE_DEPTH_MAX);
    transcoder.nested = Some(Vec::new());
    transcoder.whole()?;
    Ok((transcoder.json, transcoder.nested.unwrap_or_default()))
}

struct Transcoder<'a> {
    input: &'a Bytes,
    at: usize,
    json: Vec<u8>,
    payloads: [Option<(usize, Bytes)>; 2],
    /// In place of `payloads`: the bytes under `data` at any depth.
    nested: Option<Payloads>,
    /// The maps and arrays that are open; at most `depth_max`.
    open: Vec<Open>,
    depth_max: usize,
}

/// A map or array of which elements are to come.
struct Open {
    is_map: bool,
    left: u32,
    is_first: bool,
    /// Whether the member being read is the `data` of a message, or of its `data`.
    in_data: bool,
}

impl<'a> Transcoder<'a> {
    fn new(input: &'a Bytes, depth_max: usize) -> Self {
        Self {
            input,
            at: 0,
            json: Vec::with_capacity(input.len() + input.len() / 4),
            payloads: [None, None],
            nested: None,
            open: Vec::new(),
            depth_max,
        }
    }

    fn whole(&mut self) -> Result<(), Fault> {
        self.value()?;
        while self.go_on()? {
            self.value()?;
        }
        match self.input.len() - self.at {
            0 => Ok(()),
            left => Err(invalid(format!("{left} bytes follow the message"))),
        }
    }
}

impl Transcoder<'_> {
    /// Writes what stands between the values: commas, keys, closing brackets. False at the end.
    fn go_on(&mut self) -> Result<bool, Fault> {
        while let Some(open) = self.open.last_mut() {
            if open.left == 0 {
                self.json.push(if open.is_map { b'}' } else { b']' });
                self.open.pop();
                continue;
            }
            open.left -= 1;
            if !open.is_first {
                self.json.push(b',');
            }
            open.is_first = false;
            if open.is_map {
                self.key()?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    fn key(&mut self) -> Result<(), Fault> {
        let at = self.at;
        let len = match self.byte()? {
            marker @ 0xa0..=0xbf => usize::from(marker & 0x1f),
            0xd9 => self.length::<1>()?,
            0xda => self.length::<2>()?,
            0xdb => self.length::<4>()?,
            _ => return Err(invalid(format!("the key at byte {at} is not text"))),
        };
        let key = self.text(len)?;
        write_text(&mut self.json, key);
        self.json.push(b':');
        let level = self.open.len();
        let within = self.open.iter().rev().skip(1).all(|open| open.in_data);
        if let Some(open) = self.open.last_mut() {
            let reachable = self.nested.is_some() || (level <= self.payloads.len() && within);
            open.in_data = key == "data" && reachable;
        }
        Ok(())
    }

    /// One value; of a map or array, its beginning.
    fn value(&mut self) -> Result<(), Fault> {
        let at = self.at;
        match self.byte()? {
            marker @ 0x00..=0x7f => self.integer(i128::from(marker)),
            marker @ 0x80..=0x8f => return self.open(true, u32::from(marker & 0x0f)),
            marker @ 0x90..=0x9f => return self.open(false, u32::from(marker & 0x0f)),
            marker @ 0xa0..=0xbf => return self.string(usize::from(marker & 0x1f)),
            0xc0 => self.json.extend_from_slice(b"null"),
            0xc2 => self.json.extend_from_slice(b"false"),
            0xc3 => self.json.extend_from_slice(b"true"),
            0xc4 => return self.length::<1>().and_then(|len| self.bytes(len)),
            0xc5 => return self.length::<2>().and_then(|len| self.bytes(len)),
            0xc6 => return self.length::<4>().and_then(|len| self.bytes(len)),
            0xca => {
                let number = f32::from_be_bytes(self.array()?);
                return self.float(at, f64::from(number), number);
            }
            0xcb => {
                let number = f64::from_be_bytes(self.array()?);
                return self.float(at, number, number);
            }
            0xcc => self.unsigned::<1>()?,
            0xcd => self.unsigned::<2>()?,
            0xce => self.unsigned::<4>()?,
            0xcf => self.unsigned::<8>()?,
            0xd0 => self.signed::<1>()?,
            0xd1 => self.signed::<2>()?,
            0xd2 => self.signed::<4>()?,
            0xd3 => self.signed::<8>()?,
            0xd9 => return self.length::<1>().and_then(|len| self.string(len)),
            0xda => return self.length::<2>().and_then(|len| self.string(len)),
            0xdb => return self.length::<4>().and_then(|len| self.string(len)),
            0xdc => return self.length::<2>().and_then(|len| self.open(false, len as u32)),
            0xdd => return self.length::<4>().and_then(|len| self.open(false, len as u32)),
            0xde => return self.length::<2>().and_then(|len| self.open(true, len as u32)),
            0xdf => return self.length::<4>().and_then(|len| self.open(true, len as u32)),
            marker @ 0xe0..=0xff => self.integer(i128::from(marker as i8)),
            0xc1 => return Err(invalid(format!("byte {at} is 0xc1, which begins no value"))),
            marker @ (0xc7..=0xc9 | 0xd4..=0xd8) => {
                return Err(invalid(format!(
                    "the value at byte {at} is of an extension type (0x{marker:02x}), which JSON cannot carry"
                )));
            }
        }
        Ok(())
    }

    fn open(&mut self, is_map: bool, left: u32) -> Result<(), Fault> {
        if self.open.len() == self.depth_max {
            return Err(Fault::too_deep(self.depth_max));
        }
        self.json.push(if is_map { b'{' } else { b'[' });
        self.open.push(Open { is_map, left, is_first: true, in_data: false });
        Ok(())
    }

    fn string(&mut self, len: usize) -> Result<(), Fault> {
        let text = self.text(len)?;
        write_text(&mut self.json, text);
        Ok(())
    }

    fn bytes(&mut self, len: usize) -> Result<(), Fault> {
        let bytes = self.take(len)?;
        let level = self.open.len();
        if let Some(nested) = &mut self.nested {
            if self.open.last().is_some_and(|open| open.in_data) {
                nested.push((self.json.len(), self.input.slice_ref(bytes)));
            }
            write_base64(&mut self.json, bytes);
            return Ok(());
        }
        if self.open.iter().all(|open| open.in_data)
            && let Some(payload) = level.checked_sub(1).and_then(|l| self.payloads.get_mut(l))
        {
            *payload = Some((self.json.len(), self.input.slice_ref(bytes)));
        }
        // Bytes right under `data` are nothing else than a payload, so their text is never looked at.
        let text = if level == 1 && self.open[0].in_data { &[] } else { bytes };
        write_base64(&mut self.json, text);
        Ok(())
    }

    fn integer(&mut self, number: i128) {
        let mut text = String::new();
        let _ = write!(text, "{number}");
        self.json.extend_from_slice(text.as_bytes());
    }

    fn unsigned<const N: usize>(&mut self) -> Result<(), Fault> {
        let bytes: [u8; N] = self.array()?;
        self.integer(bytes.iter().fold(0, |number, byte| number << 8 | i128::from(*byte)));
        Ok(())
    }

    fn signed<const N: usize>(&mut self) -> Result<(), Fault> {
        let bytes: [u8; N] = self.array()?;
        let first = i128::from(bytes[0] as i8);
        self.integer(bytes[1..].iter().fold(first, |number, b| number << 8 | i128::from(*b)));
        Ok(())
    }

    /// The shortest text that gives `number` back.
    fn float(
        &mut self,
        at: usize,
        number: f64,
        shortest: impl std::fmt::Debug,
    ) -> Result<(), Fault> {
        if !number.is_finite() {
            return Err(invalid(format!(
                "the number at byte {at} is {number}, which JSON cannot carry"
            )));
        }
        let mut text = String::new();
        let _ = write!(text, "{shortest:?}");
        self.json.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl<'a> Transcoder<'a> {
    fn text(&mut self, len: usize) -> Result<&'a str, Fault> {
        let at = self.at;
        std::str::from_utf8(self.take(len)?)
            .map_err(|error| invalid(format!("byte {} is not UTF-8", at + error.valid_up_to())))
    }

    fn length<const N: usize>(&mut self) -> Result<usize, Fault> {
        let bytes: [u8; N] = self.array()?;
        Ok(bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let input: &'a Bytes = self.input;
        let taken = input[self.at..].get(..len).ok_or_else(|| {
            let has = input.len() - self.at;
            invalid(format!("{len} bytes should follow at byte {}, there are {has}", self.at))
        })?;
        self.at += len;
        Ok(taken)
    }
}

fn invalid(what: String) -> Fault {
    Fault::new(ErrorCode::InvalidMsgpack, format!("invalid MessagePack: {what}"))
}
