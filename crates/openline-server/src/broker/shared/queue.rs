//! [`Desk`]: where callers leave what the broker's thread is to do.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, ThreadId};

use bytes::Bytes;
use openline_engine::{Draft, Extent, Page, Query, Recovery};
use openline_protocol::{ChannelName, Position, Reason};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::reads::Asked;
use crate::broker::{Answer, BrokerError, NodeId, Published};

/// Commands that are not answered yet, and what they carry. Beyond it callers are refused as
/// overload: at a rate at which the store cannot follow, more would only wait longer.
const COMMANDS_MAX: usize = 65_536;
const BYTES_MAX: u64 = 64 << 20;

/// What the broker's thread is to do.
pub(super) enum Command {
    Publish {
        draft: Draft,
        except: Option<Arc<str>>,
        waiter: Waiter<Published>,
    },
    Recover(Asked<Position, Recovery>),
    Query(Asked<Query, Result<Page, Reason>>),
    Extent {
        channel: ChannelName,
        waiter: Waiter<Option<Extent>>,
    },
    Clear {
        channel: ChannelName,
        waiter: Waiter<()>,
    },
    Listen {
        channel: ChannelName,
        waiter: Waiter<()>,
    },
    /// Looks whether a channel is heard still.
    Look(ChannelName),
    Emit {
        channel: ChannelName,
        said: Bytes,
        ticket: Ticket,
    },
    Cast {
        said: Bytes,
        ticket: Ticket,
    },
    Tell {
        node: NodeId,
        said: Bytes,
        ticket: Ticket,
    },
    /// Nothing comes behind it.
    Close,
}

impl Command {
    /// What the store is asked about, if it is.
    pub(super) fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::Publish { draft, .. } => Some(&draft.channel),
            Self::Recover(asked) => Some(&asked.question.channel),
            Self::Query(asked) => Some(&asked.question.channel),
            Self::Extent { channel, .. }
            | Self::Clear { channel, .. }
            | Self::Listen { channel, .. } => Some(channel),
            Self::Look(_)
            | Self::Emit { .. }
            | Self::Cast { .. }
            | Self::Tell { .. }
            | Self::Close => None,
        }
    }
}

/// Who waits for an answer, since when.
pub(super) struct Waiter<T> {
    answer: oneshot::Sender<Result<T, BrokerError>>,
    since: Instant,
    ticket: Ticket,
}

/// A part of the load.
pub(super) struct Ticket {
    load: Arc<Load>,
    bytes: u64,
}

/// What waits.
#[derive(Debug, Default)]
pub(super) struct Load {
    commands: AtomicUsize,
    bytes: AtomicU64,
}

/// Where commands are left.
///
/// Publications that a thread of a runtime leaves go to the broker's thread when the tasks have run
/// that are ready by then, or before the next command of another kind. Who publishes often
/// publishes more than once in a turn: what is asked of the store together is reported together, and
/// is one write to each who listens.
#[derive(Clone)]
pub(super) struct Desk {
    gathered: Arc<Mutex<Gathered>>,
    commands: mpsc::UnboundedSender<Vec<Command>>,
    load: Arc<Load>,
}

#[derive(Default)]
struct Gathered {
    commands: Vec<Command>,
    /// Whose turn ends with sending them.
    caller: Option<ThreadId>,
}

/// Sends what is gathered when it is dropped, so also when the runtime ends before the task that
/// holds it has run.
struct TurnEnd(Desk);

impl Drop for TurnEnd {
    fn drop(&mut self) {
        let mut gathered = self.0.gathered();
        gathered.caller = None;
        self.0.send(gathered);
    }
}

impl Desk {
    pub(super) fn new(commands: mpsc::UnboundedSender<Vec<Command>>) -> Self {
        Self { gathered: Arc::default(), commands, load: Arc::default() }
    }

    pub(super) fn load(&self) -> Arc<Load> {
        self.load.clone()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    /// Leaves a command that is answered.
    pub(super) fn ask<T>(
        &self,
        bytes: usize,
        command: impl FnOnce(Waiter<T>) -> Command,
    ) -> Answer<T> {
        let Some(ticket) = self.ticket(bytes) else {
            return Answer::now(Err(BrokerError::Overloaded));
        };
        let (answer, receiver) = oneshot::channel();
        self.say(command(Waiter { answer, since: Instant::now(), ticket }));
        Answer::Later(receiver)
    }

    /// Leaves a command that is not. After [`Command::Close`] it is dropped, and who waits is told.
    pub(super) fn say(&self, command: Command) {
        let can_wait = matches!(command, Command::Publish { .. });
        let mut gathered = self.gathered();
        gathered.commands.push(command);
        let me = thread::current().id();
        match Handle::try_current() {
            Ok(_) if can_wait && gathered.caller == Some(me) => {}
            Ok(runtime) if can_wait && gathered.caller.is_none() => {
                gathered.caller = Some(me);
                drop(gathered);
                let end = TurnEnd(self.clone());
                runtime.spawn(async move { drop(end) });
            }
            _ => self.send(gathered),
        }
    }

    /// Under the lock, so that the order is that in which they were left.
    fn send(&self, mut gathered: MutexGuard<'_, Gathered>) {
        if gathered.commands.is_empty() {
            return;
        }
        let refused = self.commands.send(std::mem::take(&mut gathered.commands));
        // Those who wait for what is refused are woken without it.
        drop(gathered);
        drop(refused);
    }

    fn gathered(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().expect("nothing under this lock panics")
    }

    /// A part of the load, if there is room for it.
    pub(super) fn ticket(&self, bytes: usize) -> Option<Ticket> {
        let bytes = bytes as u64;
        let before = self.load.commands.fetch_add(1, Ordering::Relaxed);
        let bytes_before = self.load.bytes.fetch_add(bytes, Ordering::Relaxed);
        let ticket = Ticket { load: self.load.clone(), bytes };
        (before < COMMANDS_MAX && bytes_before + bytes <= BYTES_MAX).then_some(ticket)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.load.commands.fetch_sub(1, Ordering::Relaxed);
        self.load.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Load {
    /// Commands that are not answered.
    pub(super) fn commands(&self) -> usize {
        self.commands.load(Ordering::Relaxed)
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl<T> Waiter<T> {
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    pub(super) fn answer(self, result: Result<T, BrokerError>) {
        // First: who was answered can take its place.
        drop(self.ticket);
        // Who does not wait any more has been told nothing, or something else already.
        let _ = self.answer.send(result);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use bytestring::ByteString;
    use openline_engine::History;
    use openline_protocol::Data;
    use tokio::runtime::Builder;
    use tokio::task::yield_now;

    use super::*;

    fn desk() -> (Desk, mpsc::UnboundedReceiver<Vec<Command>>) {
        let (sender, commands) = mpsc::unbounded_channel();
        (Desk::new(sender), commands)
    }

    fn publish(desk: &Desk, channel: &str) -> Answer<Published> {
        let draft = Draft {
            channel: ChannelName::new(channel).unwrap(),
            event: None,
            data: Data::Json(ByteString::from_static("1")),
            from: None,
            key: None,
            history: History { size: 0, ttl_ms: 0 },
        };
        desk.ask(1, |waiter| Command::Publish { draft, except: None, waiter })
    }

    fn look(desk: &Desk, channel: &str) {
        desk.say(Command::Look(ChannelName::new(channel).unwrap()));
    }

    /// What came together, in its order.
    fn next(commands: &mut mpsc::UnboundedReceiver<Vec<Command>>) -> Option<String> {
        let together = commands.try_recv().ok()?;
        let said = together.iter().map(|command| match command {
            Command::Publish { draft, .. } => draft.channel.to_string(),
            Command::Look(channel) => format!("look {channel}"),
            _ => "close".to_owned(),
        });
        Some(said.collect::<Vec<_>>().join(", "))
    }

    fn in_a_runtime(future: impl Future<Output = ()>) {
        Builder::new_current_thread().build().unwrap().block_on(future);
    }

    #[test]
    fn what_is_published_in_one_turn_comes_together() {
        let (desk, mut commands) = desk();
        in_a_runtime(async {
            publish(&desk, "a");
            let other = desk.clone();
            tokio::spawn(async move { drop(publish(&other, "c")) });
            publish(&desk, "b");
            assert_eq!(next(&mut commands), None, "before the turn is over");
            yield_now().await;
            assert_eq!(next(&mut commands).unwrap(), "a, b");
            yield_now().await;
            assert_eq!(next(&mut commands).unwrap(), "c");
        });
    }

    #[test]
    fn nothing_else_waits_and_nothing_overtakes() {
        let (desk, mut commands) = desk();
        in_a_runtime(async {
            publish(&desk, "a");
            look(&desk, "b");
            assert_eq!(next(&mut commands).unwrap(), "a, look b");
            publish(&desk, "c");
            assert_eq!(next(&mut commands), None, "before the turn is over");
            yield_now().await;
            assert_eq!(next(&mut commands).unwrap(), "c");
            publish(&desk, "d");
            desk.say(Command::Close);
            assert_eq!(next(&mut commands).unwrap(), "d, close");
        });
        assert_eq!(next(&mut commands), None);
    }

    #[test]
    fn who_has_no_turn_or_not_this_one_does_not_wait() {
        let (desk, mut commands) = desk();
        publish(&desk, "a");
        assert_eq!(next(&mut commands).unwrap(), "a");
        in_a_runtime(async {
            publish(&desk, "b");
            let other = desk.clone();
            std::thread::spawn(move || publish(&other, "c")).join().unwrap();
            assert_eq!(next(&mut commands).unwrap(), "b, c");
        });
        assert_eq!(next(&mut commands), None);
    }

    #[test]
    fn a_runtime_that_ends_sends_what_was_left_in_it() {
        let (desk, mut commands) = desk();
        in_a_runtime(async {
            publish(&desk, "a");
        });
        assert_eq!(next(&mut commands).unwrap(), "a");
        in_a_runtime(async {
            publish(&desk, "b");
            yield_now().await;
            assert_eq!(next(&mut commands).unwrap(), "b", "another turn begins as the first did");
        });
    }

    #[tokio::test]
    async fn who_publishes_after_the_end_is_told() {
        let (desk, commands) = desk();
        drop(commands);
        assert!(publish(&desk, "a").await.is_err());
        assert_eq!((desk.load().commands(), desk.load().bytes()), (0, 0));
    }
}
