//! What a machine is told.

/// Something that happened. An input changes nothing if it is of another generation than the present one,
/// about a line that is not listened to, or an answer that nobody waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "spec/traces/README.md says what the fields of each input mean")]
pub enum Input {
    /// The application wants a line.
    Start,
    /// The application wants none.
    Stop,
    /// The application gave a token, or there is none to give.
    Token { generation: u64, given: bool },
    /// The application could not get a token just now.
    TokenFailed { generation: u64, reason: String },
    /// The application says that there will be no token.
    TokenRefused { generation: u64, reason: String },
    /// The transport is open.
    Opened { generation: u64 },
    /// The server's first message.
    Welcome {
        generation: u64,
        authenticated: bool,
        ping_interval: Option<u64>,
        retry_spread: Option<u64>,
        expires_in: Option<u64>,
    },
    /// The server took the token.
    Authenticated { generation: u64, expires_in: Option<u64> },
    /// The server did not take the token.
    AuthFailed { generation: u64, code: String, reason: String },
    /// Any message came.
    Heard { generation: u64, retry_spread: Option<u64> },
    /// The server's message `close` came.
    Closing { generation: u64, retry_after: Option<u64> },
    /// The server's push `drain` came.
    Drain { generation: u64, closes_in: Option<u64>, retry_after: Option<u64> },
    /// The line has ended.
    Closed { generation: u64, code: u16, reason: String },
    /// The line may be dead without a word.
    Wake,
    /// The network may have gone: a line is asked for a sign of life, and a delay goes on.
    Doubt,
    /// The page is put away.
    Freeze,
    /// The page was brought back.
    Thaw,
    /// The machine's deadline has come, or it may have.
    Time,
}

/// What an input is an answer to, or is about.
pub(super) enum About {
    Nothing,
    /// A token that was asked for.
    Token,
    /// A line that is listened to.
    Line,
}

impl Input {
    /// The generation that it belongs to, and what it is about.
    pub(super) fn about(&self) -> (u64, About) {
        match self {
            Self::Start
            | Self::Stop
            | Self::Wake
            | Self::Doubt
            | Self::Freeze
            | Self::Thaw
            | Self::Time => (0, About::Nothing),
            Self::Token { generation, .. }
            | Self::TokenFailed { generation, .. }
            | Self::TokenRefused { generation, .. } => (*generation, About::Token),
            Self::Opened { generation }
            | Self::Welcome { generation, .. }
            | Self::Authenticated { generation, .. }
            | Self::AuthFailed { generation, .. }
            | Self::Heard { generation, .. }
            | Self::Closing { generation, .. }
            | Self::Drain { generation, .. }
            | Self::Closed { generation, .. } => (*generation, About::Line),
        }
    }
}
