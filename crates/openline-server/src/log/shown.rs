//! Text made fit for a log: nothing in it can end the line, move the cursor, pass for another field,
//! or be used to log in.

use std::fmt::Write as _;

/// What is shown of a peer's text at most.
pub(super) const PEER_BYTES_MAX: usize = 256;

/// What is looked at of it, as tokens are taken out before it is cut.
const LOOKED_AT_BYTES_MAX: usize = 4_096;

const CUT: &str = "…";
const TOKEN: &str = "[redacted]";

/// How characters are written that cannot stand for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escape {
    /// As Rust does: `\u{1b}`.
    Text,
    /// As JSON does: `\u001b`.
    Json,
}

/// Appends the text in quotes, cut to so many bytes before escaping.
pub(super) fn quote(text: &str, bytes_max: usize, escape: Escape, line: &mut String) {
    line.push('"');
    if text.len() <= bytes_max {
        text.chars().for_each(|character| push(character, escape, line));
    } else {
        let shown = &text[..text.floor_char_boundary(bytes_max - CUT.len())];
        shown.chars().for_each(|character| push(character, escape, line));
        line.push_str(CUT);
    }
    line.push('"');
}

/// The text with a placeholder for what looks like a token. No event is meant to have one in it: this
/// is for the day when an error quotes what it could not read.
pub(super) fn without_tokens(text: &str) -> String {
    let mut rest = &text[..text.floor_char_boundary(LOOKED_AT_BYTES_MAX)];
    let mut kept = String::with_capacity(rest.len());
    let mut before = "";
    while !rest.is_empty() {
        let between = take_while(&mut rest, |character| !is_of_word(character));
        let word = take_while(&mut rest, is_of_word);
        kept.push_str(between);
        kept.push_str(if is_token(before, between, word) { TOKEN } else { word });
        before = word;
    }
    kept
}

/// A JWT by how it begins, which is `{"` in base64; or what is called a token where it stands.
fn is_token(before: &str, between: &str, word: &str) -> bool {
    let is_jwt = word.starts_with("eyJ") && word.len() > 16;
    let is_bearer = before.eq_ignore_ascii_case("bearer") && between.trim().is_empty();
    let name = before.to_ascii_lowercase();
    let is_value = between.starts_with('=') || between.starts_with("\":");
    let is_named = is_value && (name.ends_with("token") || name.ends_with("ticket"));
    !word.is_empty() && (is_jwt || is_bearer || is_named)
}

fn take_while<'a>(rest: &mut &'a str, is_part: impl Fn(char) -> bool) -> &'a str {
    let end = rest.find(|character| !is_part(character)).unwrap_or(rest.len());
    let (taken, left) = rest.split_at(end);
    *rest = left;
    taken
}

fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.~+/%".contains(character)
}

fn push(character: char, escape: Escape, line: &mut String) {
    let is_quoting = matches!(character, '"' | '\\');
    if is_printable(character) && !is_quoting {
        line.push(character);
    } else if is_quoting {
        line.extend(['\\', character]);
    } else if escape == Escape::Text {
        line.extend(character.escape_debug());
    } else {
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(line, "\\u{unit:04x}").expect("a string takes all text");
        }
    }
}

/// Not one of the control characters, nor of those that are not seen or turn the order around.
fn is_printable(character: char) -> bool {
    matches!(character, '"' | '\'' | '\\') || character.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str, escape: Escape) -> String {
        let mut line = String::new();
        quote(text, PEER_BYTES_MAX, escape, &mut line);
        line
    }

    #[test]
    fn what_could_end_a_line_or_steer_a_terminal_is_escaped() {
        let hostile = "a\r\n\x1b[2J\0\u{7f}\u{9b}\u{85}\u{2028}\u{202e}\u{200b}\u{feff}\"\\b";
        for escape in [Escape::Text, Escape::Json] {
            let line = quoted(hostile, escape);
            assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
            assert!(line.ends_with(r#"\"\\b""#), "{line}");
        }
        let read: String = serde_json::from_str(&quoted(hostile, Escape::Json)).unwrap();
        assert_eq!(read, hostile);
    }

    #[test]
    fn letters_of_all_languages_stand_for_themselves() {
        assert_eq!(quoted("Grüße, 世界 😀 it's", Escape::Text), "\"Grüße, 世界 😀 it's\"");
        assert_eq!(quoted("Grüße, 世界 😀 it's", Escape::Json), "\"Grüße, 世界 😀 it's\"");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(quoted(&"x".repeat(256), Escape::Text).len(), 258);
        assert_eq!(quoted(&"x".repeat(257), Escape::Text), format!("\"{}…\"", "x".repeat(253)));
        assert_eq!(quoted(&"ü".repeat(500), Escape::Text), format!("\"{}…\"", "ü".repeat(126)));
    }

    #[test]
    fn tokens_are_taken_out() {
        for (text, kept) in [
            ("bad eyJhbGciOiJIUzI1NiJ9.eyJzdWIi.c2ln here", "bad [redacted] here"),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
            ("GET /ws?token=canary&x=1", "GET /ws?token=[redacted]&x=1"),
            (r#"{"token":"canary"}"#, r#"{"token":"[redacted]"}"#),
            ("access_token=a%20b ticket=c", "access_token=[redacted] ticket=[redacted]"),
            ("the token: expired, a ticket at a time", "the token: expired, a ticket at a time"),
            ("", ""),
        ] {
            assert_eq!(without_tokens(text), kept);
        }
    }
}
