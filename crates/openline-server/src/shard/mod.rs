//! One thread of the server: its runtime, its lines, and what reaches them from elsewhere.

mod arrivals;
mod deadlines;
mod departures;
mod inbox;
mod look;

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_engine::{Broadcast, Hub, Lagging, Post};
use openline_protocol::{ChannelName, Position};
use tokio::sync::mpsc;

use crate::app::Mailing;
use crate::cluster::Handed;
use crate::connection;
use crate::exchange::{Fanout, Seat};
use crate::node::Node;
use crate::overload::{Level, Waiting, relieve};
use crate::session::{self, Expelled};
use crate::socketio::engine::{self, Heartbeats};
use crate::socketio::{JOURNAL, Journal};

pub(crate) use arrivals::Arrivals;
pub(crate) use deadlines::Deadlines;
pub(crate) use departures::{Departure, Departures, Leaving, Parked};
pub(crate) use inbox::Inbox;
pub(crate) use look::{Look, look, turn};

/// Connections that may wait for a shard. Others wait in the system's backlog.
const CONNECTIONS_MAX: usize = 256;

/// Posts of one turn.
const TURN_POSTS_MAX: usize = 1024;

/// How long lines have to take their leave when the server stops, and connections that were accepted to be
/// answered.
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
    /// What waits for its lines, as it was weighed last.
    pub(crate) waiting: Waiting,
    /// What was handed to its Socket.IO sockets. Who needs the hub too locks that first.
    journal: Mutex<Journal>,
    /// Its lines that another process is to go on with.
    pub(crate) departures: Departures,
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
    /// Memory runs short.
    Relieve(Level),
    /// What waits for its lines is to be weighed.
    Weigh,
    /// Another node hands a request over.
    HandedOver(Box<Handed>),
    /// Lines are to go to another process.
    Departure(Departure),
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
            | Self::Relieve(_)
            | Self::Weigh
            | Self::Mailing(_)
            | Self::HandedOver(_)
            | Self::Departure(_) => None,
        }
    }
}

/// A shard and what it reads.
pub(crate) struct ShardInput {
    pub(crate) shard: Arc<Shard>,
    pub(crate) connections: mpsc::Sender<TcpStream>,
    arriving: mpsc::Receiver<TcpStream>,
    /// Lines of the process before.
    pub(crate) arrivals: Option<Arrivals>,
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
            waiting: Waiting::default(),
            journal: Mutex::new(Journal::new(JOURNAL)),
            departures: Departures::default(),
        });
        ShardInput { shard, connections, arriving, arrivals: None }
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
                ShardMessage::Expel(expelled) => expelled.close_among(&hub, &node.revocations),
                ShardMessage::Look(look) => look.answer(&hub),
                ShardMessage::Relieve(level) => node.log.shed(relieve(&hub, level)),
                ShardMessage::Weigh => self.waiting.weigh(&hub),
                ShardMessage::Mailing(mailing) => {
                    // What was posted before it goes before it.
                    hub.drain_turn(&mut fanout);
                    mailing.deliver(&hub, &mut fanout);
                }
                ShardMessage::HandedOver(handed) => {
                    tokio::spawn(handed.serve(self.clone(), node.clone()));
                }
                ShardMessage::Departure(departure) => {
                    // What was posted before it reaches the lines first.
                    let (shard, node) = (self.clone(), node.clone());
                    tokio::spawn(async move { departure.act(&shard, &node) });
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

/// Serves until the server stops. It does not fail, but a thread's work may.
pub(crate) async fn run(input: ShardInput, node: Arc<Node>) -> io::Result<()> {
    let ShardInput { shard, connections, arriving, arrivals } = input;
    // The accepting thread holds the other end; ours would keep it open.
    drop(connections);
    tokio::spawn(deliver_all(shard.clone(), node.clone()));
    tokio::spawn(deadlines::watch(shard.clone(), node.clone()));
    tokio::spawn(engine::watch(shard.clone(), node.clone()));
    if let Some(arrivals) = arrivals {
        tokio::select! {
            () = arrivals.go_on(&shard, &node) => {}
            () = node.lifecycle.stopped() => {}
        }
    }
    let mut serving = pin!(serve_all(arriving, &shard, &node));
    let mut is_served = false;
    tokio::select! {
        () = &mut serving => {
            is_served = true;
            // Where another process accepts by now, those who are here stay until their turn.
            if !node.lifecycle.is_serving() {
                node.lifecycle.stopped().await;
            }
        }
        () = node.lifecycle.stopped() => {}
    }
    shard.close_all();
    shard.heartbeats.close_all();
    let grace = tokio::time::sleep(STOP_GRACE);
    if is_served {
        grace.await;
    } else {
        // Nobody else will answer who was accepted and waits here.
        tokio::join!(grace, tokio::time::timeout(STOP_GRACE, serving)).1.ok();
    }
    shard.heartbeats.clear();
    shard.departures.clear();
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::{Read as _, Write as _};
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;
    use crate::node;

    #[tokio::test]
    async fn who_was_accepted_before_a_stop_is_answered() {
        // Which of two things that are ready is looked at first is drawn.
        for _ in 0..6 {
            let input = inputs(NonZeroUsize::MIN).remove(0);
            let node = Arc::new(node::for_test([input.shard.clone()].into()));
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            client.write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            let (accepted, _) = listener.accept().unwrap();
            accepted.set_nonblocking(true).unwrap();
            input.connections.try_send(accepted).unwrap();
            node.lifecycle.stop();
            tokio::time::timeout(2 * STOP_GRACE, run(input, node)).await.unwrap().unwrap();
            let mut answer = [0; 12];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
        }
    }
}
