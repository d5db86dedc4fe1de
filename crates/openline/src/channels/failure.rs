//! [`Stop`]: why it ends before its time, with the exit code for each error of the client.

use openline_client::{BuildError, Error};

use crate::exit::{Exit, Failure};

/// Why it ends before its time.
#[derive(Debug)]
pub(super) enum Stop {
    /// Something went wrong.
    Failed {
        /// The code of the error, for programs.
        code: String,
        failure: Failure,
    },
    /// Whoever read the output has seen enough.
    NobodyListens,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        let code = match failure.exit {
            Exit::Usage => "usage",
            Exit::Data => "bad_input",
            Exit::Unavailable => "unavailable",
            Exit::Config => "bad_config",
            _ => "failed",
        };
        Self::Failed { code: code.to_owned(), failure }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        let exit = match &error {
            Error::Timeout | Error::Expired | Error::QueueFull | Error::ConnectionLost => {
                Exit::Unavailable
            }
            Error::TooLarge { .. } | Error::Payload(_) => Exit::Data,
            Error::AlreadySubscribed | Error::Channel(_) => Exit::Usage,
            Error::Unexpected => Exit::Protocol,
            // What the server refuses. The enum may grow, by more of that.
            _ => Exit::Closed,
        };
        let what = match &error {
            Error::Server(refused) => format!("{} [{}]", refused.message, refused.code),
            Error::Stopped { code, reason } => format!("the server ended it: {reason} ({code})"),
            error => error.to_string(),
        };
        Self::Failed { code: error.code().to_owned(), failure: Failure::new(exit, what) }
    }
}

impl From<BuildError> for Stop {
    fn from(error: BuildError) -> Self {
        Failure::new(Exit::Usage, error).into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn each_error_has_its_exit_code_and_keeps_its_own() {
        for (error, exit, code) in [
            (Error::Expired, Exit::Unavailable, "expired"),
            (Error::TooLarge { bytes: 1 }, Exit::Data, "too_large"),
            (Error::AlreadySubscribed, Exit::Usage, "already_subscribed"),
            (Error::Stopped { code: 4002, reason: "no".to_owned() }, Exit::Closed, "stopped"),
        ] {
            let Stop::Failed { code: told, failure } = Stop::from(error) else { panic!("{code}") };
            assert_eq!((told.as_str(), failure.exit), (code, exit));
        }
    }
}
