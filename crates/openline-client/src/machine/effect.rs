//! What a machine wants done.

use super::State;

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the generation, and what the lines above them say")]
pub enum Effect {
    /// Ask the application for a token, then tell the machine.
    AskToken { generation: u64, why: Why },
    /// Open a transport.
    Open { generation: u64 },
    /// Show the token to the server.
    Auth { generation: u64 },
    /// Requests and subscriptions go out.
    Ready { generation: u64 },
    /// What was under way on the line is to be set aside.
    Unready { generation: u64 },
    /// Requests and subscriptions go on on the line of this generation. The one they come from is
    /// closed with 1000 when it has answered, or this many milliseconds later.
    Move { generation: u64, from: u64, linger: u64 },
    /// Ask the server for a sign of life.
    Ping { generation: u64 },
    /// Close the line with this code, and listen to it no more.
    Abandon { generation: u64, code: u16 },
    /// Tell the application where the line is.
    Status(Status),
}

/// Why a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// A line is to be opened.
    Connect,
    /// The server said that the token had run out; the same one will not do.
    Expired,
    /// The line is open, and its token runs out soon.
    Refresh,
}

/// Where the line is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The state.
    pub state: State,
    /// Failures in a row.
    pub attempt: u32,
    /// In [`State::Waiting`], the milliseconds until the next attempt; none on hold.
    pub delay: Option<u64>,
    /// In [`State::Waiting`] and [`State::Stopped`], the close code that led there.
    pub code: Option<u16>,
    /// And why, for people.
    pub reason: Option<String>,
}
