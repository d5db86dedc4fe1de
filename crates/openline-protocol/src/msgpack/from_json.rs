//! JSON text into MessagePack.

use super::write::MsgpackWriter;
use crate::json::{Scanner, plain_len, unescaped};
use crate::writer::Writer;

/// Writes the value that the text is, without recursion. Text that is not a value, which
/// [`Data::Json`](crate::Data::Json) must not be, becomes null.
pub(super) fn write(writer: &mut MsgpackWriter<'_>, text: &str) {
    let mut scanner = Scanner::new(text);
    if scanner.value(usize::MAX).and_then(|_| scanner.end()).is_err() {
        return writer.null();
    }
    let mut at = 0;
    let mut is_key = false;
    while let Some(byte) = text.as_bytes().get(at) {
        let len = match byte {
            b'{' => {
                writer.open_map();
                is_key = true;
                1
            }
            b'[' => {
                writer.open_list();
                is_key = false;
                1
            }
            b'}' | b']' => {
                writer.close_map();
                1
            }
            b',' => {
                is_key = writer.is_in_map();
                1
            }
            b':' => {
                is_key = false;
                1
            }
            b'"' => {
                let len = string_len(&text[at..]);
                let string = &text[at..at + len];
                let string = unescaped(string, string.contains('\\'));
                if is_key {
                    writer.key(&string)
                } else {
                    writer.text(&string)
                }
                len
            }
            b' ' | b'\n' | b'\r' | b'\t' => 1,
            _ => {
                let len = scalar_len(&text[at..]);
                scalar(writer, &text[at..at + len]);
                len
            }
        };
        at += len;
    }
}

/// The length of the string at the beginning, its quotes counted.
fn string_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    loop {
        at += plain_len(&bytes[at..]);
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            _ => return at + 1,
        }
    }
}

fn scalar_len(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count().max(1)
}

fn scalar(writer: &mut MsgpackWriter<'_>, text: &str) {
    match text {
        "null" => writer.null(),
        "true" => writer.flag(true),
        "false" => writer.flag(false),
        // A double has a negative zero, an integer has not.
        "-0" => writer.float(-0.0),
        _ => {
            if let Ok(number) = text.parse() {
                writer.unsigned(number);
            } else if let Ok(number) = text.parse() {
                writer.signed(number);
            } else {
                writer.float(text.parse().unwrap_or_default());
            }
        }
    }
}
