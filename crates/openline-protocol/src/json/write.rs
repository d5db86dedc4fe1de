//! Writing JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::text::plain_len;
use crate::writer::Writer;

/// Writes JSON to the end of a buffer.
pub(crate) struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Whether what comes next follows a sibling.
    comma: bool,
}

impl<'a> JsonWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, comma: false }
    }

    /// A comma if one is due; one is due before what follows this.
    fn separate(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
        self.comma = true;
    }
}

impl Writer for JsonWriter<'_> {
    fn open_map(&mut self) {
        self.separate();
        self.out.push(b'{');
        self.comma = false;
    }

    fn close_map(&mut self) {
        self.out.push(b'}');
        self.comma = true;
    }

    fn open_list(&mut self) {
        self.separate();
        self.out.push(b'[');
        self.comma = false;
    }

    fn close_list(&mut self) {
        self.out.push(b']');
        self.comma = true;
    }

    fn key(&mut self, key: &str) {
        self.separate();
        write_text(self.out, key);
        self.out.push(b':');
        self.comma = false;
    }

    fn text(&mut self, text: &str) {
        self.separate();
        write_text(self.out, text);
    }

    fn unsigned(&mut self, number: u64) {
        self.separate();
        write_unsigned(self.out, number);
    }

    fn number(&mut self, number: &serde_json::Number) {
        self.separate();
        self.out.extend_from_slice(number.to_string().as_bytes());
    }

    fn flag(&mut self, flag: bool) {
        self.separate();
        self.out.extend_from_slice(if flag { b"true" } else { b"false" });
    }

    fn json(&mut self, text: &str) {
        self.separate();
        self.out.extend_from_slice(text.as_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) -> bool {
        self.separate();
        write_base64(self.out, bytes);
        false
    }
}

/// The text as a JSON string.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let plain = plain_len(rest);
        out.extend_from_slice(&rest[..plain]);
        let Some(byte) = rest.get(plain) else { break };
        write_escape(out, *byte);
        rest = &rest[plain + 1..];
    }
    out.push(b'"');
}

/// The bytes as a JSON string of base64.
pub(crate) fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    let from = out.len();
    out.resize(from + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[from..]);
    debug_assert_eq!(written.ok(), Some(out.len() - from), "padded base64 fills its room");
    out.push(b'"');
}

fn write_unsigned(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let digit = |digit: u8| b"0123456789abcdef"[usize::from(digit)];
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}
