//! What was taken back before its time, as one process tells the next.

use super::talk::{RevokedEntry, RevokedKind, Step};
use crate::auth::{Revocations, Subject};

/// Entries of one step. A name has at most 255 bytes, and six times that if all are escaped.
const ENTRIES_TOGETHER: usize = 500;

/// All that is taken back at this time, in steps; none if nothing is.
pub(super) fn steps(revocations: &Revocations, now: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut after: Option<Subject> = None;
    loop {
        let (page, more) = revocations.page(after.as_ref(), ENTRIES_TOGETHER, now);
        after = page.last().map(|(subject, ..)| subject.clone());
        if !page.is_empty() {
            let entries =
                page.into_iter().map(|(subject, since, until)| entry(subject, since, until));
            steps.push(Step::Revoked { entries: entries.collect() });
        }
        if !more {
            return steps;
        }
    }
}

/// Takes down what the process before had; returns whether some of it was new. What does not fit is
/// passed over, as it is where nodes tell each other.
pub(super) fn take_down(revocations: &Revocations, entries: &[RevokedEntry]) -> bool {
    let mut is_news = false;
    for RevokedEntry { kind, name, since, until } in entries {
        let name = name.as_str().into();
        let subject = match kind {
            RevokedKind::Token => Subject::Token(name),
            RevokedKind::User => Subject::User(name),
            RevokedKind::Client => Subject::Client(name),
        };
        if !revocations.has(&subject, *since, *until) {
            is_news |= revocations.revoke(subject, *since, *until).is_ok();
        }
    }
    is_news
}

fn entry(subject: Subject, since: u64, until: u64) -> RevokedEntry {
    let (kind, name) = match subject {
        Subject::Token(name) => (RevokedKind::Token, name),
        Subject::User(name) => (RevokedKind::User, name),
        Subject::Client(name) => (RevokedKind::Client, name),
    };
    RevokedEntry { kind, name: name.as_ref().to_owned(), since, until }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn all_of_it_goes_over_once_each() {
        let (old, new) = (Revocations::default(), Revocations::default());
        for number in 0..2_500 {
            let name = format!("user-{number}").as_str().into();
            old.revoke(Subject::User(name), 100, 1_000).unwrap();
        }
        old.revoke(Subject::Token("t".into()), 100, 150).unwrap();
        old.revoke(Subject::Client("c".into()), 100, 1_000).unwrap();
        let steps = steps(&old, 200);
        assert_eq!(steps.len(), 6);
        for _ in 0..2 {
            for step in &steps {
                let Step::Revoked { entries } = step else { panic!("{step:?}") };
                take_down(&new, entries);
            }
        }
        assert_eq!(new.page(None, 10_000, 200), old.page(None, 10_000, 200));
        assert_eq!(new.page(None, 10_000, 200).0.len(), 2_501, "one is over");
        assert_eq!(new.generation(), 2_501, "the second time changes nothing");
        assert_eq!(super::steps(&Revocations::default(), 0), []);
    }
}
