//! One-use tickets: what stands for a token where only an address can be given (`EventSource`).

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};

use super::{Identity, Token};

/// How long a ticket is good, in seconds: it is used at once or never.
pub(crate) const TICKET_LIFETIME: u64 = 30;
/// The most tickets at a time.
const TICKETS_MAX: usize = 10_000;

/// The node that gave it out, and 128 random bits.
type Number = [u8; 24];

/// The tickets that this node gave out and that are not yet used.
pub(crate) struct Tickets {
    home: u64,
    open: Mutex<HashMap<Number, Ticket>>,
}

struct Ticket {
    identity: Identity,
    /// What it stands for, for another node that is shown it.
    token: Token,
    issued_at: u64,
}

/// No ticket can be given out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TicketsFull;

impl Tickets {
    /// None yet; `home` is the node, which each of them begins with.
    pub(crate) fn new(home: u64) -> Self {
        Self { home, open: Mutex::default() }
    }

    /// Gives out a ticket for someone whose token was checked.
    pub(crate) fn issue(
        &self,
        identity: Identity,
        token: Token,
        now: u64,
    ) -> Result<Token, TicketsFull> {
        let mut number = Number::default();
        let (home, random) = number.split_at_mut(8);
        home.copy_from_slice(&self.home.to_be_bytes());
        // Without entropy a ticket could be guessed, so there is none.
        SystemRandom::new().fill(random).map_err(|_| TicketsFull)?;
        let mut open = self.lock();
        if open.len() >= TICKETS_MAX {
            open.retain(|_, ticket| ticket.is_good(now));
        }
        if open.len() >= TICKETS_MAX {
            return Err(TicketsFull);
        }
        open.insert(number, Ticket { identity, token, issued_at: now });
        Ok(Token::new(URL_SAFE_NO_PAD.encode(number)))
    }

    /// Takes a ticket: whoever comes first with it, in time. The caller still has to check the
    /// identity against the revocations and its expiry. The token is what was shown for it.
    pub(crate) fn redeem(&self, ticket: &Token, now: u64) -> Option<(Identity, Token)> {
        let ticket = self.lock().remove(&number(ticket)?)?;
        ticket.is_good(now).then_some((ticket.identity, ticket.token))
    }

    /// The node that gave a ticket out, if that is another.
    pub(crate) fn home_elsewhere(&self, ticket: &Token) -> Option<u64> {
        let home = number(ticket)?.first_chunk().copied().map(u64::from_be_bytes)?;
        (home != self.home).then_some(home)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Number, Ticket>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(ticket: &Token) -> Option<Number> {
    Number::try_from(URL_SAFE_NO_PAD.decode(ticket.expose()).ok()?).ok()
}

impl Ticket {
    /// A clock that was set back ends it too.
    fn is_good(&self, now: u64) -> bool {
        now.checked_sub(self.issued_at).is_some_and(|age| age < TICKET_LIFETIME)
    }
}

impl fmt::Debug for Tickets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tickets").field("open", &self.lock().len()).finish()
    }
}

impl fmt::Display for TicketsFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no ticket can be given out just now; try again in a few seconds")
    }
}

impl std::error::Error for TicketsFull {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ann() -> Identity {
        Identity { user: Some("ann".into()), ..Identity::default() }
    }

    fn token() -> Token {
        Token::new("a.b.c")
    }

    #[test]
    fn a_ticket_says_which_node_gave_it_out() {
        let (here, there) = (Tickets::new(7), Tickets::new(8));
        let ticket = there.issue(ann(), token(), 1000).unwrap();
        assert_eq!(here.home_elsewhere(&ticket), Some(8));
        assert_eq!(there.home_elsewhere(&ticket), None);
        assert_eq!(here.redeem(&ticket, 1000), None);
        assert_eq!(here.home_elsewhere(&token()), None);
    }

    #[test]
    fn a_ticket_is_good_once() {
        let tickets = Tickets::new(7);
        let ticket = tickets.issue(ann(), token(), 1000).unwrap();
        let other = tickets.issue(Identity::default(), token(), 1000).unwrap();
        assert_ne!(ticket, other);
        assert_eq!(ticket.expose().len(), 32);
        assert_eq!(tickets.redeem(&ticket, 1000), Some((ann(), token())));
        assert_eq!(tickets.redeem(&ticket, 1000), None);
        assert_eq!(tickets.redeem(&other, 1000), Some((Identity::default(), token())));
    }

    #[test]
    fn a_ticket_is_good_for_half_a_minute() {
        let tickets = Tickets::new(7);
        for (used, good) in [(1000, true), (1029, true), (1030, false), (999, false)] {
            let ticket = tickets.issue(ann(), token(), 1000).unwrap();
            assert_eq!(tickets.redeem(&ticket, used).is_some(), good, "{used}");
        }
    }

    #[test]
    fn what_is_no_ticket_gets_nothing() {
        let tickets = Tickets::new(7);
        let ticket = tickets.issue(ann(), token(), 0).unwrap();
        let cut = &ticket.expose()[..20];
        for text in ["", "x", cut, &"A".repeat(32), "a.b.c"] {
            assert_eq!(tickets.redeem(&Token::new(text), 0), None, "{text}");
        }
    }

    #[test]
    fn the_table_has_a_limit_and_forgets_what_is_past() {
        let tickets = Tickets::new(7);
        for _ in 0..TICKETS_MAX {
            tickets.issue(Identity::default(), token(), 1000).unwrap();
        }
        assert_eq!(tickets.issue(ann(), token(), 1029), Err(TicketsFull));
        assert!(tickets.issue(ann(), token(), 1030).is_ok());
        assert_eq!(format!("{tickets:?}"), "Tickets { open: 1 }");
    }
}
