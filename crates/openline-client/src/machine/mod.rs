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
use line::Line;
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
    generation: u64,
    line: Line,
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

    /// The number of the present generation; 0 before the first.
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
        let before = self.state;
        self.classify(input, &mut turn);
        if self.state != before || turn.is_news {
            turn.effects.push(Effect::Status(self.status(turn.delay, turn.cause)));
        }
        turn.effects
    }

    /// Whether somebody waits for this answer, and listens to this line.
    fn concerns(&mut self, input: &Input) -> bool {
        let (generation, about) = input.about();
        match about {
            About::Nothing => true,
            About::Token => {
                generation == self.generation && std::mem::take(&mut self.line.is_asked)
            }
            About::Line => generation == self.generation && self.line.is_open,
        }
    }

    fn status(&self, delay: Option<u64>, cause: Cause) -> Status {
        let told = matches!(self.state, State::Waiting | State::Stopped).then_some(cause);
        let (code, reason) = told.map(|cause| (cause.code, cause.reason)).unzip();
        Status { state: self.state, attempt: self.attempt, delay, code, reason }
    }

    /// Gives the input the name of an event.
    fn classify(&mut self, input: Input, turn: &mut Turn<'_>) {
        match input {
            Input::Start => self.start(turn),
            Input::Stop => {
                turn.cause = Cause::new(1000, "stopped by the application");
                self.take(Event::Stop, turn);
            }
            Input::Token { given, .. } => self.token(given, turn),
            Input::TokenFailed { reason, .. } => {
                if self.is_open() {
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
                if self.state != State::Connecting {
                    return;
                }
                self.line.ping_interval = ping_interval.filter(|time| *time > 0);
                self.expires(expires_in, turn.now);
                let challenged = self.line.has_token && !authenticated;
                self.take(if challenged { Event::Challenged } else { Event::Welcomed }, turn);
            }
            Input::Authenticated { expires_in, .. } => {
                self.take(Event::Authenticated, turn);
                if self.is_open() {
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

    fn token(&mut self, given: bool, turn: &mut Turn<'_>) {
        if !self.is_open() {
            self.line.has_token = given;
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
        if self.is_open() && turn.now >= self.aging_at() {
            self.take(Event::Aging, turn);
        }
    }
}
