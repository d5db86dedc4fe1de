//! `disconnect` and `revoke`: ending lines.

use openline_protocol::{ErrorCode, Fault, close, limits};
use serde::Serialize;

use super::everywhere::{Everywhere, everywhere};
use super::fields::Fields;
use super::{bad, json};
use crate::auth::{RevocationsFull, Subject};
use crate::clock::Clock;
use crate::cluster::{Answer, Question, Revoked, Why};
use crate::exchange::Ending;
use crate::node::Node;
use crate::session::{Expelled, Whom};

/// What a line may be ended with. Each makes the client do something else: stop, come back, come
/// back later, ask for a new token. The others say that a rule of the protocol was broken, which is
/// not for a backend to say.
pub(super) const CODES: &[u16] = &[
    close::NORMAL,
    close::POLICY_VIOLATION,
    close::SERVICE_RESTART,
    close::TRY_AGAIN_LATER,
    close::SESSION_EXPIRED,
    close::DUPLICATE,
    close::INVALID_AUTH,
    close::RATE_LIMITED,
    close::MAINTENANCE,
    close::KICKED,
];

/// What a close frame has room for beside the code (RFC 6455 §5.5).
const REASON_BYTES_MAX: usize = 123;

/// The longest name of a client, a user or a token; as long as claims may be.
const NAME_BYTES_MAX: usize = limits::CHANNEL_BYTES_MAX;

/// The longest time that a client can be told to wait.
const RETRY_AFTER_MS_MAX: u64 = 24 * 3600 * 1000;

/// How long a revocation holds that does not say: by then nearly everybody's tokens have ended.
const REVOKED_FOR_SECONDS: u64 = 30 * 24 * 3600;

#[derive(Debug, Serialize)]
struct Disconnected<'a> {
    lines: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
}

#[derive(Debug, Serialize)]
struct TakenBack<'a> {
    lines: u64,
    /// In milliseconds since 1970, as all times in answers.
    until: u64,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    missing: &'a [String],
}

pub(super) async fn disconnect(node: &Node, fields: &Fields<'_>) -> Result<String, Fault> {
    let whom = whom(fields)?;
    let code = match fields.unsigned("code", u16::MAX.into())? {
        None => close::KICKED,
        Some(code) => *CODES.iter().find(|known| u64::from(**known) == code).ok_or_else(|| {
            let known: Vec<_> = CODES.iter().map(u16::to_string).collect();
            bad(format!("`code` must be one of {}", known.join(", ")))
        })?,
    };
    let reason = fields.name("reason", REASON_BYTES_MAX)?.unwrap_or_else(|| "kicked".to_owned());
    let mut ending = Ending::new(code, reason);
    if let Some(ms) = fields.unsigned("retryAfter", RETRY_AFTER_MS_MAX)? {
        if ending.retry_after_ms.is_none() {
            return Err(bad(
                "`retryAfter` needs a `code` that asks the client to come back later: 1012, 1013, \
                 4003, 4004",
            ));
        }
        ending = ending.retry_after(ms);
    }
    let question = Question::Expel { whom, why: Why::from(&ending) };
    let Everywhere { answers, missing } = everywhere(node, question).await?;
    Ok(json(&Disconnected { lines: sum(&answers), missing: &missing }))
}

/// Ends lines of this node.
pub(super) fn expel(node: &Node, whom: Whom, ending: Ending) -> Answer {
    let lines = count(node, &whom);
    node.expel(Expelled::new(whom, ending));
    Answer::Lines(lines as u64)
}

fn sum(answers: &[Answer]) -> u64 {
    let lines = answers.iter().map(|answer| match answer {
        Answer::Lines(lines) => *lines,
        _ => 0,
    });
    lines.sum()
}

pub(super) async fn revoke(node: &Node, fields: &Fields<'_>) -> Result<String, Fault> {
    let whom = whom(fields)?;
    let now = Clock::wall_seconds();
    let until = match fields.unsigned("until", u64::MAX)? {
        None => now.saturating_add(REVOKED_FOR_SECONDS),
        // Milliseconds; one second too long is better than a moment too short.
        Some(until) if until.div_ceil(1000) > now => until.div_ceil(1000),
        Some(_) => {
            return Err(bad("`until` is past; it is a time in milliseconds since 1970"));
        }
    };
    let subject = match &whom {
        Whom::Client(client) => Subject::Client(client.as_str().into()),
        Whom::User(user) => Subject::User(user.as_str().into()),
        Whom::Token(token) => Subject::Token(token.as_str().into()),
        Whom::Line(_) | Whom::Revoked => {
            return Err(Fault::new(ErrorCode::Internal, "lines have no tokens"));
        }
    };
    let ending = Ending::new(close::INVALID_AUTH, "token revoked");
    let revoked = Revoked { subject: subject.into(), since: now, until };
    let question = Question::Revoke { revoked, whom, why: Why::from(&ending) };
    let Everywhere { answers, missing } = everywhere(node, question).await?;
    let until = until.saturating_mul(1000);
    Ok(json(&TakenBack { lines: sum(&answers), until, missing: &missing }))
}

/// Takes something back on this node.
pub(super) fn take_back(
    node: &Node,
    revoked: Revoked,
    whom: Whom,
    ending: Ending,
) -> Result<Answer, Fault> {
    let Revoked { subject, since, until } = revoked;
    // Before the lines end, so that none comes back.
    let revocations = &node.revocations;
    revocations.revoke(subject.into(), since, until).map_err(|full| match full {
        RevocationsFull::Full => Fault::new(ErrorCode::Overloaded, full.to_string()),
        RevocationsFull::Name => bad(full.to_string()),
    })?;
    Ok(expel(node, whom, ending))
}

/// The one of the three that is given.
fn whom(fields: &Fields<'_>) -> Result<Whom, Fault> {
    let client = fields.name("client", NAME_BYTES_MAX)?.map(Whom::Client);
    let user = fields.name("user", NAME_BYTES_MAX)?.map(Whom::User);
    let token = fields.name("token", NAME_BYTES_MAX)?.map(Whom::Token);
    match (client, user, token) {
        (Some(whom), None, None) | (None, Some(whom), None) | (None, None, Some(whom)) => Ok(whom),
        (None, None, None) => Err(bad("one of `client`, `user` and `token` is needed")),
        _ => Err(bad("only one of `client`, `user` and `token` may be there")),
    }
}

/// How many lines that is.
fn count(node: &Node, whom: &Whom) -> usize {
    let shards = node.exchange.shards().iter();
    let of_shard = shards.map(|shard| {
        let hub = shard.hub();
        match whom {
            Whom::Client(client) => usize::from(hub.client(client).is_some()),
            Whom::User(user) => hub.user(user).len(),
            Whom::Token(token) => {
                let tokens =
                    hub.lines().filter_map(|(_, seat)| seat.identity.as_ref()?.token_id.as_ref());
                tokens.filter(|id| ***id == **token).count()
            }
            Whom::Revoked => 0,
            Whom::Line(number) => hub.lines().filter(|(_, seat)| seat.number == *number).count(),
        }
    });
    of_shard.sum()
}
