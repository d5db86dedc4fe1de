//! Text of a peer's making, fit to be shown to people and written to logs.

/// What is shown of it at most.
const SHOWN_BYTES_MAX: usize = 256;

/// The text without control characters, cut where it gets long. Bytes that are not UTF-8 are shown
/// as U+FFFD.
pub(crate) fn shown(bytes: &[u8]) -> String {
    // A byte becomes three at most, so what is beyond this cannot be needed.
    let bytes = &bytes[..bytes.len().min(SHOWN_BYTES_MAX + 4)];
    let mut shown = String::new();
    for character in String::from_utf8_lossy(bytes).chars().filter(|c| !is_invisible(*c)) {
        if shown.len() + character.len_utf8() > SHOWN_BYTES_MAX {
            break;
        }
        shown.push(character);
    }
    shown
}

/// Control characters, and those that turn the order of what follows around.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_left_out() {
        assert_eq!(shown(b"https://a\x1b[31m\r\n\x00b"), "https://a[31mb");
        assert_eq!(shown("a\u{202E}b\u{85}c".as_bytes()), "abc");
        assert_eq!(shown(b"a\xffb"), "a\u{FFFD}b");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shown(&[b'x'; 1000]), "x".repeat(256));
        assert_eq!(shown("ü".repeat(1000).as_bytes()), "ü".repeat(128));
        assert_eq!(shown("€".repeat(1000).as_bytes()), "€".repeat(85));
    }
}
