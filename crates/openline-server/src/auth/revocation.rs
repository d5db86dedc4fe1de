//! What was taken back before its time: tokens, users, clients.
//!
//! New tokens are checked when they come. For live lines, each thread remembers the
//! [`Revocations::generation`] it last saw and, when a tick finds another, checks its lines.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::Identity;

/// The most entries at a time.
const ENTRIES_MAX: usize = 100_000;
/// The longest name, in bytes: as long as a token's claims may be.
const NAME_BYTES_MAX: usize = 255;

/// What is taken back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// The token with this `jti`.
    Token(Arc<str>),
    /// The user's tokens that were issued until now, and those that do not say when. With a newer
    /// one the user is welcome. "Until now" compares the issuer's clock with ours: if it runs ahead,
    /// tokens of the last seconds pass as newer.
    User(Arc<str>),
    /// The line or session with this client id.
    Client(Arc<str>),
}

/// What was taken back.
#[derive(Default)]
pub(crate) struct Revocations {
    generation: AtomicU64,
    table: RwLock<Table>,
}

#[derive(Default)]
struct Table {
    tokens: HashMap<Arc<str>, Entry>,
    users: HashMap<Arc<str>, Entry>,
    clients: HashMap<Arc<str>, Entry>,
}

#[derive(Clone, Copy)]
struct Entry {
    /// In seconds since 1970, as all times here.
    since: u64,
    until: u64,
}

/// Why a revocation was not taken down. It is not in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RevocationsFull {
    /// There are as many as there may be, and dropping one would let someone back in.
    Full,
    /// Nobody can have this name.
    Name,
}

impl Revocations {
    /// Takes something back from now on until `until`, by when all its tokens should have
    /// expired. Again for the same subject keeps the later end.
    pub(crate) fn revoke(
        &self,
        subject: Subject,
        now: u64,
        until: u64,
    ) -> Result<(), RevocationsFull> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let (Subject::Token(name) | Subject::User(name) | Subject::Client(name)) = &subject;
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(RevocationsFull::Name);
        }
        let name = name.clone();
        if table.len() >= ENTRIES_MAX && !table.of(&subject).contains_key(&name) {
            table.forget(now);
            if table.len() >= ENTRIES_MAX {
                return Err(RevocationsFull::Full);
            }
        }
        let entry = table.of(&subject).entry(name).or_insert(Entry { since: now, until });
        *entry = Entry { since: entry.since.max(now), until: entry.until.max(until) };
        drop(table);
        // After the entry: whoever sees the new number finds the entry.
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Whether this subject is taken back at least from then and until then.
    pub(crate) fn has(&self, subject: &Subject, since: u64, until: u64) -> bool {
        let table = self.read();
        let entry = match subject {
            Subject::Token(name) => table.tokens.get(name),
            Subject::User(name) => table.users.get(name),
            Subject::Client(name) => table.clients.get(name),
        };
        entry.is_some_and(|entry| entry.since >= since && entry.until >= until)
    }

    /// What is taken back at this time, the first so many behind `after`, and whether there is more.
    pub(crate) fn page(
        &self,
        after: Option<&Subject>,
        count: usize,
        now: u64,
    ) -> (Vec<(Subject, u64, u64)>, bool) {
        let table = self.read();
        let of = |map: &HashMap<Arc<str>, Entry>, subject: fn(Arc<str>) -> Subject| {
            let entries = map.iter().filter(|(_, entry)| entry.holds(now));
            let entries = entries.map(|(name, entry)| (subject(name.clone()), *entry));
            entries.filter(|(subject, _)| after.is_none_or(|after| subject > after)).collect()
        };
        let mut all: Vec<(Subject, Entry)> = of(&table.tokens, Subject::Token);
        all.append(&mut of(&table.users, Subject::User));
        all.append(&mut of(&table.clients, Subject::Client));
        drop(table);
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let more = all.len() > count;
        all.truncate(count);
        (
            all.into_iter().map(|(subject, entry)| (subject, entry.since, entry.until)).collect(),
            more,
        )
    }

    /// A number that changes with each revocation.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether this identity's token, or its user, was taken back.
    pub(crate) fn covers_identity(&self, identity: &Identity, now: u64) -> bool {
        let (id, user) = (identity.token_id.as_deref(), identity.user.as_deref());
        self.covers(id, user, identity.issued_at, now)
    }

    /// Whether a live line must end: by its identity, or by its client id.
    pub(crate) fn covers_line(&self, identity: &Identity, client_id: &str, now: u64) -> bool {
        self.covers_client(client_id, now) || self.covers_identity(identity, now)
    }

    /// Whether this client id was taken back, for who asks to resume its session.
    pub(crate) fn covers_client(&self, client_id: &str, now: u64) -> bool {
        self.read().clients.get(client_id).is_some_and(|entry| entry.holds(now))
    }

    pub(super) fn covers(
        &self,
        token_id: Option<&str>,
        user: Option<&str>,
        issued_at: Option<u64>,
        now: u64,
    ) -> bool {
        // Nearly always there is nothing, and then there is nothing to look up.
        if self.generation() == 0 {
            return false;
        }
        let table = self.read();
        let token = token_id.and_then(|id| table.tokens.get(id));
        // One issued in the same second may be from before.
        let user = user.and_then(|user| table.users.get(user));
        let user = user.filter(|entry| issued_at.is_none_or(|at| at <= entry.since));
        [token, user].into_iter().flatten().any(|entry| entry.holds(now))
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn of(&mut self, subject: &Subject) -> &mut HashMap<Arc<str>, Entry> {
        match subject {
            Subject::Token(_) => &mut self.tokens,
            Subject::User(_) => &mut self.users,
            Subject::Client(_) => &mut self.clients,
        }
    }

    fn len(&self) -> usize {
        self.tokens.len() + self.users.len() + self.clients.len()
    }

    fn forget(&mut self, now: u64) {
        for map in [&mut self.tokens, &mut self.users, &mut self.clients] {
            map.retain(|_, entry| entry.holds(now));
        }
    }
}

impl Entry {
    fn holds(self, now: u64) -> bool {
        now < self.until
    }
}

impl fmt::Debug for Revocations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Revocations").field("entries", &self.read().len()).finish()
    }
}

impl fmt::Display for RevocationsFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => write!(f, "there are {ENTRIES_MAX} revocations, as many as may be"),
            Self::Name => write!(f, "a name must have 1 to {NAME_BYTES_MAX} bytes"),
        }
    }
}

impl std::error::Error for RevocationsFull {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann(token_id: &str, issued_at: Option<u64>) -> Identity {
        Identity {
            user: Some("ann".into()),
            token_id: Some(token_id.into()),
            issued_at,
            ..Identity::default()
        }
    }

    #[test]
    fn a_token_is_taken_back_until_the_end_of_the_entry() {
        let revocations = Revocations::default();
        assert!(!revocations.covers_identity(&ann("t1", None), 100));
        revocations.revoke(Subject::Token("t1".into()), 100, 200).unwrap();
        assert!(revocations.covers_identity(&ann("t1", Some(150)), 199));
        assert!(!revocations.covers_identity(&ann("t1", None), 200));
        assert!(!revocations.covers_identity(&ann("t2", None), 100));
        assert!(!revocations.covers_identity(&Identity::default(), 100));
    }

    #[test]
    fn a_user_may_come_back_with_a_newer_token() {
        let revocations = Revocations::default();
        revocations.revoke(Subject::User("ann".into()), 100, 200).unwrap();
        for (issued_at, taken) in
            [(Some(99), true), (Some(100), true), (Some(101), false), (None, true)]
        {
            let found = revocations.covers_identity(&ann("t", issued_at), 150);
            assert_eq!(found, taken, "{issued_at:?}");
        }
        revocations.revoke(Subject::User("ann".into()), 120, 150).unwrap();
        assert!(revocations.covers_identity(&ann("t", Some(101)), 199), "the later end is kept");
    }

    #[test]
    fn a_client_is_taken_back_by_its_id() {
        let revocations = Revocations::default();
        revocations.revoke(Subject::Client("c1".into()), 100, 200).unwrap();
        assert!(revocations.covers_line(&Identity::default(), "c1", 150));
        assert!(revocations.covers_client("c1", 150));
        assert!(!revocations.covers_line(&Identity::default(), "c2", 150));
        assert!(!revocations.covers_client("c1", 200));
    }

    #[test]
    fn the_kinds_do_not_mix() {
        let revocations = Revocations::default();
        revocations.revoke(Subject::Client("ann".into()), 0, 9).unwrap();
        revocations.revoke(Subject::Token("ann".into()), 0, 9).unwrap();
        assert!(!revocations.covers_identity(&ann("t", None), 1));
    }

    #[test]
    fn each_revocation_changes_the_generation() {
        let revocations = Revocations::default();
        let before = revocations.generation();
        revocations.revoke(Subject::User("u".into()), 0, 9).unwrap();
        let after = revocations.generation();
        assert_ne!(before, after);
        let long = "x".repeat(256);
        for name in ["", &long] {
            let refused = revocations.revoke(Subject::User(name.into()), 0, 9);
            assert_eq!(refused, Err(RevocationsFull::Name));
        }
        assert_eq!(revocations.generation(), after);
    }

    #[test]
    fn pages_name_everything_that_holds() {
        let revocations = Revocations::default();
        for n in 0..5 {
            revocations.revoke(Subject::Token(n.to_string().into()), 0, 200).unwrap();
            revocations.revoke(Subject::User(n.to_string().into()), 0, 100 + n).unwrap();
        }
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (page, more) = revocations.page(after.as_ref(), 3, 102);
            assert!(
                page.iter().all(|(subject, since, until)| revocations.has(subject, *since, *until))
            );
            seen.extend(page.into_iter().map(|(subject, ..)| subject));
            after = seen.last().cloned();
            if !more {
                break;
            }
        }
        let token = |n: u64| Subject::Token(n.to_string().into());
        let user = |n: u64| Subject::User(n.to_string().into());
        assert_eq!(seen, (0..5).map(token).chain((3..5).map(user)).collect::<Vec<_>>());
        assert!(!revocations.has(&user(3), 0, 104));
    }

    #[test]
    fn the_table_has_a_limit_and_drops_only_what_is_past() {
        let revocations = Revocations::default();
        for n in 0..ENTRIES_MAX {
            let until = if n == 0 { 100 } else { 200 };
            revocations.revoke(Subject::Token(n.to_string().into()), 0, until).unwrap();
        }
        let one_more = || Subject::User("ann".into());
        assert_eq!(revocations.revoke(one_more(), 99, 200), Err(RevocationsFull::Full));
        assert_eq!(revocations.revoke(Subject::Token("1".into()), 99, 300), Ok(()));
        assert_eq!(revocations.revoke(one_more(), 100, 200), Ok(()));
        assert!(revocations.covers_identity(&ann("1", None), 250));
    }
}
