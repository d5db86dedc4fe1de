//! A thread of the server: its hub, and the driver that the crate's documentation describes.

use std::collections::VecDeque;
use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::{
    Broadcast, Delivery, Encoding, GoLive, Hub, Lagging, Outlet, Post, Recovery, SessionKey,
    SubscriptionKey, Turn,
};
use openline_protocol::{ChannelName, Position, Publication, Reason};

use super::bug::LineBug;
use super::model::index;
use super::random::Random;

/// Who published, and where the answer goes.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    pub(crate) shard: usize,
    pub(crate) line: usize,
    pub(crate) channel: usize,
    pub(crate) value: ByteString,
    pub(crate) key: Option<ByteString>,
    pub(crate) except: Option<Arc<str>>,
}

/// What became of a publication, as its publisher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Kept,
    Refused,
    /// Nobody knows.
    Unknown,
}

/// What a shard asks the owner.
pub(crate) enum Request {
    Join {
        session: SessionKey,
        line: usize,
        client: Arc<str>,
        channel: ChannelName,
        since: Option<Position>,
    },
    Leave {
        channel: ChannelName,
        client: Arc<str>,
    },
    Update {
        channel: ChannelName,
        client: Arc<str>,
        status: Arc<str>,
    },
    Read(Reader),
    Publish(Publisher),
}

/// What the owner answers.
pub(crate) enum Answer {
    Joined {
        session: SessionKey,
        line: usize,
        client: Arc<str>,
        channel: ChannelName,
        since: Option<Position>,
    },
    /// None on a channel without history.
    Read {
        reader: Reader,
        recovery: Option<Recovery>,
    },
    Published {
        line: usize,
        channel: usize,
        value: ByteString,
        outcome: Outcome,
    },
}

/// What arrives for the subscribers of a channel.
#[derive(Debug)]
pub(crate) enum Arrival {
    Post(Post),
    /// What they got last cannot be gone on from; what comes next follows on this.
    Lost(Position),
    /// Of no channel: whoever is ahead is looked at.
    Review,
}

/// A subscription that reads what it missed.
pub(crate) struct Reader {
    subscription: SubscriptionKey,
    line: usize,
    pub(crate) channel: ChannelName,
    /// It has what is up to this offset. None for one that begins.
    behind: Option<u64>,
    pub(crate) asks: Option<Position>,
    /// Where it began.
    since: Option<Position>,
    broken: Option<(Reason, Position)>,
    read: Vec<Arc<Publication>>,
}

impl Reader {
    /// Whether it is a subscription that begins.
    pub(crate) fn begins(&self) -> bool {
        self.behind.is_none()
    }
}

/// What a client gets.
#[derive(Debug, Clone)]
pub(crate) enum Frame {
    Publication(Arc<Publication>),
    Subscribed {
        channel: ChannelName,
        /// From where on the client has all; where it asked for, unless that was not to be had.
        since: Option<Position>,
        /// What was missed, or why it is not to be had and where the client goes on.
        missed: Result<Vec<Arc<Publication>>, (Reason, Position)>,
        head: Option<Position>,
    },
    Unsubscribed(ChannelName),
    Unrecovered {
        channel: ChannelName,
        reason: Reason,
        since: Position,
        head: Position,
    },
    Published {
        channel: usize,
        value: ByteString,
        outcome: Outcome,
    },
    Other,
}

impl Frame {
    /// What it is, in which channel, and where.
    pub(crate) fn label(&self) -> Label {
        let place = |what, name: &ChannelName, position| Label {
            what,
            channel: Some(index(name.as_str())),
            position,
        };
        match self {
            Self::Publication(publication) => {
                place("sees", &publication.channel, publication.position)
            }
            Self::Subscribed { channel, missed: Ok(_), head, .. } => {
                place("is subscribed to", channel, *head)
            }
            Self::Subscribed { channel, missed: Err((_, head)), .. } => {
                place("is subscribed anew to", channel, Some(*head))
            }
            Self::Unsubscribed(channel) => place("is not subscribed to", channel, None),
            Self::Unrecovered { channel, head, .. } => {
                place("is told of a gap in", channel, Some(*head))
            }
            Self::Published { channel, outcome, .. } => {
                let what = match outcome {
                    Outcome::Kept => "has published to",
                    Outcome::Refused => "may not publish to",
                    Outcome::Unknown => "has perhaps published to",
                };
                Label { what, channel: Some(*channel), position: None }
            }
            Self::Other => Label { what: "is told who is there", channel: None, position: None },
        }
    }
}

/// A frame in short.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label {
    pub(crate) what: &'static str,
    pub(crate) channel: Option<usize>,
    pub(crate) position: Option<Position>,
}

/// What a client has not read yet.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) inbox: VecDeque<Frame>,
    pub(crate) closed: bool,
}

pub(crate) struct Shard {
    pub(crate) hub: Hub<usize>,
    pub(crate) requests: VecDeque<Request>,
    pub(crate) answers: VecDeque<Answer>,
    pub(crate) posts: VecDeque<(ChannelName, Arrival)>,
    behind: Vec<Lagging>,
    /// It is going to work.
    pub(crate) is_awake: bool,
    /// Something may wait to be drained.
    pub(crate) is_dirty: bool,
    frames_max: usize,
    bug: Option<LineBug>,
}

impl Shard {
    pub(crate) fn new(frames_max: usize, bug: Option<LineBug>) -> Self {
        Self {
            hub: Hub::default(),
            requests: VecDeque::new(),
            answers: VecDeque::new(),
            posts: VecDeque::new(),
            behind: Vec::new(),
            is_awake: false,
            is_dirty: false,
            frames_max,
            bug,
        }
    }

    pub(crate) fn handle(&mut self, answer: Answer, lines: &mut [Line]) {
        match answer {
            Answer::Joined { session, line, client, channel, since } => {
                match self.hub.subscribe(session, &channel) {
                    Ok(subscription) => self.requests.push_back(Request::Read(Reader {
                        subscription,
                        line,
                        channel,
                        behind: None,
                        asks: since,
                        since,
                        broken: None,
                        read: Vec::new(),
                    })),
                    Err(_) => self.requests.push_back(Request::Leave { channel, client }),
                }
            }
            Answer::Read { reader, recovery } => self.go_live(reader, recovery, lines),
            Answer::Published { line, channel, value, outcome } => {
                lines[line].inbox.push_back(Frame::Published { channel, value, outcome });
            }
        }
    }

    fn go_live(&mut self, mut reader: Reader, recovery: Option<Recovery>, lines: &mut [Line]) {
        let head = recovery.as_ref().map(|recovery| recovery.head);
        match recovery.map(|recovery| recovery.missed) {
            Some(Ok(missed)) => reader.read.extend(missed),
            Some(Err(reason)) => {
                // The first reason is that of what the client asked for.
                let reason = reader.broken.map_or(reason, |(first, _)| first);
                reader.broken = head.map(|head| (reason, head));
                reader.read.clear();
            }
            None => {}
        }
        reader.since = reader.since.or(head);
        let joins = head.filter(|_| self.bug != Some(LineBug::SkipMerge));
        match self.hub.go_live(reader.subscription, joins) {
            GoLive::Live => hand_over(reader, head, &mut lines[..]),
            GoLive::Behind => {
                reader.asks = head;
                self.requests.push_back(Request::Read(reader));
            }
            GoLive::Ended => {}
        }
    }

    /// Takes what arrived first.
    pub(crate) fn take_post(&mut self) {
        match self.posts.pop_front() {
            Some((channel, Arrival::Post(post))) => self.hub.post(&channel, post),
            Some((channel, Arrival::Lost(head))) => self.hub.lose_place(&channel, Some(head)),
            Some((_, Arrival::Review)) => self.hub.review(),
            None => {}
        }
    }

    /// Ends a subscription that could not begin.
    pub(crate) fn refuse(&mut self, reader: Reader, lines: &mut [Line]) {
        let session = reader.subscription.session();
        if !self.hub.holds(reader.subscription) {
            return;
        }
        if let Some(client) = self.hub.client_of(session).cloned() {
            self.unsubscribe(session, &client, &reader.channel, &mut lines[reader.line]);
        }
    }

    /// Subscriptions fell behind.
    pub(crate) fn is_behind(&self) -> bool {
        !self.behind.is_empty()
    }

    pub(crate) fn drain(&mut self, lines: &mut [Line], random: &mut Random) {
        let mut outlet =
            Lines { lines, frames_max: self.frames_max, bug: self.bug, random, held: Vec::new() };
        self.hub.drain_turn(&mut outlet);
        self.behind.extend(self.hub.take_lagging());
    }

    /// Lets a subscription whose line has room again read what it missed.
    pub(crate) fn resume(&mut self, lines: &[Line], random: &mut Random) {
        if self.behind.is_empty() {
            return;
        }
        let lagging = self.behind.swap_remove(random.index(self.behind.len()));
        let Some(line) = self.hub.line(lagging.subscription.session()).copied() else { return };
        if lines[line].inbox.len() > self.frames_max / 2 {
            self.behind.push(lagging);
            return;
        }
        let Lagging { subscription, channel, since, has } = lagging;
        match since.filter(|_| self.bug != Some(LineBug::SkipCatchUp)) {
            Some(_) => self.requests.push_back(Request::Read(Reader {
                subscription,
                line,
                channel,
                behind: Some(has),
                asks: since,
                since,
                broken: None,
                read: Vec::new(),
            })),
            None => _ = self.hub.go_live(subscription, None),
        }
    }

    pub(crate) fn unsubscribe(
        &mut self,
        session: SessionKey,
        client: &Arc<str>,
        channel: &ChannelName,
        line: &mut Line,
    ) {
        if self.hub.unsubscribe(session, channel) {
            let (channel, client) = (channel.clone(), client.clone());
            self.requests.push_back(Request::Leave { channel, client });
        }
        line.inbox.push_back(Frame::Unsubscribed(channel.clone()));
    }

    pub(crate) fn close(&mut self, session: SessionKey, client: &Arc<str>) {
        let Some((_, channels)) = self.hub.close(session) else { return };
        let leave = |channel| Request::Leave { channel, client: client.clone() };
        self.requests.extend(channels.into_iter().map(leave));
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.requests.is_empty()
            && self.answers.is_empty()
            && self.posts.is_empty()
            && self.behind.is_empty()
    }
}

fn hand_over(reader: Reader, head: Option<Position>, lines: &mut [Line]) {
    let Reader { line, channel, behind, since, broken, read, .. } = reader;
    let inbox = &mut lines[line].inbox;
    let Some(has) = behind else {
        let missed = match broken {
            None => Ok(read),
            Some(broken) => {
                let head = Some(broken.1);
                inbox.push_back(Frame::Subscribed { channel, since, missed: Err(broken), head });
                inbox.extend(read.into_iter().map(Frame::Publication));
                return;
            }
        };
        inbox.push_back(Frame::Subscribed { channel, since, missed, head });
        return;
    };
    let has = match broken.zip(since) {
        Some(((reason, head), since)) => {
            inbox.push_back(Frame::Unrecovered { channel, reason, since, head });
            0
        }
        None => has,
    };
    let unseen = |publication: &Arc<Publication>| {
        publication.position.is_some_and(|position| position.offset > has)
    };
    inbox.extend(read.into_iter().filter(unseen).map(Frame::Publication));
}

struct Lines<'a> {
    lines: &'a mut [Line],
    frames_max: usize,
    bug: Option<LineBug>,
    random: &'a mut Random,
    /// Frames that wait to be swapped.
    held: Vec<Frame>,
}

impl Outlet<usize> for Lines<'_> {
    type Batch = Vec<Frame>;

    fn encode(&mut self, _: Encoding, _: &Turn<'_>, broadcasts: &[&Broadcast]) -> Vec<Frame> {
        let frame = |broadcast: &&Broadcast| match broadcast {
            Broadcast::Publication(publication) => Frame::Publication(publication.clone()),
            Broadcast::Presence(_) | Broadcast::Typing(_) | Broadcast::Event(_) => Frame::Other,
        };
        broadcasts.iter().map(frame).collect()
    }

    fn deliver(&mut self, line: &usize, batch: &Vec<Frame>, _: bool) -> Delivery {
        let line = &mut self.lines[*line];
        if line.closed {
            return Delivery::Closed;
        }
        if line.inbox.len() >= self.frames_max {
            return Delivery::Full;
        }
        for frame in batch {
            match self.bug {
                Some(LineBug::DropOne) if self.random.one_in(1000) => {}
                Some(LineBug::DeliverTwice) if self.random.one_in(1000) => {
                    line.inbox.extend([frame.clone(), frame.clone()]);
                }
                Some(LineBug::SwapTwo) if self.random.one_in(100) => self.held.push(frame.clone()),
                _ => line.inbox.push_back(frame.clone()),
            }
        }
        line.inbox.extend(self.held.drain(..));
        Delivery::Taken
    }
}
