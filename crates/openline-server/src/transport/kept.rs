//! Sessions that are reached by requests. Each is kept by a task of its own on the thread where it
//! began; a request on any thread finds it by its secret, and hands it what is to be done.

use std::collections::HashMap;
use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_protocol::{ChannelName, Request, close};
use tokio::sync::{mpsc, oneshot, watch};

use super::secret::SessionSecret;
use crate::connection::catch_panic;
use crate::exchange::{Cursor, Ending, Letter, Mailbox, Since};
use crate::node::Node;
use crate::session::{Answered, Session};

/// Orders that may wait for a session.
const ORDERS_MAX: usize = 64;

/// The sessions of the node that are reached by requests. Each has its place among the lines, so
/// `limits.connections` is their limit too.
#[derive(Debug, Default)]
pub(crate) struct KeptSessions {
    table: Mutex<HashMap<SessionSecret, Arc<Kept>>>,
}

/// A session that is reached by requests.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(super) secret: SessionSecret,
    /// Those that its address names.
    pub(super) channels: Vec<ChannelName>,
    pub(super) mailbox: Arc<Mailbox>,
    /// What its reader has been given.
    cursor: Mutex<Cursor>,
    orders: mpsc::Sender<Order>,
    /// Whether somebody reads it.
    attended: watch::Sender<bool>,
}

/// A request for a session.
#[derive(Debug)]
struct Order {
    request: Request,
    answer: Arc<Mailbox>,
    done: oneshot::Sender<Answered>,
}

/// Why a session does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It has ended.
    Gone,
    /// Too much waits for it.
    Overloaded,
}

/// Why nobody can read a session now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAttended {
    /// There is none of this name here.
    Unknown,
    /// Somebody else does.
    Taken,
}

/// The one reader of a session. Dropping it leaves the session alone.
pub(super) struct Reader {
    pub(super) kept: Arc<Kept>,
    pub(super) node: Arc<Node>,
}

/// What a session is kept with.
pub(super) struct Terms {
    pub(super) secret: SessionSecret,
    pub(super) channels: Vec<ChannelName>,
    pub(super) mailbox: Arc<Mailbox>,
    /// What its reader has.
    pub(super) since: Since,
    /// How long it goes on when nobody reads it.
    pub(super) linger: Duration,
    /// How long something may wait for a reader that is there; none where it comes and goes.
    pub(super) patience: Option<Duration>,
}

/// Keeps a session until it is closed, or nobody has read it for so long. The caller reads it first.
pub(super) fn keep(session: Session, terms: Terms) -> Reader {
    let Terms { secret, channels, mailbox, since, linger, patience } = terms;
    let node = session.node.clone();
    let (orders, given) = mpsc::channel(ORDERS_MAX);
    let kept = Arc::new(Kept {
        secret,
        cursor: Mutex::new(Cursor::continuing(&channels, &since)),
        channels,
        mailbox,
        orders,
        attended: watch::Sender::new(true),
    });
    node.kept.table().insert(kept.secret, kept.clone());
    tokio::spawn(run(session, kept.clone(), given, (linger, patience)));
    Reader { kept, node }
}

async fn run(
    mut session: Session,
    kept: Arc<Kept>,
    mut orders: mpsc::Receiver<Order>,
    (linger, patience): (Duration, Option<Duration>),
) {
    let node = session.node.clone();
    let is_left = {
        let mut left = pin!(until_left(&node, &kept, linger));
        let mut stuck = pin!(until_stuck(&kept.mailbox, patience));
        loop {
            tokio::select! {
                () = &mut left => break true,
                () = kept.mailbox.ended() => break false,
                () = &mut stuck => {
                    kept.mailbox.give_up();
                    break false;
                }
                order = orders.recv() => {
                    let Some(Order { request, answer, done }) = order else { break false };
                    let handled = catch_panic(session.handle_apart(request, &answer)).await;
                    match handled {
                        // Who asked may be gone.
                        Ok(answered) => drop(done.send(answered)),
                        Err(_) => {
                            node.metrics.panicked();
                            node.log.panicked(&session.client);
                            let ending = Ending::new(close::INTERNAL_ERROR, "internal error");
                            kept.mailbox.close(ending);
                        }
                    }
                }
            }
        }
    };
    drop(orders);
    // Whoever waits for room in it waits no longer.
    kept.mailbox.close(Ending::new(close::GOING_AWAY, "nobody reads this session"));
    drop(session);
    if !is_left && node.kept.find(kept.secret).is_some() {
        // The reader still has to learn why it ended, if it comes back.
        until_left(&node, &kept, linger).await;
    }
}

async fn until_stuck(mailbox: &Mailbox, patience: Option<Duration>) {
    match patience {
        Some(patience) => mailbox.stuck(patience).await,
        None => std::future::pending().await,
    }
}

/// Waits until nobody has read the session for so long, and nobody can any more.
async fn until_left(node: &Node, kept: &Kept, linger: Duration) {
    let mut attended = kept.attended.subscribe();
    loop {
        // The sender is in what is borrowed here.
        let _ = attended.wait_for(|attended| !attended).await;
        tokio::select! {
            _ = attended.changed() => {}
            () = tokio::time::sleep(linger) => {
                if node.kept.forget_if_left(kept) {
                    return;
                }
            }
        }
    }
}

impl KeptSessions {
    /// The session of this name.
    pub(super) fn find(&self, secret: SessionSecret) -> Option<Arc<Kept>> {
        self.table().get(&secret).cloned()
    }

    /// Begins to read the session of this name.
    pub(super) fn attend(
        &self,
        secret: SessionSecret,
        node: &Arc<Node>,
    ) -> Result<Reader, NotAttended> {
        let table = self.table();
        let kept = table.get(&secret).ok_or(NotAttended::Unknown)?;
        let begins = kept.attended.send_if_modified(|attended| !std::mem::replace(attended, true));
        match begins {
            true => Ok(Reader { kept: kept.clone(), node: node.clone() }),
            false => Err(NotAttended::Taken),
        }
    }

    /// Forgets a session that nobody reads; false if somebody does.
    fn forget_if_left(&self, kept: &Kept) -> bool {
        let mut table = self.table();
        // Who begins to read looks into the table, so nobody begins meanwhile.
        let left = !*kept.attended.borrow();
        if left {
            table.remove(&kept.secret);
        }
        left
    }

    fn table(&self) -> MutexGuard<'_, HashMap<SessionSecret, Arc<Kept>>> {
        self.table.lock().expect("nothing under this lock panics")
    }
}

impl Kept {
    /// Hands the session a request. The answer is put into the mailbox, or is on the line.
    pub(super) async fn order(
        &self,
        request: Request,
        answer: Arc<Mailbox>,
    ) -> Result<Answered, NoAnswer> {
        let (done, answered) = oneshot::channel();
        let sent = self.orders.try_send(Order { request, answer, done });
        sent.map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NoAnswer::Overloaded,
            mpsc::error::TrySendError::Closed(_) => NoAnswer::Gone,
        })?;
        answered.await.map_err(|_| NoAnswer::Gone)
    }

    /// The text of what the reader has been given.
    pub(super) fn position(&self) -> Option<String> {
        self.cursor().text()
    }

    /// Takes note of what the reader is given; returns where it is if that moved it.
    pub(super) fn pass(&self, letter: &Letter) -> Option<impl Deref<Target = Cursor>> {
        let mut cursor = self.cursor();
        (cursor.pass(letter) && !cursor.is_empty()).then_some(cursor)
    }

    fn cursor(&self) -> MutexGuard<'_, Cursor> {
        self.cursor.lock().expect("nothing under this lock panics")
    }
}

impl Reader {
    /// Ends the session at once.
    pub(super) fn end(self) {
        self.kept.mailbox.close(Ending::new(close::GOING_AWAY, "its reader begins anew"));
        self.node.kept.table().remove(&self.kept.secret);
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.kept.attended.send_replace(false);
    }
}
