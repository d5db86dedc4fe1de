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

type Number = [u8; 16];

/// The tickets that were given out and not yet used.
#[derive(Default)]
pub(crate) struct Tickets {
    open: Mutex<HashMap<Number, Ticket>>,
}

struct Ticket {
    identity: Identity,
    issued_at: u64,
}

/// No ticket can be given out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TicketsFull;

impl Tickets {
    /// Gives out a ticket for someone whose token was checked.
    pub(crate) fn issue(&self, identity: Identity, now: u64) -> Result<Token, TicketsFull> {
        let mut number = Number::default();
        // Without entropy a ticket could be guessed, so there is none.
        SystemRandom::new().fill(&mut number).map_err(|_| TicketsFull)?;
        let mut open = self.lock();
        if open.len() >= TICKETS_MAX {
            open.retain(|_, ticket| ticket.is_good(now));
        }
        if open.len() >= TICKETS_MAX {
            return Err(TicketsFull);
        }
        open.insert(number, Ticket { identity, issued_at: now });
        Ok(Token::new(URL_SAFE_NO_PAD.encode(number)))
    }

    /// Takes a ticket: whoever comes first with it, in time. The caller still has to check the
    /// identity against the revocations and its expiry.
    pub(crate) fn redeem(&self, ticket: &Token, now: u64) -> Option<Identity> {
        let number = URL_SAFE_NO_PAD.decode(ticket.expose()).ok()?;
        let number = Number::try_from(number).ok()?;
        let ticket = self.lock().remove(&number)?;
        ticket.is_good(now).then_some(ticket.identity)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Number, Ticket>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
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

    #[test]
    fn a_ticket_is_good_once() {
        let tickets = Tickets::default();
        let ticket = tickets.issue(ann(), 1000).unwrap();
        let other = tickets.issue(Identity::default(), 1000).unwrap();
        assert_ne!(ticket, other);
        assert_eq!(ticket.expose().len(), 22);
        assert_eq!(tickets.redeem(&ticket, 1000), Some(ann()));
        assert_eq!(tickets.redeem(&ticket, 1000), None);
        assert_eq!(tickets.redeem(&other, 1000), Some(Identity::default()));
    }

    #[test]
    fn a_ticket_is_good_for_half_a_minute() {
        let tickets = Tickets::default();
        for (used, good) in [(1000, true), (1029, true), (1030, false), (999, false)] {
            let ticket = tickets.issue(ann(), 1000).unwrap();
            assert_eq!(tickets.redeem(&ticket, used).is_some(), good, "{used}");
        }
    }

    #[test]
    fn what_is_no_ticket_gets_nothing() {
        let tickets = Tickets::default();
        let ticket = tickets.issue(ann(), 0).unwrap();
        let cut = &ticket.expose()[..20];
        for text in ["", "x", cut, "AAAAAAAAAAAAAAAAAAAAAA", "a.b.c"] {
            assert_eq!(tickets.redeem(&Token::new(text), 0), None, "{text}");
        }
    }

    #[test]
    fn the_table_has_a_limit_and_forgets_what_is_past() {
        let tickets = Tickets::default();
        for _ in 0..TICKETS_MAX {
            tickets.issue(Identity::default(), 1000).unwrap();
        }
        assert_eq!(tickets.issue(ann(), 1029), Err(TicketsFull));
        assert!(tickets.issue(ann(), 1030).is_ok());
        assert_eq!(format!("{tickets:?}"), "Tickets { open: 1 }");
    }
}
