//! What a machine knows of the line of the present generation, and what it does to it.

use super::{Act, Effect, Event, Machine, RENEWAL_RETRY_MS, State, Turn, Why};

/// The quiet before a sign of life is asked for, where nobody says anything else.
const PING_INTERVAL_MS: u64 = 25_000;

/// What is known of a line. It begins anew with each generation.
#[derive(Debug, Default)]
pub(super) struct Line {
    pub(super) generation: u64,
    /// Whether a transport was opened and has not ended by itself.
    pub(super) is_open: bool,
    /// Whether a token was asked for and not given yet.
    pub(super) is_asked: bool,
    pub(super) has_token: bool,
    /// When the line went online.
    pub(super) online_since: Option<u64>,
    pub(super) heard_at: u64,
    /// When connecting, authenticating or probing is to be given up.
    pub(super) phase_ends_at: u64,
    /// How long a sign of life is waited for now.
    pub(super) wait: u64,
    /// Whether a sign of life was asked for once more, because the machine slept.
    pub(super) asked_again: bool,
    /// When a new token is to be asked for.
    pub(super) aging_at: Option<u64>,
    /// What the server said in `close`, or in `drain`.
    pub(super) retry_after: Option<u64>,
    /// When the server closes it, as it said in `drain`.
    pub(super) ends_at: u64,
}

impl Line {
    pub(super) fn new(generation: u64) -> Self {
        Self { generation, ..Self::default() }
    }

    fn abandon(&mut self, code: u16, effects: &mut Vec<Effect>) {
        if std::mem::take(&mut self.is_open) {
            effects.push(Effect::Abandon { generation: self.generation, code });
        }
    }
}

impl Machine {
    /// Looks the event up, and does what the table says.
    pub(super) fn take(&mut self, event: Event, turn: &mut Turn<'_>) {
        let Some((to, acts)) = (self.table)(self.state, event) else { return };
        let was_open = self.is_open();
        if !is_open(to) {
            self.forget_failures(turn.now);
        }
        if event == Event::Lost {
            self.attempt += 1;
        }
        for act in acts {
            self.act(*act, event, was_open, turn);
        }
        self.enter(to, event, turn.now);
    }

    /// A line that was open for a while shows that all is well.
    pub(super) fn forget_failures(&mut self, now: u64) {
        if self.was_stable(now) {
            self.attempt = 0;
            self.fresh_tried = false;
        }
    }

    fn was_stable(&self, now: u64) -> bool {
        let since = self.line.online_since.filter(|_| self.is_open());
        since.is_some_and(|since| now >= since + self.options.stable_after)
    }

    fn act(&mut self, act: Act, event: Event, was_open: bool, turn: &mut Turn<'_>) {
        match act {
            Act::OpenGeneration => {
                self.line = Line::new(self.next_generation());
                turn.is_news = true;
            }
            Act::OpenBeside => {
                self.line.is_asked = false;
                self.line.aging_at = None;
                self.beside = Some(Line::new(self.next_generation()));
                self.moved_at = Some(turn.now);
            }
            Act::AskToken => {
                let asked = std::mem::replace(&mut self.why, Why::Connect);
                let why = if event == Event::Aging { Why::Refresh } else { asked };
                let line = self.newest();
                line.is_asked = true;
                line.aging_at = None;
                turn.effects.push(Effect::AskToken { generation: line.generation, why });
            }
            Act::Open => {
                let line = self.newest();
                line.is_open = true;
                turn.effects.push(Effect::Open { generation: line.generation });
            }
            Act::SendAuth => {
                turn.effects.push(Effect::Auth { generation: self.newest().generation });
            }
            Act::Ready => turn.effects.push(Effect::Ready { generation: self.line.generation }),
            Act::Unready => {
                turn.effects.push(Effect::Unready { generation: self.line.generation });
            }
            Act::Move => self.move_over(turn),
            Act::Adopt => {
                if let Some(beside) = self.beside.take() {
                    self.line = beside;
                }
            }
            Act::Drop => {
                if let Some(mut beside) = self.beside.take() {
                    beside.abandon(ABANDONED, &mut turn.effects);
                }
            }
            Act::Ping => {
                self.wait_for_sign(event, turn.now);
                turn.effects.push(Effect::Ping { generation: self.line.generation });
            }
            Act::Abandon => {
                let code = match event {
                    Event::Stop => 1000,
                    Event::Frozen => 1001,
                    _ => ABANDONED,
                };
                self.line.abandon(code, &mut turn.effects);
                if let Some(mut beside) = self.beside.take() {
                    beside.abandon(code, &mut turn.effects);
                }
            }
            Act::BackOff => self.back_off(was_open, turn),
            Act::Hold => {
                self.on_hold = true;
                turn.is_news = true;
            }
        }
    }

    fn move_over(&mut self, turn: &mut Turn<'_>) {
        let Some(beside) = self.beside.take() else { return };
        self.forget_failures(turn.now);
        let from = std::mem::replace(&mut self.line, beside);
        let linger = from.ends_at.saturating_sub(turn.now).min(LINGER_MS);
        let (generation, from) = (self.line.generation, from.generation);
        turn.is_news = true;
        turn.effects.push(Effect::Move { generation, from, linger });
    }

    fn next_generation(&mut self) -> u64 {
        self.generation += 1;
        self.generation
    }

    /// The line that is being opened, or the only one.
    pub(super) fn newest(&mut self) -> &mut Line {
        self.beside.as_mut().unwrap_or(&mut self.line)
    }

    /// Somebody who wakes it again and again does not put off the end of a dead line.
    fn wait_for_sign(&mut self, event: Event, now: u64) {
        let wait = match event {
            Event::Quiet => self.options.heartbeat_timeout,
            _ => self.options.wake_timeout,
        };
        let ends_at = self.line.phase_ends_at;
        if self.state != State::Probing || now >= ends_at || now + wait < ends_at {
            self.line.wait = wait;
            self.line.phase_ends_at = now + wait;
        }
    }

    fn enter(&mut self, to: State, event: Event, now: u64) {
        let from = std::mem::replace(&mut self.state, to);
        match to {
            State::Connecting if from != State::Connecting || event == Event::Expired => {
                self.line.phase_ends_at = now + self.options.connect_timeout;
            }
            State::Authenticating => self.line.phase_ends_at = now + self.options.connect_timeout,
            State::Moving | State::Proving if from != to => {
                self.newest().phase_ends_at = now + self.options.connect_timeout;
            }
            State::Online if event == Event::Missed => self.line.heard_at = now,
            State::Online if !matches!(from, State::Online | State::Probing) => {
                self.line.online_since = Some(now);
                self.line.heard_at = now;
            }
            State::Probing if from != State::Probing => self.line.asked_again = false,
            _ => {}
        }
        if to != State::Waiting {
            self.on_hold = false;
        }
    }

    /// Whether there is a line to speak on.
    pub(super) fn is_open(&self) -> bool {
        is_open(self.state)
    }

    /// Whether there is a line, and none beside it.
    pub(super) fn is_settled(&self) -> bool {
        self.is_open() && self.beside.is_none()
    }

    /// A token that is known to run out is renewed when nine tenths of its time are over, and not at once.
    pub(super) fn expires(&mut self, expires_in: Option<u64>, now: u64) {
        let known = expires_in.filter(|time| *time > 0);
        let after = known.map(|time| (time - time.div_ceil(10)).max(RENEWAL_RETRY_MS));
        self.newest().aging_at = after.map(|after| now.saturating_add(after));
    }

    pub(super) fn quiet_at(&self) -> u64 {
        let interval = self.options.heartbeat_interval.or(self.ping_interval);
        self.line.heard_at + interval.unwrap_or(PING_INTERVAL_MS)
    }

    pub(super) fn aging_at(&self) -> u64 {
        self.line.aging_at.unwrap_or(u64::MAX)
    }
}

fn is_open(state: State) -> bool {
    matches!(state, State::Online | State::Probing | State::Moving | State::Proving)
}

/// How long a line that was moved from may take to answer.
pub(super) const LINGER_MS: u64 = 5_000;
/// A code that no server sends: the line was given up from here.
const ABANDONED: u16 = 4900;
