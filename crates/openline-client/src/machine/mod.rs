//! What a client's line goes through, without sockets: time and chance are arguments.
//!
//! [`Machine::handle_input`] takes what happened and gives what is to be done; [`Machine::deadline`]
//! says when it wants [`Input::Time`] at the latest. `docs/client-states.md` explains the machine,
//! `spec/traces` holds it to the one of the TypeScript SDK.

mod backoff;
mod effect;
mod input;
mod line;
mod options;
mod states;
#[cfg(test)]
mod traces;

use input::About;
use line::{LINGER_MS, Line};
use openline_protocol::close::{INVALID_AUTH, SESSION_EXPIRED};

pub use effect::{Effect, Status, Why};
pub use input::Input;
pub use options::Options;
pub use states::{Act, Event, State, transition};

/// After what time a token that could not be renewed is asked for again.
const RENEWAL_RETRY_MS: u64 = 5_000;
/// A deadline that was passed by more than this was slept through.
const SLEPT_MS: u64 = 2_000;

type Table = fn(State, Event) -> Option<(State, &'static [Act])>;

/// The machine of one client. Times are in milliseconds of any clock that does not go backwards.
#[derive(Debug)]
pub struct Machine {
    options: Options,
    table: Table,
    state: State,
    /// That of the newest line.
    generation: u64,
    line: Line,
    /// The one that is opened beside it, while it moves.
    beside: Option<Line>,
    /// When it last began to move.
    moved_at: Option<u64>,
    /// `pingInterval` of the last welcome.
    ping_interval: Option<u64>,
    /// Failures in a row.
    attempt: u32,
    /// `retrySpread` as last heard.
    spread: Option<u64>,
    /// In [`State::Waiting`], when the next attempt is due if it is not on hold.
    due_at: u64,
    on_hold: bool,
    /// Whether the server said when to come, or not soon; then a wake does not end the delay.
    is_bound: bool,
    /// When a wake last ended a delay.
    nudged_at: Option<u64>,
    /// Whether the token ran out, and no line has become stable since.
    fresh_tried: bool,
    /// Why the next token is asked for.
    why: Why,
}

/// What led to an event.
#[derive(Debug, Default, Clone)]
struct Cause {
    code: u16,
    reason: String,
    is_later: bool,
}

impl Cause {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into(), ..Self::default() }
    }
}

/// What one input does.
struct Turn<'a> {
    now: u64,
    random: &'a mut dyn FnMut() -> f64,
    effects: Vec<Effect>,
    cause: Cause,
    /// Whether the status is to be told though the state is the same.
    is_news: bool,
    delay: Option<u64>,
}

impl Machine {
    /// One that was never started.
    pub fn new(options: Options) -> Self {
        Self::with_table(options, transition)
    }

    fn with_table(options: Options, table: Table) -> Self {
        Self {
            options,
            table,
            state: State::Idle,
            generation: 0,
            line: Line::default(),
            beside: None,
            moved_at: None,
            ping_interval: None,
            attempt: 0,
            spread: None,
            due_at: 0,
            on_hold: false,
            is_bound: false,
            nudged_at: None,
            fresh_tried: false,
            why: Why::Connect,
        }
    }

    /// Where it is.
    pub fn state(&self) -> State {
        self.state
    }

    /// The number of the newest generation; 0 before the first.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// When [`Input::Time`] is to be given at the latest, if nothing else happens before.
    pub fn deadline(&self) -> Option<u64> {
        match self.state {
            State::Idle | State::Stopped => None,
            State::Connecting | State::Authenticating => Some(self.line.phase_ends_at),
            State::Online => Some(self.quiet_at().min(self.aging_at())),
            State::Probing => Some(self.line.phase_ends_at.min(self.aging_at())),
            State::Moving | State::Proving => self.beside.as_ref().map(|line| line.phase_ends_at),
            State::Waiting => (!self.on_hold).then_some(self.due_at),
        }
    }

    /// Takes what happened at `now`, and gives what is to be done, in this order. `random` gives a
    /// number from 0 to below 1, at most once for each input.
    pub fn handle_input(
        &mut self,
        now: u64,
        input: Input,
        random: &mut dyn FnMut() -> f64,
    ) -> Vec<Effect> {
        let cause = Cause::default();
        let mut turn =
            Turn { now, random, effects: Vec::new(), cause, is_news: false, delay: None };
        if !self.concerns(&input) {
            return turn.effects;
        }
        let before = self.told_state();
        self.classify(input, &mut turn);
        if self.told_state() != before || turn.is_news {
            turn.effects.push(Effect::Status(self.status(turn.delay, turn.cause)));
        }
        turn.effects
    }

    /// Whether somebody waits for this answer, and listens to this line.
    fn concerns(&mut self, input: &Input) -> bool {
        let (generation, about) = input.about();
        let of = |line: &Line| line.is_open && line.generation == generation;
        match (about, &self.beside) {
            (About::Nothing, _) => true,
            (About::Token, _) => {
                let line = self.newest();
                generation == line.generation && std::mem::take(&mut line.is_asked)
            }
            (About::Line, None) => of(&self.line),
            // While it moves, the line in use is only watched for its end, and the other has none to come.
            (About::Line, Some(beside)) => match input {
                Input::Closed { .. } => of(&self.line) || of(beside),
                Input::Closing { .. } => of(&self.line),
                Input::Drain { .. } => false,
                _ => of(beside),
            },
        }
    }

    /// Whether the line beside the one in use could not be had. Then nothing else is to be made of it.
    fn is_missed(&mut self, input: &Input) -> bool {
        let Some(beside) = &mut self.beside else { return false };
        match input {
            Input::TokenFailed { .. } | Input::TokenRefused { .. } | Input::AuthFailed { .. } => {
                true
            }
            Input::Closed { generation, .. } if *generation == beside.generation => {
                beside.is_open = false;
                true
            }
            _ => false,
        }
    }

    /// What the application is told: that it moves is nothing to it, as long as it has a line.
    fn told_state(&self) -> State {
        match self.state {
            State::Moving | State::Proving => State::Online,
            state => state,
        }
    }

    fn status(&self, delay: Option<u64>, cause: Cause) -> Status {
        let told = Some(cause).filter(|cause| cause.code != 0);
        let (code, reason) = told.map(|cause| (cause.code, cause.reason)).unzip();
        Status { state: self.told_state(), attempt: self.attempt, delay, code, reason }
    }

    /// Gives the input the name of an event.
    fn classify(&mut self, input: Input, turn: &mut Turn<'_>) {
        if self.is_missed(&input) {
            return self.take(Event::Missed, turn);
        }
        match input {
            Input::Start => self.start(turn),
            Input::Stop => {
                turn.cause = Cause::new(1000, "stopped by the application");
                self.take(Event::Stop, turn);
            }
            Input::Token { given, .. } => self.token(given, turn),
            Input::TokenFailed { reason, .. } => {
                if self.is_settled() {
                    self.line.aging_at = Some(turn.now + RENEWAL_RETRY_MS);
                } else {
                    self.fail(Cause::new(1006, reason), turn);
                }
            }
            Input::TokenRefused { reason, .. } => {
                turn.cause = Cause::new(1006, reason);
                self.take(Event::Refused, turn);
            }
            Input::Opened { .. } => {}
            Input::Welcome { authenticated, ping_interval, retry_spread, expires_in, .. } => {
                self.hear_spread(retry_spread);
                if !matches!(self.state, State::Connecting | State::Moving) {
                    return;
                }
                self.ping_interval = ping_interval.filter(|time| *time > 0);
                self.expires(expires_in, turn.now);
                let challenged = self.newest().has_token && !authenticated;
                self.take(if challenged { Event::Challenged } else { Event::Welcomed }, turn);
            }
            Input::Authenticated { expires_in, .. } => {
                self.take(Event::Authenticated, turn);
                if self.is_settled() {
                    self.expires(expires_in, turn.now);
                }
            }
            Input::AuthFailed { code, reason, .. } => self.auth_failed(&code, reason, turn),
            Input::Heard { retry_spread, .. } => {
                self.hear_spread(retry_spread);
                self.line.heard_at = turn.now;
                self.take(Event::Heard, turn);
            }
            Input::Closing { retry_after, .. } => {
                self.line.retry_after = retry_after.or(self.line.retry_after);
            }
            Input::Drain { closes_in, retry_after, .. } => {
                self.drain(closes_in, retry_after, turn);
            }
            Input::Closed { code, reason, .. } => {
                self.line.is_open = false;
                self.closed(Cause::new(code, reason), turn);
            }
            Input::Wake => self.wake(turn),
            Input::Doubt => self.take(Event::Woken, turn),
            Input::Freeze => {
                turn.cause = Cause::new(1001, "the page was put away");
                self.take(Event::Frozen, turn);
            }
            Input::Thaw if self.on_hold => self.take(Event::Thawed, turn),
            Input::Thaw => self.wake(turn),
            Input::Time => self.time(turn),
        }
    }

    fn start(&mut self, turn: &mut Turn<'_>) {
        if (self.table)(self.state, Event::Start).is_some() {
            self.attempt = 0;
            self.fresh_tried = false;
        }
        self.take(Event::Start, turn);
    }

    fn hear_spread(&mut self, spread: Option<u64>) {
        self.spread = spread.filter(|time| *time > 0).or(self.spread);
    }

    /// Moves at most once in the time in which a line becomes stable, or servers could chase it about.
    fn drain(&mut self, closes_in: Option<u64>, retry_after: Option<u64>, turn: &mut Turn<'_>) {
        self.line.retry_after = retry_after.or(self.line.retry_after);
        self.line.ends_at = turn.now.saturating_add(closes_in.unwrap_or(LINGER_MS));
        let soon = |at: u64| turn.now < at + self.options.stable_after;
        if !self.moved_at.is_some_and(soon) {
            self.take(Event::Draining, turn);
        }
    }

    fn token(&mut self, given: bool, turn: &mut Turn<'_>) {
        if !self.is_settled() {
            self.newest().has_token = given;
        } else if !given {
            return;
        }
        self.take(Event::Token, turn);
    }

    fn auth_failed(&mut self, code: &str, reason: String, turn: &mut Turn<'_>) {
        match (self.is_open(), code) {
            (true, "unavailable") => self.line.aging_at = Some(turn.now + RENEWAL_RETRY_MS),
            // The server closes the line; the code of that decides.
            (true, _) => {}
            (false, "unavailable") => self.fail(Cause::new(1006, reason), turn),
            (false, "token_expired") => {
                self.closed(Cause::new(SESSION_EXPIRED, reason), turn);
            }
            (false, _) => self.closed(Cause::new(INVALID_AUTH, reason), turn),
        }
    }

    fn wake(&mut self, turn: &mut Turn<'_>) {
        if self.state != State::Waiting {
            return self.take(Event::Woken, turn);
        }
        let soon = |at: u64| turn.now < at + self.options.nudge_interval;
        if self.is_bound || self.on_hold || self.nudged_at.is_some_and(soon) {
            return;
        }
        self.nudged_at = Some(turn.now);
        self.take(Event::Due, turn);
    }

    fn time(&mut self, turn: &mut Turn<'_>) {
        if self.deadline().is_none_or(|deadline| turn.now < deadline) {
            return;
        }
        match self.state {
            State::Idle | State::Stopped => {}
            State::Waiting => self.take(Event::Due, turn),
            State::Connecting | State::Authenticating => {
                let reason = format!("no answer within {} ms", self.options.connect_timeout);
                self.fail(Cause::new(1006, reason), turn);
            }
            State::Online => {
                if turn.now >= self.quiet_at() {
                    self.take(Event::Quiet, turn);
                }
                self.age(turn);
            }
            State::Moving | State::Proving => {
                let ended_at = self.newest().phase_ends_at;
                self.take(Event::Missed, turn);
                if turn.now > ended_at + SLEPT_MS {
                    self.take(Event::Woken, turn);
                }
            }
            State::Probing if turn.now < self.line.phase_ends_at => self.age(turn),
            State::Probing => {
                let slept = turn.now > self.line.phase_ends_at + SLEPT_MS;
                if slept && !self.line.asked_again {
                    self.take(Event::Woken, turn);
                    self.line.asked_again = true;
                    return self.age(turn);
                }
                let reason = format!("nothing heard for {} ms", self.line.wait);
                self.fail(Cause::new(1006, reason), turn);
            }
        }
    }

    fn age(&mut self, turn: &mut Turn<'_>) {
        if self.is_settled() && turn.now >= self.aging_at() {
            self.take(Event::Aging, turn);
        }
    }
}
