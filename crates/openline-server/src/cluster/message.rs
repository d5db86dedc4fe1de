//! [`Message`]: what nodes say to each other, and how it is written.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::forward::Piece;
use super::limits::Counted;
use super::mail::{Addressed, Audible};
use super::question::{Answer, Question};
use super::revoked::Revoked;
use super::wire::{At, Name, Payload, Person};

/// What a message begins with. Nodes of different versions do not understand each other, and count
/// what they do not understand.
const VERSION: u8 = 1;

/// The longest message, in bytes: with what a link adds, less than the 1 MiB that NATS takes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1000 << 10;

/// What one node says to others. New kinds are added behind the others: a node that does not know
/// one counts it and goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Message {
    /// To all, each second and when it starts.
    Heartbeat(Heartbeat),
    /// To all, when it stops: nothing of it is there any more.
    Bye,
    /// To all or one: who of yours is on these channels? Those whose news I have up to that point
    /// need not be told again.
    AskMembers {
        ask: u64,
        channels: Vec<(Name, Option<At>)>,
    },
    /// To one: and behind this client?
    AskMore {
        ask: u64,
        channel: Name,
        after: Arc<str>,
    },
    /// The answer: a part of the members, in the order of their ids.
    Members(Members),
    /// The first parts of so many channels that were asked about have been told: all of which there is
    /// something to tell.
    Answered {
        ask: u64,
        told: u32,
    },
    /// To those who listen to a channel: who of mine came, changed or went.
    News(News),
    /// To those who listen to a channel: nobody of mine is here any more.
    Vacated {
        life: u64,
    },
    /// To all: how far my news of channels are that changed lately, and the lives of channels that
    /// have ended.
    Digest {
        heads: Vec<(Name, At)>,
        vacated: Vec<(Name, u64)>,
    },
    /// To those who listen to a channel: something that is not kept.
    Broadcast {
        what: Audible,
        except: Option<Arc<str>>,
    },
    /// To all: something for clients, whatever channels they are on.
    Mail {
        to: Addressed,
        event: String,
        data: Payload,
        is_volatile: bool,
        timestamp: u64,
    },
    /// To all: these clients are to go.
    Dismiss {
        to: Addressed,
        reason: String,
    },
    /// To all: these clients are to be put into a room, or taken out of it.
    Move {
        to: Addressed,
        room: Name,
        join: bool,
    },
    /// To all: this user has a line here now and may have one only; or to one that said the same of
    /// the user: the line here stays.
    Replace {
        user: Arc<str>,
    },
    /// To one: what was taken back? Behind the last that I was told.
    AskRevoked {
        after: Option<Revoked>,
    },
    /// The answer, a part of it; `more` says that there is another.
    Revoked {
        entries: Vec<Revoked>,
        more: bool,
    },
    /// To all or one: a question with a deadline, which may come twice.
    Question {
        number: u64,
        question: Question,
    },
    Answer {
        number: u64,
        answer: Answer,
    },
    /// To one: a part of a request that is handed over, or of its answer.
    Forwarded(Piece),
    /// To all or one: how many connections of mine count for users and addresses.
    Counted(Counted),
}

/// That a node lives, and how it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Heartbeat {
    pub(crate) name: String,
    pub(crate) version: String,
    /// In milliseconds since 1970.
    pub(crate) started: u64,
    pub(crate) clients: u64,
    pub(crate) channels: u64,
    /// How many of them have members to ask for.
    pub(crate) rosters: u64,
    /// How often this node may have missed something, and others something of it.
    pub(crate) breaks: u64,
}

/// A part of a node's own members of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Members {
    pub(crate) ask: u64,
    pub(crate) channel: Name,
    /// None where nobody is.
    pub(crate) at: Option<At>,
    /// All of them.
    pub(crate) count: u64,
    /// It begins behind this client.
    pub(crate) after: Option<Arc<str>>,
    pub(crate) members: Vec<Person>,
    /// It is complete up to this client; none is to the end.
    pub(crate) until: Option<Arc<str>>,
}

/// What changed among a node's own members of a channel since it last told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct News {
    pub(crate) at: At,
    /// All of them.
    pub(crate) count: u64,
    /// They came or changed.
    pub(crate) here: Vec<Person>,
    pub(crate) left: Vec<Arc<str>>,
    /// More changed than is named: the rest has to be asked for.
    pub(crate) incomplete: bool,
}

/// A message that is longer than may be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Members {
    /// That nobody is here.
    pub(super) fn of_nobody(ask: u64, channel: Name) -> Self {
        let (at, after, until) = (None, None, None);
        Self { ask, channel, at, count: 0, after, members: Vec::new(), until }
    }
}

impl Message {
    pub(crate) fn to_bytes(&self) -> Result<Bytes, TooLong> {
        let bytes = postcard::to_extend(self, vec![VERSION]);
        let bytes = bytes.expect("a message is made of plain values and a vector takes them all");
        if bytes.len() > MESSAGE_BYTES_MAX { Err(TooLong) } else { Ok(bytes.into()) }
    }

    /// None for what this version does not understand.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first() {
            Some((&VERSION, rest)) if bytes.len() <= MESSAGE_BYTES_MAX => {
                postcard::from_bytes(rest).ok()
            }
            _ => None,
        }
    }
}
