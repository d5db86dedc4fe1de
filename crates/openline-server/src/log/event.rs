//! An [`Event`], and how it becomes a line.

use std::fmt::{Display, Write as _};
use std::time::SystemTime;

use super::shown::{self, Escape};
use super::timestamp::timestamp;
use crate::config::{LogFormat, LogLevel};

/// What our own text, such as an error of the system, may take of a line.
const OWN_BYTES_MAX: usize = 1_024;

/// Something that happened.
pub(super) struct Event<'a> {
    pub(super) level: LogLevel,
    pub(super) name: &'static str,
    pub(super) message: &'static str,
    pub(super) fields: &'a [(&'static str, Value<'a>)],
}

/// What is told about it.
#[derive(Clone, Copy)]
pub(super) enum Value<'a> {
    /// May have come from a peer, in part or as it is.
    Peer(&'a str),
    /// The server's, the operator's or the system's.
    Own(&'a dyn Display),
    Number(u64),
    Flag(bool),
}

impl Event<'_> {
    /// The line, with its end.
    pub(super) fn line(&self, format: LogFormat, now: SystemTime) -> String {
        let mut line = match format {
            LogFormat::Text => self.text(now),
            LogFormat::Json => self.json(now),
        };
        line.push('\n');
        line
    }

    fn text(&self, now: SystemTime) -> String {
        let level = word(self.level).to_ascii_uppercase();
        let mut line = format!("{} {level:5} {}", timestamp(now), self.message);
        for (name, value) in self.fields {
            line.push(' ');
            line.push_str(name);
            line.push('=');
            value.write(&mut line, Escape::Text);
        }
        line
    }

    fn json(&self, now: SystemTime) -> String {
        let (time, level) = (timestamp(now), word(self.level));
        let (name, message) = (self.name, self.message);
        let mut line = format!(
            r#"{{"time":"{time}","level":"{level}","event":"{name}","message":"{message}""#
        );
        for (name, value) in self.fields {
            line.push_str(",\"");
            line.push_str(name);
            line.push_str("\":");
            value.write(&mut line, Escape::Json);
        }
        line.push('}');
        line
    }
}

impl Value<'_> {
    fn write(&self, line: &mut String, escape: Escape) {
        match self {
            Self::Peer(text) => {
                let text = shown::without_tokens(text);
                shown::quote(&text, shown::PEER_BYTES_MAX, escape, line);
            }
            Self::Own(text) => shown::quote(&text.to_string(), OWN_BYTES_MAX, escape, line),
            Self::Number(number) => write!(line, "{number}").expect("a string takes all text"),
            Self::Flag(flag) => line.push_str(if *flag { "true" } else { "false" }),
        }
    }
}

fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    }
}
