//! What happens when a user who has a line opens another.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Two lines of a user that begin on two nodes within this time have come at the same time.
const SAME_TIME: Duration = Duration::from_secs(1);

/// The policy for a user's second line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Duplicates {
    /// Both stay.
    #[default]
    Allow,
    /// The older is closed with 4001.
    Replace,
    /// The newer is refused.
    Refuse,
}

/// What a line that has just learned its user must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entrance {
    Open,
    /// Close that other line with 4001; its own [`UserLines::leave`] then changes nothing.
    Replaces(u64),
    /// Do not open: the user has a line.
    Refused,
}

/// What becomes of a user's line when the user has opened another on another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Yield {
    /// There is none.
    Nothing,
    /// This one is to be closed with 4001; its own [`UserLines::leave`] then changes nothing.
    Ends(u64),
    /// Both have come at the same time, and this one stays.
    Stays,
}

/// Which line each user has. Shared by all threads, but touched only when a line learns its user
/// and when it ends; under [`Duplicates::Allow`] it holds nothing. As large as the number of lines.
#[derive(Debug, Default)]
pub(crate) struct UserLines {
    /// A [`Duplicates`].
    policy: AtomicU8,
    /// With the time when it learned whose it is.
    lines: Mutex<HashMap<Arc<str>, (u64, Instant)>>,
}

impl UserLines {
    pub(crate) fn new(policy: Duplicates) -> Self {
        Self { policy: AtomicU8::new(policy as u8), lines: Mutex::default() }
    }

    /// Has another policy hold for lines that learn their user from now on. Under
    /// [`Duplicates::Allow`] nobody was counted, so the first line of a user then is a first one.
    pub(crate) fn set_policy(&self, policy: Duplicates) {
        self.policy.store(policy as u8, Ordering::Relaxed);
    }

    /// Enters the user's line. Entering the same line again (a renewed token) is always open.
    pub(crate) fn enter(&self, user: &Arc<str>, line: u64) -> Entrance {
        let policy = self.policy();
        if policy == Duplicates::Allow {
            return Entrance::Open;
        }
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.get(user) {
            Some((other, _)) if *other == line => Entrance::Open,
            Some(_) if policy == Duplicates::Refuse => Entrance::Refused,
            _ => match lines.insert(user.clone(), (line, Instant::now())) {
                Some((other, _)) => Entrance::Replaces(other),
                None => Entrance::Open,
            },
        }
    }

    /// Whether a user's new line ends those on other nodes.
    pub(crate) fn replaces(&self) -> bool {
        self.policy() == Duplicates::Replace
    }

    /// The user has a line on another node now. Of two that come at the same time the other stays if
    /// `other_wins`.
    pub(crate) fn yield_line(&self, user: &str, other_wins: bool) -> Yield {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        match lines.get(user) {
            None => Yield::Nothing,
            Some((_, since)) if since.elapsed() < SAME_TIME && !other_wins => Yield::Stays,
            Some((line, _)) => {
                let line = *line;
                lines.remove(user);
                Yield::Ends(line)
            }
        }
    }

    /// Whether this is the user's line.
    #[cfg(test)]
    pub(crate) fn has(&self, user: &str, line: u64) -> bool {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.get(user).is_some_and(|(own, _)| *own == line)
    }

    /// Takes the line out, if it is still the user's.
    pub(crate) fn leave(&self, user: &str, line: u64) {
        // What was entered under another policy leaves under any.
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.get(user).is_some_and(|(own, _)| *own == line) {
            lines.remove(user);
        }
    }
}

impl UserLines {
    fn policy(&self) -> Duplicates {
        let policy = self.policy.load(Ordering::Relaxed);
        let all = [Duplicates::Allow, Duplicates::Replace, Duplicates::Refuse];
        all.into_iter().find(|one| *one as u8 == policy).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allow_lets_all_in_and_keeps_nothing() {
        let lines = UserLines::new(Duplicates::Allow);
        let user = "u".into();
        assert_eq!(lines.enter(&user, 1), Entrance::Open);
        assert_eq!(lines.enter(&user, 2), Entrance::Open);
        assert!(lines.lines.lock().unwrap().is_empty());
    }

    #[test]
    fn replace_names_the_older_line_whose_leaving_changes_nothing() {
        let lines = UserLines::new(Duplicates::Replace);
        let user = "u".into();
        assert_eq!(lines.enter(&user, 1), Entrance::Open);
        assert_eq!(lines.enter(&user, 1), Entrance::Open);
        assert_eq!(lines.enter(&user, 2), Entrance::Replaces(1));
        lines.leave("u", 1);
        assert_eq!(lines.enter(&user, 3), Entrance::Replaces(2));
        lines.leave("u", 3);
        assert_eq!(lines.enter(&user, 4), Entrance::Open);
        assert_eq!(lines.enter(&"v".into(), 5), Entrance::Open);
    }

    #[test]
    fn another_policy_holds_from_then_on_and_leaves_nothing_behind() {
        let lines = UserLines::new(Duplicates::Allow);
        let user = "u".into();
        assert_eq!(lines.enter(&user, 1), Entrance::Open);
        lines.set_policy(Duplicates::Refuse);
        assert_eq!(lines.enter(&user, 2), Entrance::Open, "nobody knows of the first");
        assert_eq!(lines.enter(&user, 3), Entrance::Refused);
        lines.set_policy(Duplicates::Allow);
        lines.leave("u", 2);
        assert!(lines.lines.lock().unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_yields_to_a_later_one_elsewhere_and_of_two_at_once_one_stays() {
        let lines = UserLines::new(Duplicates::Replace);
        assert_eq!(lines.yield_line("u", true), Yield::Nothing);
        lines.enter(&"u".into(), 1);
        assert_eq!(lines.yield_line("u", false), Yield::Stays);
        assert_eq!(lines.yield_line("u", true), Yield::Ends(1));
        assert_eq!(lines.yield_line("u", true), Yield::Nothing);
        lines.enter(&"u".into(), 2);
        tokio::time::advance(SAME_TIME).await;
        assert_eq!(lines.yield_line("u", false), Yield::Ends(2));
    }

    #[test]
    fn refuse_keeps_the_older_line_until_it_leaves() {
        let lines = UserLines::new(Duplicates::Refuse);
        let user = "u".into();
        assert_eq!(lines.enter(&user, 1), Entrance::Open);
        assert_eq!(lines.enter(&user, 2), Entrance::Refused);
        lines.leave("u", 2);
        assert_eq!(lines.enter(&user, 3), Entrance::Refused);
        lines.leave("u", 1);
        assert_eq!(lines.enter(&user, 3), Entrance::Open);
    }
}
