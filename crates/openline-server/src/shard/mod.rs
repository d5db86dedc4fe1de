//! One thread of the server: its runtime, its lines, and the chat members among them.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_ws::tls::rustls::ServerConfig;
use openline_ws::{CloseCode, Prepared, Sender};
use tokio::sync::{mpsc, watch};

use crate::chat::Rooms;
use crate::connection;
use crate::guard::Guard;

/// Publications that may wait for a shard. A publisher waits when it is full.
const INBOX_MAX: usize = 1024;

/// Connections that may wait for a shard. Others wait in the system's backlog.
const CONNECTIONS_MAX: usize = 256;

/// How long lines have to take their leave when the server stops.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// What all shards share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) guard: Guard,
    pub(crate) rooms: Rooms,
    pub(crate) tls: Option<Arc<ServerConfig>>,
}

/// The address of a shard: its members, and where publications for them are posted.
///
/// The lock is for the compiler's sake and for the rare visitor: only the shard's own thread looks
/// into the table while it serves.
#[derive(Debug)]
pub(crate) struct Shard {
    /// By room and number.
    members: Mutex<HashMap<u64, HashMap<u64, Listener>>>,
    inbox: mpsc::Sender<Delivery>,
}

/// A member as its shard knows it.
#[derive(Debug)]
struct Listener {
    line: Sender,
    /// The last publication that it was told of in another way: as part of the history.
    heard: u64,
}

/// One publication for all members of a room on a shard: one message for each thread, not one for
/// each member.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    /// The room's id. Not its name: a room that was forgotten and one that took its name since are
    /// two.
    pub(crate) room: u64,
    /// Its place in the room's order.
    pub(crate) offset: u64,
    pub(crate) message: Prepared,
    /// A member that does not get it.
    pub(crate) except: Option<u64>,
}

/// A shard and what it reads.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) shard: Arc<Shard>,
    pub(crate) connections: mpsc::Sender<TcpStream>,
    inbox: mpsc::Receiver<Delivery>,
    arriving: mpsc::Receiver<TcpStream>,
}

/// The shards of a server.
pub(crate) fn posts(threads: NonZeroUsize) -> Vec<Post> {
    let post = |_| {
        let (sender, inbox) = mpsc::channel(INBOX_MAX);
        let (connections, arriving) = mpsc::channel(CONNECTIONS_MAX);
        let shard = Arc::new(Shard { members: Mutex::default(), inbox: sender });
        Post { shard, connections, inbox, arriving }
    };
    (0..threads.get()).map(post).collect()
}

impl Shard {
    /// Makes a line of this thread a member of a room: it hears what comes after `heard` in the
    /// room's order.
    pub(crate) fn join(&self, room: u64, member: u64, line: Sender, heard: u64) {
        self.members().entry(room).or_default().insert(member, Listener { line, heard });
    }

    /// Ends a membership.
    pub(crate) fn leave(&self, room: u64, member: u64) {
        let mut rooms = self.members();
        if let Some(members) = rooms.get_mut(&room) {
            members.remove(&member);
            if members.is_empty() {
                rooms.remove(&room);
            }
        }
    }

    /// Hands a publication over; waits while too many wait already.
    pub(crate) async fn post(&self, delivery: Delivery) {
        // A shard that is gone has no members.
        let _ = self.inbox.send(delivery).await;
    }

    /// Queues a publication for each member. Each line is written once, after all that this turn of
    /// the runtime brings.
    fn deliver(&self, delivery: &Delivery) {
        let rooms = self.members();
        for (member, listener) in rooms.get(&delivery.room).into_iter().flatten() {
            if delivery.except != Some(*member) && listener.heard < delivery.offset {
                // A line that does not keep up is closed by its queue; one that is closed leaves.
                let _ = listener.line.try_send_prepared(&delivery.message);
            }
        }
    }

    fn close_all(&self) {
        for listener in self.members().values().flat_map(HashMap::values) {
            let _ = listener.line.close(CloseCode::GOING_AWAY, "server stops");
        }
    }

    fn members(&self) -> MutexGuard<'_, HashMap<u64, HashMap<u64, Listener>>> {
        self.members.lock().expect("nothing under this lock panics")
    }
}

/// Serves until `stop` turns true. It does not fail, but a thread's work may.
pub(crate) async fn run(
    post: Post,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let Post { shard, connections, inbox, arriving } = post;
    // The accepting thread holds the other end; ours would keep it open.
    drop(connections);
    tokio::spawn(deliver_all(shard.clone(), inbox));
    tokio::select! {
        () = serve_all(arriving, &shard, &shared) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    shard.close_all();
    tokio::time::sleep(STOP_GRACE).await;
    Ok(())
}

async fn deliver_all(shard: Arc<Shard>, mut inbox: mpsc::Receiver<Delivery>) {
    while let Some(delivery) = inbox.recv().await {
        shard.deliver(&delivery);
    }
}

/// Serves the connections that are dealt to this shard, until no more can come.
async fn serve_all(
    mut arriving: mpsc::Receiver<TcpStream>,
    shard: &Arc<Shard>,
    shared: &Arc<Shared>,
) {
    while let Some(stream) = arriving.recv().await {
        // What cannot be watched cannot be served: out of memory, and the client is told by the end.
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { continue };
        tokio::spawn(connection::serve(stream, shard.clone(), shared.clone()));
    }
}
