//! What a node tells others about its own members.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use openline_protocol::Member;

use super::Roster;
use crate::news::{Mark, News, Part};

/// Changes that are remembered until they are told. Beyond it others are told to ask.
const CHANGED_MAX: usize = 10_000;

/// Members of all nodes that are looked through for one part.
const LOOKED_THROUGH_MAX: usize = 20_000;

/// What a member says about itself beyond this, others are not told.
const SAYING_BYTES_MAX: usize = 16 << 10;

/// What is told at a time.
#[derive(Debug, Clone, Copy)]
pub struct TellLimits {
    /// Members that are named.
    pub names_max: usize,
    /// Bytes of what is said about them; the last may go beyond it by 64 KiB.
    pub bytes_max: usize,
}

/// The members that are here, as far as others are to be told.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Members that are here.
    pub(super) count: u64,
    /// None where there is nobody to be told.
    mark: Option<Mark>,
    changed: BTreeSet<Arc<str>>,
    /// More changed than that.
    overflowed: bool,
}

impl Own {
    pub(super) fn new(life: u64) -> Self {
        Self { mark: Some(Mark { life, seq: 0 }), ..Self::default() }
    }

    /// Something changed about a member that is here, or was.
    pub(super) fn note(&mut self, client: &Arc<str>) {
        if self.mark.is_none() {
            return;
        }
        if self.changed.len() < CHANGED_MAX {
            self.changed.insert(client.clone());
        } else {
            self.overflowed = true;
        }
    }
}

impl Roster {
    /// Whether there is something to be told.
    pub fn has_news(&self) -> bool {
        !self.own.changed.is_empty() || self.own.overflowed
    }

    /// How far the news are that were told; none where nobody is told.
    pub fn mark(&self) -> Option<Mark> {
        self.own.mark
    }

    /// What changed since this was last asked, or a part of it: to be called until there is nothing.
    pub fn take_news(&mut self, limits: &TellLimits) -> Option<News> {
        if !self.has_news() {
            return None;
        }
        let mark = self.own.mark.as_mut()?;
        mark.seq += 1;
        let mut news = News { mark: *mark, count: self.own.count, ..News::default() };
        let (mut names, mut bytes) = (0, 0);
        while names < limits.names_max && bytes < limits.bytes_max {
            let Some(client) = self.own.changed.pop_first() else {
                news.incomplete = std::mem::take(&mut self.own.overflowed);
                break;
            };
            names += 1;
            match self.members.get(&client).filter(|present| present.node().is_none()) {
                Some(present) => {
                    let member = told(present.member(&client));
                    bytes += size(&member);
                    news.here.push(member);
                }
                None => {
                    bytes += client.len();
                    news.left.push(client);
                }
            }
        }
        Some(news)
    }

    /// The members that are here behind a client, or the first.
    pub fn own_part(&self, after: Option<Arc<str>>, limits: &TellLimits) -> Part {
        let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let (mut members, mut bytes, mut until) = (Vec::new(), 0, None);
        let range = self.members.range::<str, _>((from, Bound::Unbounded));
        for (number, (client, present)) in range.enumerate() {
            let is_full = members.len() >= limits.names_max || bytes >= limits.bytes_max;
            if is_full || number >= LOOKED_THROUGH_MAX {
                let part = self.part(after, members);
                return Part { until, ..part };
            }
            until = Some(client.clone());
            if present.node().is_none() {
                let member = told(present.member(client));
                bytes += size(&member);
                members.push(member);
            }
        }
        self.part(after, members)
    }

    fn part(&self, after: Option<Arc<str>>, members: Vec<Member>) -> Part {
        let mark = self.own.mark.unwrap_or_default();
        Part { mark, count: self.own.count, after, members, until: None }
    }
}

/// Without what is too long to be told again and again.
fn told(member: Member) -> Member {
    let is_short = |len: usize| len <= SAYING_BYTES_MAX;
    Member {
        info: member.info.filter(|info| is_short(info.len())),
        status: member.status.filter(|status| is_short(status.len())),
        data: member.data.filter(|data| is_short(data.len())),
        ..member
    }
}

fn size(member: &Member) -> usize {
    let Member { client_id, user, info, status, data } = member;
    let text = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
    let payload = |data: &Option<openline_protocol::Data>| data.as_ref().map_or(0, |d| d.len());
    client_id.len() + text(user) + payload(info) + text(status) + payload(data)
}
