//! [`Departures`]: the lines of a thread that another process is to go on with.

use std::fmt;
use std::net::TcpStream;
use std::sync::mpsc::{Sender, SyncSender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openline_ws::{Detached, Reader};

use super::Shard;
use crate::node::Node;
use crate::session::{Baggage, Session};
use crate::transport::websocket;

/// A session that takes more as data stays here.
const RECORD_BYTES_MAX: usize = 128 << 10;

/// Lines that have come to rest and wait to leave. Nobody reads them meanwhile; what is sent to them
/// is written.
#[derive(Debug, Default)]
pub(crate) struct Departures(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    is_open: bool,
    parked: Vec<Parked>,
}

/// A line that nobody reads.
pub(crate) struct Parked {
    pub(crate) reader: Reader<tokio::net::TcpStream>,
    pub(crate) session: Box<Session>,
}

/// A line that has ended here for another process. Its client knows of nothing.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) stream: TcpStream,
    pub(crate) baggage: Baggage,
}

/// What a thread is to do about its lines.
#[derive(Debug)]
pub(crate) enum Departure {
    /// To call those that may leave, which park when they are at rest. Says how many they are.
    Call(Sender<usize>),
    /// To end at most so many of those that are parked, for another process. None is left when it
    /// hands over none.
    Leave(usize, SyncSender<Vec<Leaving>>),
    /// To tell the clients of those that the other process did not take to come back.
    TurnAway(Vec<Leaving>),
    /// To go on with those that are left.
    End,
}

impl Departures {
    /// Leaves a line here.
    ///
    /// # Errors
    /// The line, where none are to leave.
    pub(crate) fn park(&self, parked: Parked) -> Result<(), Parked> {
        let mut waiting = self.waiting();
        if !waiting.is_open {
            return Err(parked);
        }
        waiting.parked.push(parked);
        Ok(())
    }

    /// How many wait.
    pub(crate) fn parked(&self) -> usize {
        self.waiting().parked.len()
    }

    /// Ends what is left here: the thread has stopped.
    pub(super) fn clear(&self) {
        // A session holds its thread, which holds this.
        let left = std::mem::take(&mut *self.waiting());
        drop(left);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Departure {
    /// On the thread whose lines they are.
    pub(super) fn act(self, shard: &Arc<Shard>, node: &Arc<Node>) {
        match self {
            Self::Call(count) => {
                shard.departures.waiting().is_open = true;
                let hub = shard.hub();
                let may_leave = hub.lines().filter(|(_, seat)| {
                    seat.can_move && seat.app.is_none() && seat.line.interrupt()
                });
                // Nobody waits for it any more where this fails.
                let _ = count.send(may_leave.count());
            }
            Self::Leave(most, leaving) => {
                let _ = leaving.send(shard.departures.leave(most));
            }
            Self::TurnAway(refused) => {
                for Leaving { stream, baggage } in refused {
                    baggage.abandon(shard, node);
                    tokio::spawn(websocket::turn_away(stream, baggage, node.clone()));
                }
            }
            Self::End => {
                let left = std::mem::take(&mut *shard.departures.waiting()).parked;
                left.into_iter().for_each(websocket::go_on);
            }
        }
    }
}

impl Departures {
    fn leave(&self, most: usize) -> Vec<Leaving> {
        let mut leaving = Vec::new();
        while leaving.len() < most {
            let Some(parked) = self.waiting().parked.pop() else { break };
            match end(parked) {
                Ok(line) => leaving.extend(line),
                Err(parked) => websocket::go_on(*parked),
            }
        }
        leaving
    }
}

/// Ends a line for another process, if it is at rest still.
fn end(Parked { reader, session }: Parked) -> Result<Option<Leaving>, Box<Parked>> {
    let baggage = session.pack().filter(|baggage| baggage.to_bytes().len() <= RECORD_BYTES_MAX);
    let Some(baggage) = baggage else { return Err(Box::new(Parked { reader, session })) };
    let Detached { io, agreed, rest } = match reader.detach() {
        Ok(detached) => detached,
        Err(reader) => return Err(Box::new(Parked { reader, session })),
    };
    // Where the system does not let go of the socket, it ends like any that breaks.
    let Ok(stream) = io.into_std() else { return Ok(None) };
    session.depart();
    Ok(Some(Leaving { stream, baggage: baggage.with_line(agreed, rest) }))
}

impl fmt::Debug for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked").field("client", &self.session.client).finish_non_exhaustive()
    }
}
