//! What all nodes answer.

use openline_engine::TellLimits;
use openline_protocol::{ErrorCode, Fault};

use super::{clients, lines, read};
use crate::cluster::{Answer, Name, Question};
use crate::exchange::PAGE;
use crate::node::Node;

/// The answers of this node and of the others.
pub(super) struct Everywhere {
    pub(super) answers: Vec<Answer>,
    /// The names of nodes that did not answer in time.
    pub(super) missing: Vec<String>,
}

/// Asks this node and all others. That others do not answer is told; this one has to.
pub(super) async fn everywhere(node: &Node, question: Question) -> Result<Everywhere, Fault> {
    let Some(cluster) = node.cluster() else {
        let answers = vec![answer_here(node, &question).await?];
        return Ok(Everywhere { answers, missing: Vec::new() });
    };
    let (here, others) =
        tokio::join!(answer_here(node, &question), cluster.inquire(question.clone()));
    let mut answers = others.answers;
    answers.push(here?);
    Ok(Everywhere { answers, missing: others.missing })
}

/// What this node answers, whoever asks.
pub(crate) async fn answer_here(node: &Node, question: &Question) -> Result<Answer, Fault> {
    let exchange = &node.exchange;
    Ok(match question {
        Question::Clients { user, channel, after, count } => {
            let channel = channel.as_ref().map(|Name(channel)| channel.clone());
            let count = *count as usize;
            let wanted =
                clients::Wanted { user: user.clone(), channel, after: after.clone(), count };
            Answer::Rows(clients::find(node, wanted).await?)
        }
        Question::Client { client } => Answer::Rows(clients::find_one(node, client).await?),
        Question::Channels { prefix, after, count } => {
            let count = (*count as usize).min(read::CHANNELS_PAGE_MAX + 1);
            let found = exchange.channels(prefix, after.as_deref(), count).into_iter();
            Answer::Channels(found.map(|(channel, count)| (Name(channel), count)).collect())
        }
        Question::Channel { channel: Name(channel) } => Answer::Channel {
            subscribers: exchange.subscribers(channel),
            members: exchange.own_member_count(channel),
        },
        Question::Members { channel: Name(channel), after, count } => {
            let limits = TellLimits { names_max: *count as usize, bytes_max: PAGE.bytes_max / 4 };
            match exchange.own_members(channel, after.clone(), &limits) {
                None => Answer::Members { members: Vec::new(), count: 0, until: None },
                Some(part) => Answer::Members {
                    members: part.members.iter().map(Into::into).collect(),
                    count: part.count,
                    until: part.until,
                },
            }
        }
        Question::Expel { whom, why } => lines::expel(node, whom.clone(), why.clone().into()),
        Question::Revoke { revoked, whom, why } => {
            lines::take_back(node, revoked.clone(), whom.clone(), why.clone().into())?
        }
    })
}

/// What every node is missing that did not answer.
pub(super) fn unknown(what: &str, missing: &[String]) -> Fault {
    let message = match missing {
        [] => format!("there is no {what}"),
        missing => {
            format!("there is no {what}, as far as nodes answered: not {}", missing.join(", "))
        }
    };
    Fault::new(ErrorCode::NotFound, message)
}
