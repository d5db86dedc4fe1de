//! Where a client is.

use std::time::Duration;

use bytestring::ByteString;

use crate::machine::{self, State};

/// Where a client is, as [`Client::status`](crate::Client::status) shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Status {
    /// What the line goes through.
    pub state: State,
    /// Attempts that failed in a row.
    pub attempt: u32,
    /// In [`State::Waiting`], how long it was until the next attempt when waiting began.
    pub delay: Option<Duration>,
    /// The close code that led here: in [`State::Waiting`] and [`State::Stopped`], and in
    /// [`State::Connecting`] where a line ended and the next is opened at once. 1006 where there was none.
    pub code: Option<u16>,
    /// And why, for people.
    pub reason: Option<String>,
    /// The server's name for the line, while there is one.
    pub client_id: Option<ByteString>,
    /// Whom the server knows on it.
    pub user: Option<ByteString>,
}

/// The server's name for a line, and whom it knows on it.
type Who = (Option<ByteString>, Option<ByteString>);

impl Status {
    pub(crate) fn idle() -> Self {
        Self {
            state: State::Idle,
            attempt: 0,
            delay: None,
            code: None,
            reason: None,
            client_id: None,
            user: None,
        }
    }

    /// Whether the line is open.
    pub fn is_online(&self) -> bool {
        matches!(self.state, State::Online | State::Probing)
    }

    /// Takes over what the machine says. Who the client is lasts as long as its line.
    pub(crate) fn update(&mut self, said: machine::Status, who: Who) {
        let machine::Status { state, attempt, delay, code, reason } = said;
        self.state = state;
        self.attempt = attempt;
        self.delay = delay.map(Duration::from_millis);
        self.code = code;
        self.reason = reason;
        let is_known = matches!(state, State::Authenticating | State::Online | State::Probing);
        (self.client_id, self.user) = if is_known { who } else { (None, None) };
    }
}
