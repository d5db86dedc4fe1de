//! [`News`]: what a node tells others about its own members of a channel.

use std::sync::Arc;

use openline_protocol::Member;

/// How far a node's news of a channel are.
///
/// Each time that a channel gets its first subscriber on a node it begins a life there, in which its
/// news are counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mark {
    /// Which life; later ones are greater.
    pub life: u64,
    /// How many pieces of news there have been.
    pub seq: u64,
}

/// What changed among a node's own members since it last told.
#[derive(Debug, Clone, Default)]
pub struct News {
    /// With these.
    pub mark: Mark,
    /// All of its members.
    pub count: u64,
    /// They came or changed.
    pub here: Vec<Member>,
    /// They went.
    pub left: Vec<Arc<str>>,
    /// More changed than is named: the rest has to be asked for.
    pub incomplete: bool,
}

/// A part of a node's own members, in the order of their client ids.
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// As it was after these news, and perhaps some later ones.
    pub mark: Mark,
    /// All of its members.
    pub count: u64,
    /// It begins behind this client.
    pub after: Option<Arc<str>>,
    /// Who is there.
    pub members: Vec<Member>,
    /// Up to this client nobody is missing; none is to the end.
    pub until: Option<Arc<str>>,
}
