//! One thread of the server: its runtime, its lines, and the chat members among them.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
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
    members: Mutex<HashMap<Arc<str>, HashMap<u64, Sender>>>,
    inbox: mpsc::Sender<Delivery>,
}

/// One publication for all members of a room on a shard: one message for each thread, not one for
/// each member.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) room: Arc<str>,
    pub(crate) message: Prepared,
    /// A member that does not get it.
    pub(crate) except: Option<u64>,
}

/// The addresses of the shards, and what each is to read.
pub(crate) fn posts(threads: NonZeroUsize) -> (Vec<Arc<Shard>>, Vec<mpsc::Receiver<Delivery>>) {
    (0..threads.get())
        .map(|_| {
            let (inbox, receiver) = mpsc::channel(INBOX_MAX);
            (Arc::new(Shard { members: Mutex::default(), inbox }), receiver)
        })
        .unzip()
}

impl Shard {
    /// Makes a line of this thread a member of a room.
    pub(crate) fn join(&self, room: &Arc<str>, member: u64, line: Sender) {
        self.members().entry(room.clone()).or_default().insert(member, line);
    }

    /// Ends a membership.
    pub(crate) fn leave(&self, room: &Arc<str>, member: u64) {
        let mut rooms = self.members();
        if let Some(members) = rooms.get_mut(room) {
            members.remove(&member);
            if members.is_empty() {
                rooms.remove(room);
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
        for (member, line) in rooms.get(&delivery.room).into_iter().flatten() {
            if delivery.except != Some(*member) {
                // A line that does not keep up is closed by its queue; one that is closed leaves.
                let _ = line.try_send_prepared(&delivery.message);
            }
        }
    }

    fn close_all(&self) {
        for line in self.members().values().flat_map(HashMap::values) {
            let _ = line.close(CloseCode::GOING_AWAY, "server stops");
        }
    }

    fn members(&self) -> MutexGuard<'_, HashMap<Arc<str>, HashMap<u64, Sender>>> {
        self.members.lock().expect("nothing under this lock panics")
    }
}

/// Serves until `stop` turns true.
pub(crate) async fn run(
    shard: Arc<Shard>,
    inbox: mpsc::Receiver<Delivery>,
    listener: TcpListener,
    shared: Arc<Shared>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    tokio::spawn(deliver_all(shard.clone(), inbox));
    tokio::select! {
        never = accept_all(&listener, &shard, &shared) => match never {},
        _ = stop.wait_for(|stop| *stop) => {}
    }
    drop(listener);
    shard.close_all();
    tokio::time::sleep(STOP_GRACE).await;
    Ok(())
}

async fn deliver_all(shard: Arc<Shard>, mut inbox: mpsc::Receiver<Delivery>) {
    while let Some(delivery) = inbox.recv().await {
        shard.deliver(&delivery);
    }
}

async fn accept_all(
    listener: &tokio::net::TcpListener,
    shard: &Arc<Shard>,
    shared: &Arc<Shared>,
) -> std::convert::Infallible {
    /// Out of descriptors or memory: the connection waits in the backlog, and so do we.
    const BACK_OFF: Duration = Duration::from_millis(50);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(connection::serve(stream, shard.clone(), shared.clone()));
            }
            Err(_) => tokio::time::sleep(BACK_OFF).await,
        }
    }
}
