//! A channel as one thread sees it: its subscribers there, and what this turn brought.

use openline_protocol::{ChannelName, Position};

use super::sessions::Sessions;
use super::{
    Broadcast, Delivery, Encoding, GoLive, Lagging, Outlet, Post, SessionKey, SubscriptionKey, Turn,
};

#[derive(Debug)]
pub(super) struct Channel {
    /// Its number in the hub.
    slot: u32,
    pub(super) name: ChannelName,
    pub(super) members: Vec<Subscriber>,
    /// Where the channel is: the last position that was posted, or that the first reader brought.
    tail: Option<Position>,
    /// Where it was before this turn.
    drained: Option<Position>,
    /// The last position that was posted; behind `tail` while what a reader has read is on its way.
    posted: Option<Position>,
    /// Beyond `drained`: where readers went live that had read more than came by here.
    ahead: Vec<Ahead>,
    turn: Vec<Post>,
}

/// A place where a reader went live that had read more than came by.
#[derive(Debug, Clone, Copy)]
struct Ahead {
    at: Position,
    /// It was there at the last review.
    is_old: bool,
}

/// Places beyond what came by that are remembered of a channel.
const AHEAD_MAX: usize = 16;

/// *Invariant:* a session is in the list once.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) session: SessionKey,
    /// Tells it from another subscription of the session to the same channel, before or after.
    pub(super) number: u32,
    encoding: Encoding,
    phase: Phase,
    /// It went live in this turn, behind so many posts.
    skip_posts: u16,
    /// It has what is up to this offset.
    skip_until: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It reads what it missed.
    Joining,
    Live,
    /// It fell behind.
    Lagging,
}

/// How a publication follows on those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    Next,
    Seen,
    Gap,
}

impl Subscriber {
    /// Whether its client was told that it is in the channel.
    pub(super) fn is_in(&self) -> bool {
        self.phase != Phase::Joining
    }
}

impl Channel {
    pub(super) fn new(slot: u32, name: ChannelName) -> Self {
        Self {
            slot,
            name,
            members: Vec::new(),
            tail: None,
            drained: None,
            posted: None,
            ahead: Vec::new(),
            turn: Vec::new(),
        }
    }

    /// Adds a subscriber; returns its place in the list.
    pub(super) fn add(&mut self, session: SessionKey, number: u32, encoding: Encoding) -> u32 {
        let phase = Phase::Joining;
        self.members.push(Subscriber {
            session,
            number,
            encoding,
            phase,
            skip_posts: 0,
            skip_until: 0,
        });
        u32::try_from(self.members.len() - 1).expect("there are fewer sessions than that")
    }

    /// Gathers a broadcast; returns whether it is the first of the turn.
    pub(super) fn post(&mut self, post: Post, lagging: &mut Vec<Lagging>) -> bool {
        if let Broadcast::Publication(publication) = &post.broadcast
            && let Some(position) = publication.position
        {
            match self.follow(position, publication.prev_tag) {
                Follows::Next => {}
                Follows::Seen => return false,
                Follows::Gap => {
                    self.lose_place(Some(position), lagging);
                    return false;
                }
            }
        }
        self.turn.push(post);
        self.turn.len() == 1
    }

    /// Looks whether a publication is the next one, and if so takes note of it.
    fn follow(&mut self, position: Position, prev_tag: u64) -> Follows {
        let offset = position.offset.saturating_sub(1);
        let prev = Position { epoch: position.epoch, offset, tag: prev_tag };
        let follows = match self.tail {
            None => {
                self.drained = Some(prev);
                Follows::Next
            }
            Some(tail) if tail == prev => {
                match self.ahead.iter().any(|ahead| forks(ahead.at, position)) {
                    // Somebody has read another entry in this place.
                    true => Follows::Gap,
                    false => Follows::Next,
                }
            }
            Some(tail) if self.was_read(position, prev, tail) => Follows::Seen,
            Some(_) => Follows::Gap,
        };
        if follows == Follows::Next {
            self.tail = Some(position);
        }
        self.posted = Some(position);
        follows
    }

    /// Whether it was on its way when a reader brought the tail. One that is behind the tail and does
    /// not follow on what was posted before it is of a store that lost what is here.
    fn was_read(&self, position: Position, prev: Position, tail: Position) -> bool {
        let on_its_way = self.posted.is_none_or(|posted| posted == prev || posted == position);
        let read = position.offset < tail.offset || position == tail;
        on_its_way && read && position.epoch == tail.epoch
    }

    /// What came does not follow on what was here: everybody reads on for itself from the turns
    /// before, and the turn's publications reach nobody.
    pub(super) fn lose_place(&mut self, place: Option<Position>, lagging: &mut Vec<Lagging>) {
        for member in &mut self.members {
            if member.phase == Phase::Live {
                let since = place_of(member, self.drained, &self.ahead);
                lagging.push(fall_behind(member, self.slot, &self.name, since));
            }
        }
        self.ahead.clear();
        self.turn.retain(|post| offset(post).is_none());
        (self.tail, self.drained, self.posted) = (place, place, place);
    }

    pub(super) fn go_live(
        &mut self,
        member: u32,
        head: Option<Position>,
        lagging: &mut Vec<Lagging>,
    ) -> GoLive {
        // Wherever it goes on, its client is told that it is in.
        self.members[member as usize].phase = Phase::Lagging;
        if let Some(head) = head {
            let is_ahead = self.drained.is_some_and(|drained| drained.offset < head.offset)
                && !self.ahead.iter().any(|ahead| ahead.at == head);
            if self.forks_at(head) || (is_ahead && self.ahead.len() == AHEAD_MAX) {
                // One of the two is out of date. A position that is read from now on is not, and the
                // next that is brought, or posted, counts.
                self.lose_place(None, lagging);
                return GoLive::Behind;
            }
            if self.drained.is_some_and(|drained| drained.offset > head.offset) {
                return GoLive::Behind;
            }
            if is_ahead {
                self.ahead.push(Ahead { at: head, is_old: false });
            }
        }
        let Ok(skip_posts) = u16::try_from(self.turn.len()) else { return GoLive::Behind };
        let member = &mut self.members[member as usize];
        member.phase = Phase::Live;
        member.skip_until = head.map_or(0, |head| head.offset);
        // Posts without a position are skipped by their number; those with one by that.
        member.skip_posts = skip_posts;
        if self.tail.is_none() {
            (self.tail, self.drained) = (head, head);
        }
        GoLive::Live
    }

    /// What a live subscriber got last, when nothing of this turn waits for it.
    pub(super) fn place(&self, member: u32) -> Option<Option<Position>> {
        let member = &self.members[member as usize];
        let is_settled = member.phase == Phase::Live && self.turn.is_empty();
        is_settled.then(|| place_of(member, self.drained, &self.ahead))
    }

    /// Whether a reader is ahead of what came by.
    pub(super) fn has_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Lets those who are ahead since the last review read on for themselves.
    pub(super) fn review(&mut self, lagging: &mut Vec<Lagging>) {
        let (old, new): (Vec<_>, Vec<_>) = self.ahead.iter().partition(|ahead| ahead.is_old);
        for member in &mut self.members {
            let is_it = |old: &&Ahead| old.at.offset == member.skip_until;
            if let Some(Ahead { at, .. }) = old.iter().find(is_it)
                && member.phase == Phase::Live
            {
                lagging.push(fall_behind(member, self.slot, &self.name, Some(*at)));
            }
        }
        self.ahead = new.into_iter().map(|Ahead { at, .. }| Ahead { at, is_old: true }).collect();
    }

    /// Whether what came by here, or was read, is of another history than a position.
    fn forks_at(&self, head: Position) -> bool {
        let ahead = self.ahead.iter().map(|ahead| &ahead.at);
        let known = self.drained.iter().chain(&self.tail).chain(ahead);
        // Between the two ends, only the turn says what came by.
        let is_between = self.tail.is_some_and(|tail| head.offset < tail.offset);
        let turn = if is_between { &self.turn[..] } else { &[] };
        known.copied().chain(turn.iter().filter_map(position)).any(|at| forks(at, head))
    }

    /// Hands the turn to the subscribers.
    pub(super) fn drain<L, O: Outlet<L>>(
        &mut self,
        sessions: &Sessions<L>,
        outlet: &mut O,
        last: bool,
        lagging: &mut Vec<Lagging>,
    ) {
        if self.turn.is_empty() {
            return;
        }
        let turn = std::mem::take(&mut self.turn);
        let before = std::mem::replace(&mut self.drained, self.tail);
        let excepted: Vec<SessionKey> =
            turn.iter().filter_map(|post| sessions.by_client(post.except.as_deref()?)).collect();
        let first_offset = turn.iter().find_map(offset);
        let all: Vec<&Broadcast> = turn.iter().map(|post| &post.broadcast).collect();
        let brought =
            Turn { channel: &self.name, posts: &turn, number: std::cell::Cell::new(None) };
        let mut batches: Vec<(Encoding, O::Batch)> = Vec::new();
        for member in &mut self.members {
            if member.phase != Phase::Live {
                continue;
            }
            let Some(session) = sessions.find(member.session) else { continue };
            let whole = member.skip_posts == 0
                && !excepted.contains(&member.session)
                && first_offset.is_none_or(|first| first > member.skip_until);
            let delivery = if whole {
                let encoding = member.encoding;
                let known = batches.iter().position(|(other, _)| *other == encoding);
                let at = known.unwrap_or_else(|| {
                    batches.push((encoding, outlet.encode(encoding, &brought, &all)));
                    batches.len() - 1
                });
                outlet.deliver(&session.line, &batches[at].1, last)
            } else {
                let part = part(&turn, member, &session.client);
                member.skip_posts = 0;
                if part.is_empty() {
                    continue;
                }
                let batch = outlet.encode(member.encoding, &brought, &part);
                outlet.deliver(&session.line, &batch, last)
            };
            if delivery == Delivery::Full {
                let since = place_of(member, before, &self.ahead);
                lagging.push(fall_behind(member, self.slot, &self.name, since));
            }
        }
        let passed = self.drained.map_or(0, |drained| drained.offset);
        self.ahead.retain(|ahead| ahead.at.offset > passed);
        self.turn = turn;
        self.turn.clear();
    }
}

/// Whether two positions cannot be of one history.
fn forks(one: Position, other: Position) -> bool {
    one.epoch != other.epoch || (one.offset == other.offset && one.tag != other.tag)
}

/// From where a subscriber reads on: what came by last, or what it had read beyond that.
fn place_of(member: &Subscriber, at: Option<Position>, ahead: &[Ahead]) -> Option<Position> {
    let has = ahead.iter().map(|ahead| ahead.at).find(|at| at.offset == member.skip_until);
    has.filter(|has| at.is_none_or(|at| at.offset < has.offset)).or(at)
}

fn fall_behind(
    member: &mut Subscriber,
    slot: u32,
    channel: &ChannelName,
    since: Option<Position>,
) -> Lagging {
    member.phase = Phase::Lagging;
    let Subscriber { session, number, skip_until: has, .. } = *member;
    let subscription = SubscriptionKey { session, channel: slot, number };
    Lagging { subscription, channel: channel.clone(), since, has }
}

/// What of a turn is for this subscriber.
fn part<'a>(turn: &'a [Post], member: &Subscriber, client: &str) -> Vec<&'a Broadcast> {
    let for_it = turn.iter().enumerate().filter(|(index, post)| {
        let unseen = match offset(post) {
            Some(offset) => offset > member.skip_until,
            None => *index >= usize::from(member.skip_posts),
        };
        unseen && post.except.as_deref() != Some(client)
    });
    for_it.map(|(_, post)| &post.broadcast).collect()
}

fn offset(post: &Post) -> Option<u64> {
    position(post).map(|at| at.offset)
}

fn position(post: &Post) -> Option<Position> {
    match &post.broadcast {
        Broadcast::Publication(publication) => publication.position,
        Broadcast::Presence(_) | Broadcast::Typing(_) | Broadcast::Event(_) => None,
    }
}
