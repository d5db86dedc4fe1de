//! How things are shown. Pure: from values to text.

use std::fmt::Display;
use std::time::Duration;

use anstyle::{AnsiColor, Effects};
use openline_ws::{CloseCode, DeflateParams, Error};

use super::command;
use super::hex;
use super::session::End;

/// Bytes of one message that a terminal is shown.
const TEXT_BYTES_MAX: usize = 16 * 1024;
const BINARY_BYTES_MAX: usize = 256;

/// The names of close codes (RFC 6455 §7.4.1 and the IANA registry).
const CLOSE_CODES: &[(u16, &str)] = &[
    (1000, "normal closure"),
    (1001, "going away"),
    (1002, "protocol error"),
    (1003, "unsupported data"),
    (1005, "no code"),
    (1006, "no close frame"),
    (1007, "invalid data"),
    (1008, "policy violation"),
    (1009, "message too big"),
    (1010, "extension required"),
    (1011, "internal error"),
    (1012, "service restart"),
    (1013, "try again later"),
    (1014, "bad gateway"),
    (3000, "unauthorized"),
    (3003, "forbidden"),
    (3008, "timeout"),
];

/// The look of things, plain or coloured.
#[derive(Debug, Default)]
pub(super) struct Style {
    /// Marks of what comes from the server.
    received: anstyle::Style,
    /// What is beside the point.
    faint: anstyle::Style,
    /// What went wrong.
    wrong: anstyle::Style,
    /// What is worth a look.
    strong: anstyle::Style,
}

impl Style {
    pub(super) fn new(coloured: bool) -> Self {
        if !coloured {
            return Self::default();
        }
        Self {
            received: AnsiColor::Cyan.on_default().effects(Effects::BOLD),
            faint: anstyle::Style::new().effects(Effects::DIMMED),
            wrong: AnsiColor::Red.on_default(),
            strong: AnsiColor::Green.on_default(),
        }
    }
}

fn styled(style: anstyle::Style, what: impl Display) -> String {
    format!("{style}{what}{style:#}")
}

/// That the line is open, and on which terms.
pub(super) fn connected(
    url: &str,
    protocol: Option<&str>,
    deflate: Option<DeflateParams>,
) -> String {
    let protocol = match protocol {
        Some(protocol) => format!("subprotocol {protocol}"),
        None => "no subprotocol".to_owned(),
    };
    let deflate = if deflate.is_some() { "compression" } else { "no compression" };
    format!("connected to {} ({protocol}, {deflate})", without_user(url))
}

/// An address without user and password, which are nobody's business on a screen.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

pub(super) fn welcome(style: &Style, connected: &str) -> String {
    let how = "Enter sends a line, /help lists the commands, Ctrl-D closes.";
    format!("{}\n{}", styled(style.strong, connected), styled(style.faint, how))
}

/// A text as it came, but for characters that would steer the terminal.
pub(super) fn text(style: &Style, text: &str) -> String {
    let shown = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    let mut out = format!("{} {}", styled(style.received, "<"), visible(shown));
    if shown.len() < text.len() {
        let rest = format!("… {} bytes in all", text.len());
        out.push_str(&format!("\n  {}", styled(style.faint, rest)));
    }
    out
}

pub(super) fn binary(style: &Style, data: &[u8]) -> String {
    let mut out = format!("{} binary, {} bytes", styled(style.received, "<"), data.len());
    for row in hex::dump(data, BINARY_BYTES_MAX) {
        out.push_str(&format!("\n  {}", styled(style.faint, row)));
    }
    if data.len() > BINARY_BYTES_MAX {
        let rest = format!("… {} bytes more", data.len() - BINARY_BYTES_MAX);
        out.push_str(&format!("\n  {}", styled(style.faint, rest)));
    }
    out
}

pub(super) fn ping(style: &Style, payload: &[u8]) -> String {
    format!("{} {}", styled(style.received, "<"), styled(style.faint, control("ping", payload)))
}

/// A pong, and how long it took if it answers a ping that was typed.
pub(super) fn pong(style: &Style, payload: &[u8], took: Option<Duration>) -> String {
    let mark = styled(style.received, "<");
    let pong = styled(style.faint, control("pong", payload));
    match took {
        Some(took) => format!("{mark} {pong} after {}", milliseconds(took)),
        None => format!("{mark} {pong}"),
    }
}

/// A ping or a pong with its payload, quoted if it is text and in hex if not.
pub(super) fn control(kind: &str, payload: &[u8]) -> String {
    match std::str::from_utf8(payload) {
        Ok("") => kind.to_owned(),
        Ok(text) => format!("{kind} {text:?}"),
        Err(_) => format!("{kind} {}", hex::encode(payload)),
    }
}

pub(super) fn wrong(style: &Style, what: &str) -> String {
    styled(style.wrong, what)
}

pub(super) fn help(style: &Style) -> String {
    let width = command::HELP.iter().map(|(command, _)| command.len()).max().unwrap_or(0);
    let rows = command::HELP
        .iter()
        .map(|(command, does)| format!("  {command:width$}  {}", styled(style.faint, does)));
    rows.collect::<Vec<_>>().join("\n")
}

/// How the line ended, and by whom.
pub(super) fn ended(end: &End) -> String {
    match end {
        End::ByServer(reason) if reason.code == CloseCode::ABNORMAL => {
            "the server ended the connection without a close frame (1006)".to_owned()
        }
        End::ByServer(reason) => {
            format!("closed by the server: {}", close_reason(reason.code, &reason.text))
        }
        End::ByUs { reason, answered } => {
            let reason = close_reason(reason.code, &reason.text);
            let silence = if *answered { "" } else { "; the server did not answer it" };
            format!("closed by you: {reason}{silence}")
        }
        End::Failed(Error::Protocol(error)) => {
            format!("the server broke the protocol, closed with {}: {error}", error.close_code())
        }
        End::Failed(error) => format!("the line broke: {error}"),
    }
}

fn close_reason(code: CloseCode, text: &str) -> String {
    let name = CLOSE_CODES.iter().find(|(known, _)| *known == code.0).map(|(_, name)| *name);
    let name = name.unwrap_or(match code.0 {
        3000..=3999 => "a library's own code",
        4000..=4999 => "the application's own code",
        _ => "unknown code",
    });
    match text {
        "" => format!("{code} ({name})"),
        text => format!("{code} ({name}) {:?}", visible(text)),
    }
}

/// Control characters written out, except line breaks and tabs.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => out.push(character),
            control if control.is_control() => out.extend(control.escape_unicode()),
            other => out.push(other),
        }
    }
    out
}

fn milliseconds(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    match milliseconds {
        0.0..10.0 => format!("{milliseconds:.2} ms"),
        _ => format!("{milliseconds:.0} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openline_ws::{CloseReason, ProtocolError};

    const PLAIN: fn() -> Style = Style::default;

    #[test]
    fn the_terms_of_the_line_are_told_without_the_password() {
        let deflate = Some(DeflateParams::default());
        assert_eq!(
            connected("ws://me:secret@host:1/x?y=a@b", Some("chat"), deflate),
            "connected to ws://host:1/x?y=a@b (subprotocol chat, compression)"
        );
        assert_eq!(
            connected("ws://host", None, None),
            "connected to ws://host (no subprotocol, no compression)"
        );
    }

    #[test]
    fn a_text_cannot_steer_the_terminal() {
        let shown = text(&PLAIN(), "{\"a\": 1}\tb\n\u{1b}[2Jc\u{7}\u{9b}");
        assert_eq!(shown, "< {\"a\": 1}\tb\n\\u{1b}[2Jc\\u{7}\\u{9b}");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let long = "é".repeat(TEXT_BYTES_MAX);
        let shown = text(&PLAIN(), &long);
        assert!(shown.ends_with("… 32768 bytes in all"));
        assert!(shown.len() < TEXT_BYTES_MAX + 100);
    }

    #[test]
    fn binary_is_a_dump_with_its_size() {
        assert_eq!(binary(&PLAIN(), b""), "< binary, 0 bytes");
        let shown = binary(&PLAIN(), &[7; 300]);
        assert!(shown.starts_with("< binary, 300 bytes\n  00000000  07 07"));
        assert!(shown.ends_with("\n  … 44 bytes more"));
        assert_eq!(shown.lines().count(), 1 + 16 + 1);
    }

    #[test]
    fn pings_and_pongs_show_what_they_carry() {
        assert_eq!(ping(&PLAIN(), b""), "< ping");
        assert_eq!(ping(&PLAIN(), b"\xff\x00"), "< ping ff00");
        let took = Some(Duration::from_micros(420));
        assert_eq!(pong(&PLAIN(), b"1", took), "< pong \"1\" after 0.42 ms");
        assert_eq!(pong(&PLAIN(), b"\x1b", None), "< pong \"\\u{1b}\"");
    }

    #[test]
    fn the_end_names_its_code_and_whose_it_was() {
        let by_server = |code: u16, text: &str| ended(&End::ByServer(CloseReason::new(code, text)));
        assert_eq!(by_server(1001, ""), "closed by the server: 1001 (going away)");
        assert_eq!(
            by_server(4001, "elsewhere"),
            "closed by the server: 4001 (the application's own code) \"elsewhere\""
        );
        assert_eq!(
            by_server(1006, ""),
            "the server ended the connection without a close frame (1006)"
        );
        let ours = |answered| End::ByUs { reason: CloseReason::new(1000, ""), answered };
        assert_eq!(ended(&ours(true)), "closed by you: 1000 (normal closure)");
        assert_eq!(
            ended(&ours(false)),
            "closed by you: 1000 (normal closure); the server did not answer it"
        );
        assert_eq!(
            ended(&End::Failed(Error::Protocol(ProtocolError::MaskedFrame))),
            "the server broke the protocol, closed with 1002: frame from server is masked"
        );
    }

    #[test]
    fn colours_are_there_only_when_wanted() {
        assert!(text(&Style::new(true), "a").contains("\u{1b}["));
        assert!(!text(&Style::new(false), "a").contains('\u{1b}'));
    }
}
