//! One thread of the server: its runtime, its lines, and what reaches them from elsewhere.

mod deadlines;
mod inbox;
mod look;

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_engine::{Broadcast, Hub, Lagging, Post};
use openline_protocol::{ChannelName, Position};
use tokio::sync::{mpsc, watch};

use crate::app::Mailing;
use crate::cluster::Handed;
use crate::connection;
use crate::exchange::{Fanout, Seat};
use crate::node::Node;
use crate::session::{self, Expelled};
use crate::socketio::engine::{self, Heartbeats};
use crate::socketio::{JOURNAL, Journal};

pub(crate) use deadlines::Deadlines;
pub(crate) use inbox::Inbox;
pub(crate) use look::{Look, look};

/// Connections that may wait for a shard. Others wait in the system's backlog.
const CONNECTIONS_MAX: usize = 256;

/// Posts of one turn.
const TURN_POSTS_MAX: usize = 1024;

/// How long lines have to take their leave when the server stops.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// A thread that serves lines.
pub(crate) struct Shard {
    pub(crate) index: u16,
    /// The lock is for the compiler's sake and for the rare visitor: only the shard's own thread
    /// looks in while it serves.
    hub: Mutex<Hub<Seat>>,
    pub(crate) inbox: Inbox,
    pub(crate) deadlines: Deadlines,
    /// Of connections of Engine.IO.
    pub(crate) heartbeats: Heartbeats,
    /// What was handed to its Socket.IO sockets. Who needs the hub too locks that first.
    journal: Mutex<Journal>,
}

/// What reaches a shard from elsewhere.
#[derive(Debug)]
pub(crate) enum ShardMessage {
    /// Something for the subscribers of a channel.
    Broadcast { channel: ChannelName, post: Post },
    /// What was missed of a channel is to be read by each of its subscribers.
    Lost(ChannelName, Position),
    /// Subscriptions that are ahead of what comes by are to be looked at.
    Review,
    /// Sessions that are to end.
    Expel(Arc<Expelled>),
    /// Somebody wants to know something.
    Look(Look),
    /// Something for more than a channel, or less.
    Mailing(Arc<Mailing>),
    /// Another node hands a request over.
    HandedOver(Box<Handed>),
}

impl ShardMessage {
    /// When what it carries was published, in milliseconds since 1970.
    fn published_at(&self) -> Option<u64> {
        match self {
            Self::Broadcast { post, .. } => match &post.broadcast {
                Broadcast::Publication(publication) => Some(publication.timestamp),
                _ => None,
            },
            Self::Lost(..)
            | Self::Review
            | Self::Expel(_)
            | Self::Look(_)
            | Self::Mailing(_)
            | Self::HandedOver(_) => None,
        }
    }
}

/// A shard and what it reads.
pub(crate) struct ShardInput {
    pub(crate) shard: Arc<Shard>,
    pub(crate) connections: mpsc::Sender<TcpStream>,
    arriving: mpsc::Receiver<TcpStream>,
}

/// The shards of a server.
pub(crate) fn inputs(threads: NonZeroUsize) -> Vec<ShardInput> {
    let input = |index| {
        let (connections, arriving) = mpsc::channel(CONNECTIONS_MAX);
        let shard = Arc::new(Shard {
            index: u16::try_from(index).expect("there are fewer threads than that"),
            hub: Mutex::default(),
            inbox: Inbox::default(),
            deadlines: Deadlines::default(),
            heartbeats: Heartbeats::default(),
            journal: Mutex::new(Journal::new(JOURNAL)),
        });
        ShardInput { shard, connections, arriving }
    };
    (0..threads.get()).map(input).collect()
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("index", &self.index).finish_non_exhaustive()
    }
}

impl Shard {
    /// The sessions of this thread. Not to be held across an await.
    pub(crate) fn hub(&self) -> MutexGuard<'_, Hub<Seat>> {
        self.hub.lock().expect("nothing under this lock panics")
    }

    /// What was handed to its Socket.IO sockets. Not to be held across an await.
    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().expect("nothing under this lock panics")
    }

    /// Works through a turn's messages; returns the subscriptions that fell behind.
    fn turn(self: &Arc<Self>, messages: &mut Vec<ShardMessage>, node: &Arc<Node>) -> Vec<Lagging> {
        let oldest = messages.iter().find_map(ShardMessage::published_at);
        let mut hub = self.hub();
        let mut fanout = Fanout::new(self, node);
        for message in messages.drain(..) {
            match message {
                ShardMessage::Broadcast { channel, post } => hub.post(&channel, post),
                ShardMessage::Lost(channel, head) => {
                    // What was posted before it still follows on what they have.
                    hub.drain_turn(&mut fanout);
                    hub.lose_place(&channel, Some(head));
                }
                ShardMessage::Review => hub.review(),
                ShardMessage::Expel(expelled) => {
                    expelled.close_among(&hub, node.verifier.revocations())
                }
                ShardMessage::Look(look) => look.answer(&hub),
                ShardMessage::Mailing(mailing) => {
                    // What was posted before it goes before it.
                    hub.drain_turn(&mut fanout);
                    mailing.deliver(&hub, &mut fanout);
                }
                ShardMessage::HandedOver(handed) => {
                    tokio::spawn(handed.serve(self.clone(), node.clone()));
                }
            }
        }
        hub.drain_turn(&mut fanout);
        node.metrics.delivered(&fanout.delivered);
        drop(fanout);
        if let Some(oldest) = oldest {
            let now = node.exchange.clock.now_ms();
            node.metrics.delivery_latency(now.saturating_sub(oldest));
        }
        let lagging = hub.take_lagging();
        for behind in &lagging {
            if let Some(seat) = hub.line(behind.subscription.session()) {
                seat.line.left(&behind.channel);
            }
        }
        lagging
    }

    fn close_all(&self) {
        for (_, seat) in self.hub().lines() {
            seat.line.server_stops();
        }
    }
}

/// Serves until `stop` turns true. It does not fail, but a thread's work may.
pub(crate) async fn run(
    input: ShardInput,
    node: Arc<Node>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let ShardInput { shard, connections, arriving } = input;
    // The accepting thread holds the other end; ours would keep it open.
    drop(connections);
    tokio::spawn(deliver_all(shard.clone(), node.clone()));
    tokio::spawn(deadlines::watch(shard.clone(), node.clone()));
    tokio::spawn(engine::watch(shard.clone(), node.clone()));
    tokio::select! {
        () = serve_all(arriving, &shard, &node) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    shard.close_all();
    shard.heartbeats.close_all();
    tokio::time::sleep(STOP_GRACE).await;
    shard.heartbeats.clear();
    node.engine.clear();
    Ok(())
}

/// One turn after the other: all that has come by then goes out in one write for each line.
async fn deliver_all(shard: Arc<Shard>, node: Arc<Node>) {
    let mut messages = Vec::new();
    loop {
        shard.inbox.take(&mut messages, TURN_POSTS_MAX).await;
        // A turn writes to as many lines as there are subscribers. The runtime's budget, which is for
        // tasks that could go on for ever, would make it hand all but the first to their own tasks.
        let turn = async { shard.turn(&mut messages, &node) };
        for lagging in tokio::task::unconstrained(turn).await {
            tokio::spawn(session::catch_up(lagging, shard.clone(), node.clone()));
        }
        // However much comes, the lines have their turn.
        tokio::task::yield_now().await;
    }
}

/// Serves the connections that are dealt to this shard, until no more can come.
async fn serve_all(mut arriving: mpsc::Receiver<TcpStream>, shard: &Arc<Shard>, node: &Arc<Node>) {
    while let Some(stream) = arriving.recv().await {
        // What cannot be watched cannot be served: out of memory, and the client is told by the end.
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { continue };
        tokio::spawn(connection::serve(stream, shard.clone(), node.clone()));
    }
}
