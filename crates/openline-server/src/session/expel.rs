//! [`Expelled`]: whose lines are to end, on all threads.

use openline_engine::{Hub, SessionKey};
use serde::{Deserialize, Serialize};

use crate::auth::Revocations;
use crate::clock::Clock;
use crate::exchange::{Ending, Seat};

/// Whose lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Whom {
    Client(String),
    User(String),
    /// Those that were opened with this token.
    Token(String),
    /// The one line with this number.
    Line(u64),
    /// Those whose tokens, users or ids were taken back.
    Revoked,
}

/// Lines that are to end, and why.
#[derive(Debug)]
pub(crate) struct Expelled {
    whom: Whom,
    ending: Ending,
}

impl Expelled {
    pub(crate) fn new(whom: Whom, ending: Ending) -> Self {
        Self { whom, ending }
    }

    /// Closes those of this thread.
    pub(crate) fn close_among(&self, hub: &Hub<Seat>, revocations: &Revocations) {
        let seats: Vec<&Seat> = match &self.whom {
            Whom::Revoked => {
                let now = Clock::wall_seconds();
                let is_revoked = |(key, seat): &(SessionKey, &Seat)| {
                    let client = hub.client_of(*key).map_or("", |client| client);
                    let identity = seat.identity.as_ref();
                    revocations.covers_client(client, now)
                        || identity.is_some_and(|i| revocations.covers_identity(i, now))
                };
                hub.lines().filter(is_revoked).map(|(_, seat)| seat).collect()
            }
            Whom::Client(client) => {
                hub.client(client).and_then(|key| hub.line(key)).into_iter().collect()
            }
            Whom::User(user) => hub.user(user).iter().filter_map(|key| hub.line(*key)).collect(),
            Whom::Token(token) => {
                let of_token = |seat: &&Seat| {
                    let identity = seat.identity.as_ref();
                    identity.is_some_and(|i| i.token_id.as_deref() == Some(&**token))
                };
                hub.lines().map(|(_, seat)| seat).filter(of_token).collect()
            }
            Whom::Line(number) => {
                hub.lines().map(|(_, seat)| seat).filter(|seat| seat.number == *number).collect()
            }
        };
        for seat in seats {
            seat.line.end(self.ending.clone());
        }
    }
}
