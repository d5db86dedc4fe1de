//! Who gets what, in which order, and how it is recovered: Openline's channels without I/O.
//!
//! Time, random numbers and what happened come in as arguments; what is to be done comes out. So
//! thousands of random histories run in a second, and a failure is found again by its seed.
//!
//! - [`Stream`], [`Streams`]: the entries of channels with history, in their one order; positions,
//!   recovery, retries.
//! - [`Directory`], [`Roster`]: who listens where, and what changed about them.
//! - [`Feed`]: what a node listens to, of channels that are ordered elsewhere; what it may have missed
//!   is read, or declared lost.
//! - [`Peers`]: which other nodes there are; [`News`]: what they say about who is with them.
//! - [`Hub`]: the sessions of one thread; what each gets in a turn of the thread's loop.
//! - [`Journal`]: what they got, for those that lost their connection and come back.
//!
//! # The way of a publication
//! [`Streams::order`] gives it its place; once it is stored, [`Streams::settle`] makes it visible.
//! [`Directory::shards`] names the threads that have subscribers; on each, [`Hub::post`] puts it into
//! the turn and [`Hub::drain_turn`] hands it to the lines.
//!
//! # The way of a subscription
//! [`Directory::join`] first, so that nothing is missed from here on; then [`Hub::subscribe`]; then
//! [`Streams::recover`] or [`Streams::query`] for what was before; then [`Hub::go_live`] with the
//! head of that, which skips what is on its way and was read already. If it answers
//! [`GoLive::Live`], what was read is handed to the line at once, before the next
//! [`Hub::drain_turn`]. If [`GoLive::Behind`], more went by meanwhile than was read: the caller reads
//! on from the head that it has, and tries again. If [`GoLive::Ended`], what was read is dropped, and
//! whoever ended the subscription owed the [`Directory::leave`].
//!
//! A subscription in [`Hub::take_lagging`] goes the same way from [`Lagging::since`] once its line
//! has room; what it reads up to [`Lagging::has`] it had already, unless the reading failed.
//!
//! # Not here
//! Sockets, files, encodings, who may do what: the server's work.
//!
//! *Invariant:* nothing in this crate reads a clock or a source of random numbers, and no answer
//! depends on the order in which a hash map lists its keys, but for [`Streams::names`] and
//! [`Directory::channels`] and its like, which say so.

mod directory;
mod excerpt;
mod feed;
mod hub;
mod journal;
mod judge;
mod keys;
mod news;
mod peers;
mod roster;
mod stream;
mod streams;

pub use directory::{Directory, Effect, ShardIndex};
pub use excerpt::Excerpt;
pub use feed::{Feed, FeedEffect, FeedLimits, NoAnswer};
pub use hub::{
    Broadcast, Delivery, Encoding, Event, GoLive, Hub, Lagging, NotSubscribed, Outlet, Post,
    PresenceChange, SessionKey, SubscriptionKey, Turn, Typing,
};
pub use journal::{Journal, JournalLimits, Missed, Receivers, Returning};
pub use news::{Mark, News, Part};
pub use peers::{Heartbeat, LEASE_MS, NodeKey, Peer, Peers, Ticked};
pub use roster::{Change, Heard, MemberPage, Roster, TellLimits};
pub use stream::{Extent, History, Page, PageLimits, Query, Recovery, Settled, Stream};
pub use streams::{Draft, Ordered, Streams, Swept};
