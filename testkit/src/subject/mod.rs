//! [`Subject`]: the server under test, as its clients see it.

pub mod openline;

use std::net::SocketAddr;
use std::pin::Pin;

use crate::history::{Entry, Place};
use crate::seed::Seed;

pub use openline::Openline;

/// A future that is as long as what it borrows.
pub type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A server that can be checked. Positions are text that it wrote; what they mean only
/// [`Subject::place`] knows.
pub trait Subject: Send + Sync {
    /// Its name, for the report.
    fn name(&self) -> &'static str;

    /// The kinds of clients that can subscribe. Readers are dealt out to them evenly.
    fn clients(&self) -> Vec<String>;

    /// Whether the offsets of a channel follow each other without gaps. Otherwise what is missing is
    /// found out by what was acknowledged alone.
    fn is_contiguous(&self) -> bool;

    /// How many missed messages it gives back at one time.
    fn recovery_max(&self) -> u64;

    /// What a position means; none if it is not one of this server's.
    fn place(&self, position: &str) -> Option<Place>;

    /// A position that looks right but was never written, like this one.
    fn forged(&self, position: &str, seed: &mut Seed) -> Option<String>;

    /// Makes a line for a reader.
    fn connect<'a>(
        &'a self,
        client: &'a str,
        address: SocketAddr,
    ) -> Doing<'a, Result<Box<dyn Line>, String>>;

    /// Makes a line for a publisher.
    fn connect_publisher(&self, address: SocketAddr) -> Doing<'_, Result<Box<dyn Pen>, String>>;

    /// Publishes by a request of its own, as backends do.
    fn publish<'a>(&'a self, address: SocketAddr, message: &'a Message) -> Doing<'a, Outcome>;

    /// What is kept of a channel: where it is, and its messages, oldest first.
    fn stored<'a>(&'a self, address: SocketAddr, channel: &'a str) -> Doing<'a, Stored>;
}

/// What [`Subject::stored`] gives.
pub type Stored = Result<(Option<Place>, Vec<Entry>), String>;

/// A reader's client. It is dropped to end it.
pub trait Line: Send {
    /// Whether it comes back by itself when its connection is lost, and goes on where it was.
    fn comes_back(&self) -> bool;

    /// Asks for a subscription, from behind this position if there is one. What comes of it is heard.
    fn subscribe<'a>(
        &'a mut self,
        channel: &'a str,
        position: Option<&'a str>,
    ) -> Doing<'a, Result<(), String>>;

    /// Ends a subscription. Nothing of it is heard after [`Heard::Left`].
    fn unsubscribe<'a>(&'a mut self, channel: &'a str) -> Doing<'a, Result<(), String>>;

    /// The next thing that is heard. An error means that the line is over. Nothing is lost when the
    /// future is dropped before it is ready.
    fn heard(&mut self) -> Doing<'_, Result<Heard, String>>;
}

/// A publisher's line.
pub trait Pen: Send {
    /// Publishes, and waits for the answer.
    fn publish<'a>(&'a mut self, message: &'a Message) -> Doing<'a, Outcome>;
}

/// What is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where to.
    pub channel: String,
    /// The payload.
    pub value: String,
    /// Under which key.
    pub key: String,
}

/// What came of a publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was acknowledged.
    Published {
        /// Where it stands.
        position: Option<String>,
        /// How safely it is kept.
        level: Option<String>,
        /// Whether the key was known.
        duplicate: bool,
    },
    /// It was refused, and was not published.
    Refused(String),
    /// Whether it was published is not known. The line is over if `lost`.
    Unknown {
        /// Why.
        why: String,
        /// Whether the line cannot be used any more.
        lost: bool,
    },
}

/// What a reader hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A subscription was given.
    Subscribed {
        /// To what.
        channel: String,
        /// Where the channel is.
        position: Option<String>,
        /// Whether what was missed follows, if that is told.
        recovered: Option<bool>,
        /// Why not.
        reason: Option<String>,
    },
    /// It was refused.
    Refused {
        /// To what.
        channel: String,
        /// Why.
        code: String,
    },
    /// A message.
    Message {
        /// Of which channel.
        channel: String,
        /// The payload.
        value: String,
        /// Where it stands.
        position: Option<String>,
    },
    /// Messages are missing.
    Unrecovered {
        /// Of which channel.
        channel: String,
        /// Why.
        reason: String,
        /// Where the channel goes on from.
        position: Option<String>,
    },
    /// A subscription is over.
    Left {
        /// To what.
        channel: String,
    },
}
