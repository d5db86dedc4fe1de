//! Text in JSON: what needs an escape and what escapes mean.

use std::borrow::Cow;

const ONES: u64 = u64::from_ne_bytes([1; 8]);
const HIGHS: u64 = ONES << 7;

/// How many bytes at the beginning stand for themselves in a JSON string: neither `"`, nor `\`, nor a
/// control character.
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let marks = special(u64::from_le_bytes(*word));
        if marks != 0 {
            return index * 8 + marks.trailing_zeros() as usize / 8;
        }
    }
    let plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    words.len() * 8 + rest.iter().take_while(plain).count()
}

/// The highest bit of each byte that is special. A borrow may mark a byte above a special one too, but
/// never one below it, so the lowest mark is right.
fn special(word: u64) -> u64 {
    let zero_bytes = |word: u64| word.wrapping_sub(ONES) & !word;
    let control = word.wrapping_sub(ONES * 0x20) & !word;
    let quote = zero_bytes(word ^ (ONES * u64::from(b'"')));
    let backslash = zero_bytes(word ^ (ONES * u64::from(b'\\')));
    (control | quote | backslash) & HIGHS
}

/// The text that a JSON string means. It must have been checked and have its quotes.
pub(crate) fn unescaped(string: &str, has_escapes: bool) -> Cow<'_, str> {
    if !has_escapes {
        return Cow::Borrowed(&string[1..string.len() - 1]);
    }
    // None of those that were checked fails.
    Cow::Owned(serde_json::from_str(string).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_special_byte_is_found_wherever_it_stands() {
        for length in 0..40 {
            let plain: Vec<u8> =
                (0..length).map(|i| [b'a', 0x7f, 0x80, 0xff, b'#'][i % 5]).collect();
            assert_eq!(plain_len(&plain), length);
            for at in 0..length {
                for special in [b'"', b'\\', 0, 0x1f] {
                    for second in [b'"', 0x1f, b'a'] {
                        let mut bytes = plain.clone();
                        bytes[at] = special;
                        if at + 1 < length {
                            bytes[at + 1] = second;
                        }
                        assert_eq!(plain_len(&bytes), at);
                    }
                }
            }
        }
    }
}
