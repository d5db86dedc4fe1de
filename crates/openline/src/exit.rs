//! Exit codes, and the failures that lead to them.

use std::fmt;
use std::process::ExitCode;

/// Makes the type and the text of each code from one table.
macro_rules! exits {
    ($($name:ident = $code:literal, $meaning:literal;)*) => {
        /// How the program ends when it does not end well. Above 63 the codes are those of BSD's
        /// `sysexits.h`, where it has one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Exit {
            $(#[doc = $meaning] $name = $code,)*
        }

        const TABLE: &[(Exit, &str)] = &[$((Exit::$name, $meaning),)*];
    };
}

exits! {
    Closed = 1, "the server refused, or closed the line with a code that means an error";
    Usage = 2, "the arguments are wrong";
    Data = 65, "a line of the input cannot be sent";
    NotResolved = 68, "the host has no address";
    Unavailable = 69, "nothing answers there, or the port is taken";
    Taken = 73, "another server uses the data directory";
    Io = 74, "reading, writing or the connection failed";
    NotTakenOver = 75, "the running server was not taken over from, and goes on";
    Protocol = 76, "the other side does not speak WebSocket, or breaks its rules";
    Tls = 77, "TLS failed: a bad certificate, or no TLS at all";
    Config = 78, "a file or an option cannot be used";
    Interrupted = 130, "a second signal ended it at once, or one did before a file was sent";
}

/// The table as help shows it.
pub(crate) fn help() -> String {
    let rows = TABLE.iter().map(|(exit, meaning)| format!("\n{:>5}  {meaning}", *exit as u8));
    rows.fold("Exit codes:\n    0  it ended well".to_owned(), |help, row| help + &row)
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why the program ends: one line for people, one code for programs.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    what: String,
    hint: Option<&'static str>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl fmt::Display) -> Self {
        Self { exit, what: what.to_string(), hint: None }
    }

    /// Adds what the person may do about it.
    pub(crate) fn hint(self, hint: &'static str) -> Self {
        Self { hint: Some(hint), ..self }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a server or the system said may hold line breaks; a failure is one line.
        f.write_str(&self.what.lines().collect::<Vec<_>>().join(" "))?;
        match self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_of_the_codes_means_success() {
        for (exit, _) in TABLE {
            assert_ne!(*exit as u8, 0);
        }
    }

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::new(Exit::Io, "first\nsecond").hint("try again");
        assert_eq!(failure.to_string(), "first second (try again)");
    }
}
