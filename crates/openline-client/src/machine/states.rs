//! The states of a client's line, and what leads from one to another.
//!
//! Generated from spec/client-states.toml by `cargo run -p tidy --bin states`; do not edit.

/// What the line goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Made, and never started.
    Idle,
    /// A token is asked for, then a line is opened and its welcome awaited.
    Connecting,
    /// The line is open; the server looks at the token.
    Authenticating,
    /// The line is open and was heard from lately.
    Online,
    /// The line is open, but a sign of life is awaited before it is trusted.
    Probing,
    /// The line is open and soon to end; another is opened beside it, and its welcome awaited. To
    /// the application this is `online`.
    Moving,
    /// As `moving`, and the server of the line beside looks at the token.
    Proving,
    /// There is no line; the next attempt has its time.
    Waiting,
    /// There is no line, and none will be opened before the application starts again.
    Stopped,
}

impl State {
    /// All there are.
    pub const ALL: &[Self] = &[
        Self::Idle,
        Self::Connecting,
        Self::Authenticating,
        Self::Online,
        Self::Probing,
        Self::Moving,
        Self::Proving,
        Self::Waiting,
        Self::Stopped,
    ];

    /// Its name in the table and in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Connecting => "connecting",
            Self::Authenticating => "authenticating",
            Self::Online => "online",
            Self::Probing => "probing",
            Self::Moving => "moving",
            Self::Proving => "proving",
            Self::Waiting => "waiting",
            Self::Stopped => "stopped",
        }
    }
}

/// What happened, classified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// The application wants a line.
    Start,
    /// The application wants none.
    Stop,
    /// The token is there, or none is needed.
    Token,
    /// The server's welcome came, and no token is to be shown.
    Welcomed,
    /// The server's welcome came, and a token is to be shown.
    Challenged,
    /// The server accepted the token.
    Authenticated,
    /// Anything came from the server.
    Heard,
    /// Nothing came for the heartbeat interval.
    Quiet,
    /// The page is shown again, the network is back or has gone, or the machine has slept: the line
    /// may be dead without a word.
    Woken,
    /// The token runs out soon.
    Aging,
    /// The server says that the line is soon to end.
    Draining,
    /// The line beside the one in use could not be had.
    Missed,
    /// The line ended before the one beside it could be used.
    Left,
    /// The line or the attempt failed and is to be tried again.
    Lost,
    /// The token ran out, and a fresh one was not tried yet.
    Expired,
    /// The server does not want this client back, or the attempts are used up, or there will be no
    /// token.
    Refused,
    /// The time of the next attempt has come, or a good reason not to wait for it.
    Due,
    /// The page is put away, to be brought back or not.
    Frozen,
    /// The page was brought back.
    Thawed,
}

impl Event {
    /// All there are.
    pub const ALL: &[Self] = &[
        Self::Start,
        Self::Stop,
        Self::Token,
        Self::Welcomed,
        Self::Challenged,
        Self::Authenticated,
        Self::Heard,
        Self::Quiet,
        Self::Woken,
        Self::Aging,
        Self::Draining,
        Self::Missed,
        Self::Left,
        Self::Lost,
        Self::Expired,
        Self::Refused,
        Self::Due,
        Self::Frozen,
        Self::Thawed,
    ];

    /// Its name in the table and in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Token => "token",
            Self::Welcomed => "welcomed",
            Self::Challenged => "challenged",
            Self::Authenticated => "authenticated",
            Self::Heard => "heard",
            Self::Quiet => "quiet",
            Self::Woken => "woken",
            Self::Aging => "aging",
            Self::Draining => "draining",
            Self::Missed => "missed",
            Self::Left => "left",
            Self::Lost => "lost",
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Due => "due",
            Self::Frozen => "frozen",
            Self::Thawed => "thawed",
        }
    }
}

/// What is done on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Act {
    /// A new generation begins: what earlier lines still say is ignored.
    OpenGeneration,
    /// A new generation begins beside that of the line, which stays in use.
    OpenBeside,
    /// The application is asked for a token, and is told why.
    AskToken,
    /// A transport is opened.
    Open,
    /// The token is shown.
    SendAuth,
    /// Requests and subscriptions of the application go out.
    Ready,
    /// What was under way on the line is set aside.
    Unready,
    /// A sign of life is asked for.
    Ping,
    /// Each line that is open is closed from here and not listened to any more.
    Abandon,
    /// The line beside becomes the line: requests and subscriptions go on there, and the one before
    /// is closed when it has answered.
    Move,
    /// The line beside becomes the line that is being opened.
    Adopt,
    /// The line beside is closed from here and not listened to any more.
    Drop,
    /// The time of the next attempt is drawn.
    BackOff,
    /// There is no next attempt until the page is brought back.
    Hold,
}

impl Act {
    /// All there are.
    pub const ALL: &[Self] = &[
        Self::OpenGeneration,
        Self::OpenBeside,
        Self::AskToken,
        Self::Open,
        Self::SendAuth,
        Self::Ready,
        Self::Unready,
        Self::Ping,
        Self::Abandon,
        Self::Move,
        Self::Adopt,
        Self::Drop,
        Self::BackOff,
        Self::Hold,
    ];

    /// Its name in the table and in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenGeneration => "open_generation",
            Self::OpenBeside => "open_beside",
            Self::AskToken => "ask_token",
            Self::Open => "open",
            Self::SendAuth => "send_auth",
            Self::Ready => "ready",
            Self::Unready => "unready",
            Self::Ping => "ping",
            Self::Abandon => "abandon",
            Self::Move => "move",
            Self::Adopt => "adopt",
            Self::Drop => "drop",
            Self::BackOff => "back_off",
            Self::Hold => "hold",
        }
    }
}

/// Where an event leads, and what is done on the way, in this order. None: it changes nothing.
pub const fn transition(from: State, event: Event) -> Option<(State, &'static [Act])> {
    match from {
        State::Idle => from_idle(event),
        State::Connecting => from_connecting(event),
        State::Authenticating => from_authenticating(event),
        State::Online => from_online(event),
        State::Probing => from_probing(event),
        State::Moving => from_moving(event),
        State::Proving => from_proving(event),
        State::Waiting => from_waiting(event),
        State::Stopped => from_stopped(event),
    }
}

const fn from_idle(event: Event) -> Option<(State, &'static [Act])> {
    let (to, acts): (State, &[Act]) = match event {
        Event::Start => (State::Connecting, &[Act::OpenGeneration, Act::AskToken]),
        Event::Stop => (State::Stopped, &[]),
        _ => return None,
    };
    Some((to, acts))
}

const fn from_connecting(event: Event) -> Option<(State, &'static [Act])> {
    let (to, acts): (State, &[Act]) = match event {
        Event::Stop => (State::Stopped, &[Act::Abandon]),
        Event::Token => (State::Connecting, &[Act::Open]),
        Event::Welcomed => (State::Online, &[Act::Ready]),
        Event::Challenged => (State::Authenticating, &[Act::SendAuth]),
        Event::Lost => (State::Waiting, &[Act::Abandon, Act::BackOff]),
        Event::Expired => (State::Connecting, &[Act::Abandon, Act::OpenGeneration, Act::AskToken]),
        Event::Refused => (State::Stopped, &[Act::Abandon]),
        Event::Frozen => (State::Waiting, &[Act::Abandon, Act::Hold]),
        _ => return None,
    };
    Some((to, acts))
}

const fn from_authenticating(event: Event) -> Option<(State, &'static [Act])> {
    let (to, acts): (State, &[Act]) = match event {
        Event::Stop => (State::Stopped, &[Act::Abandon]),
        Event::Authenticated => (State::Online, &[Act::Ready]),
        Event::Lost => (State::Waiting, &[Act::Abandon, Act::BackOff]),
        Event::Expired => (State::Connecting, &[Act::Abandon, Act::OpenGeneration, Act::AskToken]),
        Event::Refused => (State::Stopped, &[Act::Abandon]),
        Event::Frozen => (State::Waiting, &[Act::Abandon, Act::Hold]),
        _ => return None,
    };
    Some((to, acts))
}

const fn from_online(event: Event) -> Option<(State, &'static [Act])> {
    let (to, acts): (State, &[Act]) = match event {
        Event::Stop => (State::Stopped, &[Act::Unready, Act::Abandon]),
        Event::Token => (State::Online, &[Act::SendAuth]),
        Event::Quiet => (State::Probing, &[Act::Ping]),
        Event::Woken => (State::Probing, &[Act::Ping]),
        Event::Aging => (State::Online, &[Act::AskToken]),
        Event::Draining => (State::Moving, &[Act::OpenBeside, Act::AskToken]),
        Event::Lost => (State::Waiting, &[Act::Unready, Act::Abandon, Act::BackOff]),
        Event::Expired => {
            (State::Connecting, &[Act::Unready, Act::Abandon, Act::OpenGeneration, Act::AskToken])
        }
        Event::Refused => (State::Stopped, &[Act::Unready, Act::Abandon]),
        Event::Frozen => (State::Waiting, &[Act::Unready, Act::Abandon, Act::Hold]),
        _ => return None,
    };
    Some((to, acts))
}

const fn from_probing(event: Event) -> Option<(State, &'static [Act])> {
    let (to, acts): (State, &[Act]) = match event {
        Event::Stop => (State::Stopped, &[Act::Unready, Act::Abandon]),
        Event::Token => (State::Probing, &[Act::SendAuth]),
        Event::Heard => (State::Online, &[]),
        Event::Woken => (State::Probing, &[Act::Ping]),
        Event::Aging => (State::Probing, &[Act::AskToken]),
        Event::Lost => (State::Waiting, &[Act::Unready, Act::Abandon, Act::BackOff]),
        Event::Expired => {
            (State::Connecting, &[Act::Unready, Act::Abandon, Act::OpenGeneration, Act::AskToken])
        }
        Event::Refused => (State::Stopped, &[Act::Unready, Act::Abandon]),
        Event::Frozen => (State::Waiting, &[Act::Unready, Act::Abandon, Act::Hold]),
        _ => return None,
    };
    Some((to, acts))
}

const fn from_moving(event: Event) -> Option<(State, &'static [Act])> {
    let (to, acts): (State, &[Act]) = match event {
        Event::Stop => (State::Stopped, &[Act::Unready, Act::Abandon]),
        Event::Token => (State::Moving, &[Act::Open]),
        Event::Welcomed => (State::Online, &[Act::Move]),
        Event::Challenged => (State::Proving, &[Act::SendAuth]),
        Event::Missed => (State::Online, &[Act::Drop]),
        Event::Left => (State::Connecting, &[Act::Unready, Act::Adopt]),
        Event::Refused => (State::Stopped, &[Act::Unready, Act::Abandon]),
        Event::Frozen => (State::Waiting, &[Act::Unready, Act::Abandon, Act::Hold]),
        _ => return None,
    };
    Some((to, acts))
}

const fn from_proving(event: Event) -> Option<(State, &'static [Act])> {
    let (to, acts): (State, &[Act]) = match event {
        Event::Stop => (State::Stopped, &[Act::Unready, Act::Abandon]),
        Event::Authenticated => (State::Online, &[Act::Move]),
        Event::Missed => (State::Online, &[Act::Drop]),
        Event::Left => (State::Authenticating, &[Act::Unready, Act::Adopt]),
        Event::Refused => (State::Stopped, &[Act::Unready, Act::Abandon]),
        Event::Frozen => (State::Waiting, &[Act::Unready, Act::Abandon, Act::Hold]),
        _ => return None,
    };
    Some((to, acts))
}

const fn from_waiting(event: Event) -> Option<(State, &'static [Act])> {
    let (to, acts): (State, &[Act]) = match event {
        Event::Stop => (State::Stopped, &[]),
        Event::Refused => (State::Stopped, &[]),
        Event::Due => (State::Connecting, &[Act::OpenGeneration, Act::AskToken]),
        Event::Frozen => (State::Waiting, &[Act::Hold]),
        Event::Thawed => (State::Connecting, &[Act::OpenGeneration, Act::AskToken]),
        _ => return None,
    };
    Some((to, acts))
}

const fn from_stopped(event: Event) -> Option<(State, &'static [Act])> {
    let (to, acts): (State, &[Act]) = match event {
        Event::Start => (State::Connecting, &[Act::OpenGeneration, Act::AskToken]),
        _ => return None,
    };
    Some((to, acts))
}
