//! Failures: whether to come back after one, and when.

use openline_protocol::close::{DUPLICATE, Policy, policy};

use super::{Cause, Event, Machine, Turn, Why};

impl Machine {
    /// The line ended with a code, or is taken to have.
    pub(super) fn closed(&mut self, mut cause: Cause, turn: &mut Turn<'_>) {
        self.forget_failures(turn.now);
        // A server that wants one line of each user ends the one before for the one beside it.
        let is_displaced = cause.code == DUPLICATE;
        match policy(Some(cause.code)) {
            policy if self.beside.is_some() && (policy != Policy::Stop || is_displaced) => {
                turn.cause = cause;
                self.take(Event::Left, turn);
            }
            Policy::Stop => {
                turn.cause = cause;
                self.take(Event::Refused, turn);
            }
            Policy::Retry => self.fail(cause, turn),
            Policy::RetryLater => {
                cause.is_later = true;
                self.fail(cause, turn);
            }
            Policy::NewToken => {
                self.why = Why::Expired;
                if std::mem::replace(&mut self.fresh_tried, true) {
                    return self.fail(cause, turn);
                }
                turn.cause = cause;
                self.take(Event::Expired, turn);
            }
        }
    }

    /// The line or the attempt failed.
    pub(super) fn fail(&mut self, cause: Cause, turn: &mut Turn<'_>) {
        if (self.table)(self.state, Event::Lost).is_none() {
            return;
        }
        turn.cause = cause;
        self.forget_failures(turn.now);
        match self.options.attempts_max {
            Some(max) if self.attempt >= max => {
                turn.cause.reason = format!("gave up after {max} attempts");
                self.take(Event::Refused, turn);
            }
            _ => self.take(Event::Lost, turn),
        }
    }

    /// Draws the time of the next attempt. The chance is applied after the bound: clients that were
    /// lost together drift apart and stay apart.
    pub(super) fn back_off(&mut self, was_open: bool, turn: &mut Turn<'_>) {
        let options = &self.options;
        let spread = self.spread.unwrap_or(options.delay_base * 2) as f64;
        let (floor, bound) = match self.line.retry_after {
            Some(time) => (time, spread),
            None if turn.cause.is_later => (options.delay_later, spread),
            None if was_open && self.attempt == 1 => (0, spread),
            None => {
                let grown =
                    spread / 2.0 * 2_f64.powi(self.attempt.saturating_sub(1).min(64) as i32);
                (0, grown.min(options.delay_max as f64))
            }
        };
        self.is_bound = self.line.retry_after.is_some() || turn.cause.is_later;
        let delay = floor.saturating_add(((turn.random)() * bound) as u64);
        turn.delay = Some(delay);
        self.due_at = turn.now.saturating_add(delay);
    }
}
