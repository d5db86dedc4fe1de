//! Bytes as people read and write them.

use std::fmt::Write as _;

/// Bytes in a row of a dump.
const ROW: usize = 16;

/// Bytes as hex digits, two for each.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Reads hex digits in either case. Spaces may stand between bytes, `0x` in front of all.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut high = None;
    for character in digits.chars() {
        if character.is_ascii_whitespace() && high.is_none() {
            continue;
        }
        let digit =
            character.to_digit(16).ok_or_else(|| format!("{character:?} is no hex digit"))?;
        match high.take() {
            None => high = Some(digit),
            Some(high) => bytes.push(u8::try_from(16 * high + digit).expect("two digits fit")),
        }
    }
    match high {
        None => Ok(bytes),
        Some(_) => Err("the last byte has one hex digit only".to_owned()),
    }
}

/// The first `limit` bytes in rows of sixteen: offset, hex, and ASCII where it is.
pub(super) fn dump(bytes: &[u8], limit: usize) -> Vec<String> {
    let shown = &bytes[..bytes.len().min(limit)];
    shown.chunks(ROW).enumerate().map(|(i, row)| dump_row(i * ROW, row)).collect()
}

fn dump_row(offset: usize, row: &[u8]) -> String {
    let mut line = format!("{offset:08x} ");
    for i in 0..ROW {
        if i == ROW / 2 {
            line.push(' ');
        }
        match row.get(i) {
            Some(byte) => drop(write!(line, " {byte:02x}")),
            None => line.push_str("   "),
        }
    }
    let ascii = row.iter().map(|byte| match byte {
        b' '..=b'~' => char::from(*byte),
        _ => '.',
    });
    line.push_str("  |");
    line.extend(ascii);
    line.push('|');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Ok(all));
        assert_eq!(encode(b""), "");
    }

    #[test]
    fn spaces_case_and_prefix_do_not_matter() {
        for text in ["0x00ffA5", "00 FF a5", "  00ffa5\t", "0X00 ff a5"] {
            assert_eq!(decode(text), Ok(vec![0, 255, 0xa5]), "{text}");
        }
        assert_eq!(decode(""), Ok(vec![]));
    }

    #[test]
    fn what_is_not_hex_is_told() {
        assert_eq!(decode("0g").unwrap_err(), "'g' is no hex digit");
        assert_eq!(decode("abc").unwrap_err(), "the last byte has one hex digit only");
        // A space inside a byte is more likely a lost digit than meant.
        assert_eq!(decode("a b").unwrap_err(), "' ' is no hex digit");
        assert_eq!(decode("é").unwrap_err(), "'é' is no hex digit");
    }

    #[test]
    fn a_dump_has_offsets_hex_and_ascii() {
        let rows = dump(b"0123456789abcdef\x00\xffz", 256);
        assert_eq!(
            rows,
            [
                "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|",
                "00000010  00 ff 7a                                          |..z|",
            ]
        );
    }

    #[test]
    fn a_dump_is_bounded() {
        assert_eq!(dump(&[0; 1000], 32).len(), 2);
        assert!(dump(b"", 32).is_empty());
    }
}
