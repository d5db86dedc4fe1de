//! What a line that was typed means.

use openline_ws::CloseCode;

use super::hex;

/// Bytes that fit into a ping; of a close frame the code takes two.
const CONTROL_BYTES_MAX: usize = 125;

/// The commands as `/help` shows them.
pub(super) const HELP: &[(&str, &str)] = &[
    ("TEXT", "send a text message; an empty line sends nothing"),
    ("//TEXT", "send a text that begins with a slash"),
    ("/binary HEX", "send a binary message, as in /binary 00 ff a5"),
    ("/ping [TEXT]", "send a ping and show how long its pong took"),
    ("/close [CODE] [REASON]", "close the line and leave; Ctrl-D or Ctrl-C close with 1000"),
    ("/help", "show this"),
];

/// A line that was typed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Text(String),
    Binary(Vec<u8>),
    Ping(Option<String>),
    Close { code: CloseCode, reason: String },
    Help,
    Nothing,
}

impl Command {
    /// Takes a line apart; with `binary`, lines that are no commands are hex.
    pub(super) fn parse(line: &str, binary: bool) -> Result<Self, String> {
        if line.is_empty() {
            return Ok(Self::Nothing);
        }
        let Some(command) = line.strip_prefix('/') else {
            return match binary {
                true => hex::decode(line).map(Self::Binary),
                false => Ok(Self::Text(line.to_owned())),
            };
        };
        if command.starts_with('/') {
            return Ok(Self::Text(command.to_owned()));
        }
        let (name, rest) = split_word(command);
        match name {
            "ping" => ping(rest),
            "binary" => hex::decode(rest).map(Self::Binary),
            "close" => close(rest),
            "help" => Ok(Self::Help),
            _ => Err(format!("there is no command /{name}; /help lists them, //{name} sends it")),
        }
    }
}

fn ping(text: &str) -> Result<Command, String> {
    match text.len() {
        0 => Ok(Command::Ping(None)),
        1..=CONTROL_BYTES_MAX => Ok(Command::Ping(Some(text.to_owned()))),
        long => Err(format!("a ping carries {CONTROL_BYTES_MAX} bytes at most, not {long}")),
    }
}

fn close(rest: &str) -> Result<Command, String> {
    let (code, reason) = split_word(rest);
    let code = match code {
        "" => CloseCode::NORMAL,
        code => code.parse().map(CloseCode).map_err(|_| format!("{code:?} is no close code"))?,
    };
    // A client that ends the line for a server's reason (1011, 1012 …) is odd but lawful, and a
    // terminal is where one tries odd things.
    if !code.may_be_sent() {
        return Err(format!("close code {code} may not be sent; 1000 or 3000 to 4999 may"));
    }
    if reason.len() > CONTROL_BYTES_MAX - 2 {
        let (max, len) = (CONTROL_BYTES_MAX - 2, reason.len());
        return Err(format!("a reason has {max} bytes at most, not {len}"));
    }
    Ok(Command::Close { code, reason: reason.to_owned() })
}

/// The first word and what follows it.
fn split_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, String> {
        Command::parse(line, false)
    }

    fn text(text: &str) -> Result<Command, String> {
        Ok(Command::Text(text.to_owned()))
    }

    #[test]
    fn a_line_is_a_text_unless_it_begins_with_one_slash() {
        assert_eq!(parse("hello /x"), text("hello /x"));
        assert_eq!(parse(" /close"), text(" /close"));
        assert_eq!(parse("//close"), text("/close"));
        assert_eq!(parse("///"), text("//"));
        assert_eq!(parse(""), Ok(Command::Nothing));
    }

    #[test]
    fn binary_is_written_in_hex() {
        assert_eq!(parse("/binary 00 ff"), Ok(Command::Binary(vec![0, 255])));
        assert_eq!(Command::parse("00ff", true), Ok(Command::Binary(vec![0, 255])));
        assert_eq!(Command::parse("//x", true), text("/x"));
        assert!(parse("/binary xyz").is_err());
    }

    #[test]
    fn a_ping_may_carry_a_text() {
        assert_eq!(parse("/ping"), Ok(Command::Ping(None)));
        assert_eq!(parse("/ping are you there"), Ok(Command::Ping(Some("are you there".into()))));
        assert!(parse(&format!("/ping {}", "x".repeat(126))).is_err());
    }

    #[test]
    fn a_close_may_have_a_code_and_a_reason() {
        let close = |code: u16, reason: &str| {
            Ok(Command::Close { code: code.into(), reason: reason.to_owned() })
        };
        assert_eq!(parse("/close"), close(1000, ""));
        assert_eq!(parse("/close 4001"), close(4001, ""));
        assert_eq!(parse("/close 4001 see you"), close(4001, "see you"));
        for wrong in ["/close x", "/close 1005", "/close 70000", "/close 999"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&format!("/close 1000 {}", "x".repeat(124))).is_err());
    }

    #[test]
    fn an_unknown_command_is_not_sent() {
        let error = parse("/quit now").unwrap_err();
        assert_eq!(error, "there is no command /quit; /help lists them, //quit sends it");
    }
}
