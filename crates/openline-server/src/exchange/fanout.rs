//! [`Fanout`]: how a turn's broadcasts get to the lines.

use std::sync::{Arc, MutexGuard};

use openline_engine::{Broadcast, Delivery, Encoding, Outlet, Receivers, Turn};

use super::line::{Batch, Line, Seat, encode};
use crate::app::Set;
use crate::node::Node;
use crate::shard::Shard;
use crate::socketio::{self, FIRST_ENCODING, Journal, engine};

/// Hands a turn's broadcasts to the lines. The hub is locked meanwhile.
pub(crate) struct Fanout<'a> {
    node: &'a Node,
    shard: &'a Shard,
    /// Held from the first thing that goes to sockets to the end of the turn, so that the numbers are
    /// given in the order in which things are handed over.
    journal: Option<MutexGuard<'a, Journal>>,
    pub(crate) delivered: Delivered,
}

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    /// Batches that lines took, and lines that had no room.
    pub(crate) taken: u64,
    pub(crate) full: u64,
    /// The messages of those that were taken.
    pub(crate) messages: u64,
}

impl<'a> Fanout<'a> {
    pub(crate) fn new(shard: &'a Shard, node: &'a Node) -> Self {
        Self { node, shard, journal: None, delivered: Delivered::default() }
    }

    /// Encodes something that comes by no channel, or by several. Where nobody is said to get it later,
    /// its number is that of what went before it.
    pub(crate) fn encode_mail(
        &mut self,
        encoding: Encoding,
        broadcast: &Broadcast,
        to: Option<impl FnOnce() -> Receivers>,
    ) -> Batch {
        let Some(set) = self.namespace(encoding) else { return encode(encoding, &[broadcast]) };
        let number = self.journal().map(|(journal, now_ms)| match to {
            Some(to) => journal.mail(now_ms, to(), broadcast),
            None => journal.last(),
        });
        let messages: Vec<_> = socketio::messages(&set.namespace, broadcast, number).collect();
        Batch::Packets(engine::Batch::new(&messages))
    }

    /// The namespace whose sockets read this encoding.
    fn namespace(&self, encoding: Encoding) -> Option<&'a Arc<Set>> {
        let index = encoding.checked_sub(FIRST_ENCODING)?;
        self.node.operator.doors.namespaces.get(usize::from(index))
    }

    /// The journal and the time, where sockets come back.
    fn journal(&mut self) -> Option<(&mut Journal, u64)> {
        if self.node.settings().config.socketio.recovery.is_zero() {
            return None;
        }
        let journal = self.journal.get_or_insert_with(|| self.shard.journal());
        Some((journal, self.node.exchange.clock.now_ms()))
    }

    /// The numbers of a turn's posts are given when the first of its batches is encoded.
    fn number(&mut self, turn: &Turn<'_>) -> Option<u64> {
        if turn.number.get().is_none() {
            let (journal, now_ms) = self.journal()?;
            turn.number.set(Some(journal.post(now_ms, turn.channel, turn.posts)));
        }
        turn.number.get()
    }
}

impl Outlet<Seat> for Fanout<'_> {
    type Batch = Batch;

    fn encode(&mut self, encoding: Encoding, turn: &Turn<'_>, broadcasts: &[&Broadcast]) -> Batch {
        let Some(set) = self.namespace(encoding) else {
            #[cfg(feature = "seeded-bugs")]
            let broadcasts = &*crate::broker::seeded::handed_on(broadcasts);
            return encode(encoding, broadcasts);
        };
        let first = self.number(turn);
        let mut wanted = broadcasts.iter().copied().peekable();
        let mut messages = Vec::with_capacity(broadcasts.len());
        // What is wanted is in the order of the posts.
        for (post, index) in turn.posts.iter().zip(0..) {
            if wanted.next_if(|wanted| std::ptr::eq(*wanted, &post.broadcast)).is_some() {
                let number = first.map(|first| first + index);
                messages.extend(socketio::messages(&set.namespace, &post.broadcast, number));
            }
        }
        debug_assert!(wanted.next().is_none(), "what is encoded is a part of the turn");
        Batch::Packets(engine::Batch::new(&messages))
    }

    fn deliver(&mut self, seat: &Seat, batch: &Batch, last: bool) -> Delivery {
        let delivery = seat.line.hand_over(batch, last);
        match delivery {
            Delivery::Taken => {
                self.delivered.taken += 1;
                self.delivered.messages += batch.len() as u64;
            }
            Delivery::Full => {
                self.delivered.full += 1;
                if let Line::Mailbox(mailbox) = &seat.line
                    && mailbox.closes_when_full()
                {
                    mailbox.give_up();
                    return Delivery::Closed;
                }
            }
            Delivery::Closed => {}
        }
        delivery
    }
}
