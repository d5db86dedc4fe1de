//! [`Backend`]: a store that several nodes share, with the means to hear what is published to it.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use openline_engine::{Draft, Extent, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Publication, Reason};
use tokio::sync::mpsc;

use crate::broker::{BrokerError, NodeId, Published};

/// What a backend reports, in the order in which it came.
#[derive(Debug)]
pub(crate) enum Report {
    /// The next entry of a channel that is subscribed to, as its store ordered it; or one without a
    /// position on a channel without history. One's own come too.
    Published { publication: Arc<Publication>, except: Option<Arc<str>> },
    /// Another node said something to those who listen to a channel.
    Emitted { from: NodeId, channel: ChannelName, said: Bytes },
    /// Another node said something to all, or to this one.
    Told { from: NodeId, said: Bytes },
    /// The connection is lost: nothing is heard from here on, and all subscriptions are gone. It
    /// says why.
    Down(String),
    /// The connection is there: also said when it is there for the first time. What is said to all
    /// nodes and to this one is heard again. Subscriptions have to be made anew.
    Up,
}

/// A store that several nodes share. It connects by itself and again, with a growing delay of at
/// most a second. None of its calls waits for a connection for longer than its timeout:
/// [`BrokerError::Unavailable`] is the answer then. All futures are run on the thread and the
/// runtime of the shared broker, many at a time.
pub(crate) trait Backend: Send + Sync + 'static {
    /// Begins, and reports to `reports` for as long as it lives.
    fn start(&self, reports: mpsc::UnboundedSender<Report>);

    /// Appends. The order in which the futures are first polled is the order of a channel's entries.
    fn publish(
        &self,
        draft: Draft,
        except: Option<Arc<str>>,
    ) -> impl Future<Output = Result<Published, BrokerError>> + Send;

    /// What a reader at `since` missed.
    fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> impl Future<Output = Result<Recovery, BrokerError>> + Send;

    /// A part of a channel's history.
    fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> impl Future<Output = Result<Result<Page, Reason>, BrokerError>> + Send;

    /// Where channels are; none for one on which nothing was published that has a position. In the
    /// order of `channels`.
    fn heads(
        &self,
        channels: &[ChannelName],
    ) -> impl Future<Output = Result<Vec<Option<Position>>, BrokerError>> + Send;

    /// How much a channel keeps.
    fn extent(
        &self,
        channel: &ChannelName,
    ) -> impl Future<Output = Result<Option<Extent>, BrokerError>> + Send;

    /// Forgets the history of a channel.
    fn clear(&self, channel: &ChannelName) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Hears of these channels from now on: what is published to them after it is ready is reported.
    fn subscribe(
        &self,
        channels: &[ChannelName],
    ) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Does not any more.
    fn unsubscribe(&self, channels: &[ChannelName]) -> impl Future<Output = ()> + Send;

    /// As in [`Link`](crate::broker::Link).
    fn emit(&self, channel: &ChannelName, said: Bytes) -> impl Future<Output = ()> + Send;

    /// As in [`Link`](crate::broker::Link).
    fn cast(&self, said: Bytes) -> impl Future<Output = ()> + Send;

    /// As in [`Link`](crate::broker::Link).
    fn tell(&self, node: NodeId, said: Bytes) -> impl Future<Output = ()> + Send;

    /// Of what it warns an operator, such as settings that keep less than is asked for; each once.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}
