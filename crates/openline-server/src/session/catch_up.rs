//! Subscriptions that fell behind: they read what they missed from the history, and go live again.
//! What waits for a slow line is so the channel's history and not a queue of its own.

use std::sync::Arc;

use openline_engine::{Broadcast, Delivery, GoLive, Lagging};
use openline_protocol::{Position, Publication, Reason, Reply};

use crate::config::SlowConsumer;
use crate::exchange::{Line, PAGE};
use crate::node::Node;
use crate::shard::Shard;

/// Publications handed to the line at a time.
const PIECE: usize = 64;

/// Brings a subscription up to date once its line has taken what waited for it.
pub(crate) async fn catch_up(lagging: Lagging, shard: Arc<Shard>, node: Arc<Node>) {
    let Lagging { subscription, channel, mut since, mut has } = lagging;
    let session = subscription.session();
    loop {
        let Some(line) = shard.hub().line(session).map(|seat| seat.line.clone()) else { return };
        if !line.drained().await {
            return;
        }
        let mut reached = since;
        if let Some(from) = since {
            let recovered = node.exchange.recover(&channel, from, &PAGE).await;
            let Ok(recovered) = recovered else {
                // The broker does not answer: the line's end makes the client come back with its
                // position, which is when it may answer again.
                return line
                    .close(openline_protocol::close::TRY_AGAIN_LATER, "history unavailable");
            };
            if !shard.hub().holds(subscription) {
                return;
            }
            node.metrics.recovered(recovered.missed.as_ref().map(Vec::len));
            reached = match recovered.missed {
                Ok(missed) => {
                    let mut missed = newest_only(missed, &node);
                    missed.0.retain(|p| p.position.is_some_and(|at| at.offset > has));
                    if missed.1 {
                        declare(&line, &channel, Reason::Limit, Some(recovered.head));
                    }
                    let reached = match hand_over(&line, &missed.0) {
                        Progress::Through => Some(recovered.head),
                        Progress::UpTo(position) => position.or(since),
                        Progress::Closed => return,
                    };
                    // It may have had more than `since` to begin with.
                    has = has.max(reached.map_or(0, |reached| reached.offset));
                    reached
                }
                Err(reason) => {
                    declare(&line, &channel, reason, Some(recovered.head));
                    has = recovered.head.offset;
                    Some(recovered.head)
                }
            };
            if reached != Some(recovered.head) {
                since = reached;
                continue;
            }
        } else {
            // Without positions nobody can tell what was missed.
            declare(&line, &channel, Reason::Limit, None);
        }
        let mut hub = shard.hub();
        match hub.go_live(subscription, reached) {
            GoLive::Behind => since = reached,
            GoLive::Live => return line.joined(&channel, reached),
            GoLive::Ended => return,
        }
    }
}

/// What of the missed publications is handed on, and whether that is not all of them.
fn newest_only(mut missed: Vec<Arc<Publication>>, node: &Node) -> (Vec<Arc<Publication>>, bool) {
    let conflates = node.exchange.config.limits.slow_consumer == SlowConsumer::Conflate;
    let leaves_out = conflates && missed.len() > 1;
    if leaves_out {
        missed.drain(..missed.len() - 1);
    }
    (missed, leaves_out)
}

/// How far a line took what was handed to it.
pub(super) enum Progress {
    Through,
    /// None: nothing yet.
    UpTo(Option<Position>),
    Closed,
}

/// Hands publications to the line, as many as it takes.
pub(super) fn hand_over(line: &Line, missed: &[Arc<Publication>]) -> Progress {
    let mut reached = None;
    for piece in missed.chunks(PIECE) {
        let broadcasts: Vec<_> =
            piece.iter().map(|publication| Broadcast::Publication(publication.clone())).collect();
        match line.deliver(&broadcasts.iter().collect::<Vec<_>>()) {
            Delivery::Taken => reached = piece.last().and_then(|last| last.position),
            Delivery::Full => return Progress::UpTo(reached),
            Delivery::Closed => return Progress::Closed,
        }
    }
    Progress::Through
}

pub(super) fn declare(
    line: &Line,
    channel: &openline_protocol::ChannelName,
    reason: Reason,
    position: Option<Position>,
) {
    line.reply(&Reply::Unrecovered { channel, reason, position });
}
