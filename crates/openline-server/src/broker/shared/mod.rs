//! The broker that several nodes share, whatever store it stands on.
//!
//! It has a thread of its own, on which all of the store's I/O is done. Callers give it commands and
//! get [`Answer`]s; what the store reports goes through the [`Feed`](openline_engine::Feed), which
//! says what is handed on and what has to be read first.

mod backend;
mod driver;
mod link;
mod queue;
mod reads;
mod standing;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use openline_engine::{Draft, Extent, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Reason};
use tokio::sync::mpsc;

use super::{Answer, Broker, BrokerHealth, Ear, Link, Published, Tail};
pub(crate) use backend::{Backend, Report};
use driver::Driver;
use link::SharedLink;
use queue::{Command, Desk};
use reads::{Asked, Question};
use standing::Standing;

/// A node that stood still for longer compares all positions before it goes on.
const STALL_MAX: Duration = Duration::from_secs(5);

/// How a shared broker works.
#[derive(Debug, Clone)]
pub(crate) struct SharedOptions {
    /// What the store is called where operators read of it; without user and password.
    pub(crate) shown: String,
    /// The longest time from a call to its answer.
    pub(crate) timeout: Duration,
    /// From one look at the heads of all channels to the next. What was lost on the way here and is
    /// followed by nothing is found then.
    pub(crate) probe_interval: Duration,
    /// See [`SharedOptions::new`].
    pub(crate) stall_max: Duration,
}

impl SharedOptions {
    /// A thread that stood still for more than 5 s verifies before it goes on.
    pub(crate) fn new(shown: String, timeout: Duration, probe_interval: Duration) -> Self {
        Self { shown, timeout, probe_interval, stall_max: STALL_MAX }
    }
}

/// A broker whose store is elsewhere, and is shared with other nodes.
///
/// Dropping it writes what it was given, or gives up after the timeout.
pub(crate) struct SharedBroker {
    desk: Desk,
    standing: Arc<Standing>,
    link: Arc<SharedLink>,
    warnings: Box<dyn Fn() -> Vec<String> + Send + Sync>,
    thread: Option<JoinHandle<()>>,
}

impl SharedBroker {
    /// Begins to connect. What is listened to goes to `tail`, what other nodes say to `ear`.
    pub(crate) fn new(
        backend: impl Backend,
        options: SharedOptions,
        tail: Arc<dyn Tail>,
        ear: Arc<dyn Ear>,
    ) -> Self {
        let (sender, commands) = mpsc::unbounded_channel();
        let desk = Desk::new(sender);
        let standing = Arc::new(Standing::new(options.shown.clone()));
        let backend = Arc::new(backend);
        let link = Arc::new(SharedLink::new(desk.clone()));
        let warnings = {
            let backend = backend.clone();
            Box::new(move || backend.warnings())
        };
        let driver = Driver::new(backend, options, tail, ear, standing.clone(), desk.load());
        let thread = std::thread::Builder::new()
            .name("broker".to_owned())
            .spawn(move || driver.run(commands))
            .expect("a process that starts can start a thread");
        Self { desk, standing, link, warnings, thread: Some(thread) }
    }
}

impl Broker for SharedBroker {
    fn publish(&self, draft: Draft, except: Option<Arc<str>>) -> Answer<Published> {
        let bytes = draft.data.len();
        self.desk.ask(bytes, |waiter| Command::Publish { draft, except, waiter })
    }

    fn recover(
        &self,
        channel: &ChannelName,
        since: Position,
        limits: &PageLimits,
    ) -> Answer<Recovery> {
        let question = Question { channel: channel.clone(), asked: since, limits: *limits };
        self.desk.ask(0, |waiter| Command::Recover(Asked { question, waiter }))
    }

    fn query(
        &self,
        channel: &ChannelName,
        query: &Query,
        limits: &PageLimits,
    ) -> Answer<Result<Page, Reason>> {
        let question = Question { channel: channel.clone(), asked: query.clone(), limits: *limits };
        self.desk.ask(0, |waiter| Command::Query(Asked { question, waiter }))
    }

    fn extent(&self, channel: &ChannelName) -> Answer<Option<Extent>> {
        self.desk.ask(0, |waiter| Command::Extent { channel: channel.clone(), waiter })
    }

    fn clear(&self, channel: &ChannelName) -> Answer<()> {
        self.desk.ask(0, |waiter| Command::Clear { channel: channel.clone(), waiter })
    }

    fn listen(&self, channel: &ChannelName) -> Answer<()> {
        if self.standing.is_heard(channel) {
            return Answer::now(Ok(()));
        }
        self.desk.ask(0, |waiter| Command::Listen { channel: channel.clone(), waiter })
    }

    fn unlisten(&self, channel: &ChannelName) {
        if self.standing.note_look(channel) {
            self.desk.say(Command::Look(channel.clone()));
        }
    }

    fn link(&self) -> Option<Arc<dyn Link>> {
        Some(self.link.clone())
    }

    fn warnings(&self) -> Vec<String> {
        (self.warnings)()
    }

    fn level(&self) -> &'static str {
        "broker"
    }

    fn health(&self) -> BrokerHealth {
        BrokerHealth {
            ailment: match self.desk.is_closed() {
                true => Some("the broker's thread has ended; restart the server".to_owned()),
                false => self.standing.ailment(),
            },
            channels: self.standing.channels(),
            queued_bytes: self.desk.load().bytes(),
            ..BrokerHealth::default()
        }
    }
}

impl Drop for SharedBroker {
    fn drop(&mut self) {
        self.desk.say(Command::Close);
        if let Some(thread) = self.thread.take() {
            // It has said itself why, if it panicked.
            let _ = thread.join();
        }
    }
}
