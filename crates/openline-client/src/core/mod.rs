//! The client without sockets: what happened goes in with the time, messages and tasks come out.

mod calls;
mod catch_up;
mod channel;
mod channels;
mod inbox;
mod incoming;
mod line;
mod presence;
mod queue;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytestring::ByteString;
use openline_protocol::close::NORMAL;
use openline_protocol::{ChannelName, Command, Data, Format, Id, Request};
use tokio::sync::watch;

use crate::error::Error;
use crate::machine::{self, Effect, Input, Machine, State};
use crate::options::Queue as QueueOptions;
use crate::status::Status;

pub(crate) use calls::{Admission, Outgoing};
pub(crate) use channel::{Channel, Wanted};
pub(crate) use inbox::Inbox;
pub(crate) use line::{Frame, LineControl};
pub(crate) use queue::Queue;

use line::Link;

/// Requests of the server that wait to be handled. Beyond that the oldest is not answered.
const CALLS_MAX: usize = 64;

/// Something for the task that runs the client.
pub(crate) enum Task {
    /// Ask the application for a token.
    AskToken { generation: u64, why: machine::Why },
    /// Open a line.
    Open { generation: u64, control: Arc<LineControl> },
}

/// A request or a push of the server's, for a handler of the application.
pub(crate) struct Call {
    pub(crate) id: Option<Id>,
    pub(crate) kind: ByteString,
    pub(crate) data: Data,
}

/// What a client knows and has to do.
pub(crate) struct Core {
    machine: Machine,
    format: Format,
    /// What the application gave for the present generation.
    token: Option<String>,
    /// Whether requests of the application go out.
    is_ready: bool,
    /// Whether a line of this client was ever welcomed.
    had_line: bool,
    next_id: u64,
    /// The line that is in use or being opened, or the last one.
    line: Link,
    /// The one that is being opened beside it.
    beside: Option<Link>,
    /// The one that was left for it, for as long as it may still answer.
    left: Option<Left>,
    pub(crate) queue: Queue,
    pub(crate) channels: HashMap<ChannelName, Channel>,
    /// What others are to see of this client in all channels.
    presence: Option<presence::Shown>,
    tasks: VecDeque<Task>,
    calls: VecDeque<Call>,
    pub(crate) status: watch::Sender<Status>,
    /// Whether the last handle is gone.
    pub(crate) is_over: bool,
}

/// A line that was left for another.
struct Left {
    generation: u64,
    control: Arc<LineControl>,
    until: u64,
}

/// A request of the client's own, answered on the same line or never.
enum UnderWay {
    Auth,
    Subscribe(Vec<ChannelName>),
    CatchUp(ChannelName),
}

impl Core {
    pub(crate) fn new(options: machine::Options, format: Format, queue: QueueOptions) -> Self {
        Self {
            machine: Machine::new(options),
            format,
            token: None,
            is_ready: false,
            had_line: false,
            next_id: 1,
            line: Link::default(),
            beside: None,
            left: None,
            queue: Queue::new(queue),
            channels: HashMap::new(),
            presence: None,
            tasks: VecDeque::new(),
            calls: VecDeque::new(),
            status: watch::Sender::new(Status::idle()),
            is_over: false,
        }
    }

    /// When [`Core::handle_time`] is to be called at the latest.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let retries = self.channels.values().filter_map(Channel::retry_at).min();
        let left = self.left.as_ref().map(|left| left.until);
        [self.machine.deadline(), self.queue.deadline(), retries, left].into_iter().flatten().min()
    }

    pub(crate) fn handle_time(&mut self, now: u64) {
        self.handle_input(now, Input::Time);
        self.queue.expire(now);
        if self.queue.release(now) {
            self.line.control.wake.notify_one();
        }
        if self.left.as_ref().is_some_and(|left| now >= left.until) {
            self.end_left();
        }
        self.subscribe_again(now);
    }

    /// The next thing for the task that runs the client.
    pub(crate) fn poll_task(&mut self) -> Option<Task> {
        self.tasks.pop_front()
    }

    /// The next request or push of the server's.
    pub(crate) fn poll_call(&mut self) -> Option<Call> {
        self.calls.pop_front()
    }

    /// Whether there is something for the task that runs the client.
    pub(crate) fn has_tasks(&self) -> bool {
        !self.tasks.is_empty() || !self.calls.is_empty()
    }

    /// The application gave a token, or has none to give.
    pub(crate) fn give_token(&mut self, generation: u64, token: Option<String>) {
        if generation == self.machine.generation() {
            self.token = token;
        }
    }

    /// Whether the client was connected before.
    pub(crate) fn had_line(&self) -> bool {
        self.had_line
    }

    /// Tells the machine, and does what it wants.
    pub(crate) fn handle_input(&mut self, now: u64, input: Input) {
        for effect in self.machine.handle_input(now, input, &mut rand::random) {
            self.apply(now, effect);
        }
    }

    fn apply(&mut self, now: u64, effect: Effect) {
        match effect {
            Effect::AskToken { generation, why } => {
                self.tasks.push_back(Task::AskToken { generation, why });
            }
            Effect::Open { generation } => {
                let link = Link::new(generation);
                let control = link.control.clone();
                match self.machine.state() {
                    State::Moving => self.beside = Some(link),
                    _ => self.line = link,
                }
                self.tasks.push_back(Task::Open { generation, control });
            }
            Effect::Auth { generation } => {
                if let Some(token) = self.token.clone() {
                    self.ask_on(generation, Command::Auth { token }, UnderWay::Auth);
                }
            }
            Effect::Ready { .. } => {
                self.is_ready = true;
                self.subscribe_all();
                self.line.control.wake.notify_one();
            }
            Effect::Unready { .. } => self.unready(),
            Effect::Move { linger, .. } => self.move_over(now.saturating_add(linger)),
            Effect::Ping { .. } => {
                let id = self.id();
                self.control(Some(Id::from(id)), Command::Ping);
            }
            Effect::Abandon { generation, code } => {
                if let Some(link) = self.link(generation) {
                    link.abandon(code);
                }
                self.beside.take_if(|beside| beside.generation == generation);
            }
            Effect::Status(said) => {
                if said.state == State::Stopped {
                    let code = said.code.unwrap_or_default();
                    let reason = said.reason.clone().unwrap_or_default();
                    self.settle(&Error::Stopped { code, reason });
                }
                let Link { client_id, user, .. } = &self.line;
                let who = (client_id.clone(), user.clone());
                self.status.send_modify(|status| status.update(said, who));
            }
        }
    }

    fn unready(&mut self) {
        self.end_left();
        self.is_ready = false;
        self.queue.unready();
        for channel in self.channels.values_mut() {
            channel.unready();
        }
    }

    /// Goes on on the line beside. What the line before still brings of channels is not taken: they are
    /// asked for here from where they are now, so it comes here again.
    fn move_over(&mut self, until: u64) {
        let Some(beside) = self.beside.take() else { return };
        self.end_left();
        let before = std::mem::replace(&mut self.line, beside);
        let Link { generation, control, .. } = before;
        self.left = Some(Left { generation, control, until });
        self.queue.move_over();
        for channel in self.channels.values_mut() {
            channel.unready();
        }
        self.subscribe_all();
        self.line.control.wake.notify_one();
        if !self.queue.awaits_line_before() {
            self.end_left();
        }
    }

    /// Closes the line that was left. What it has not answered is lost.
    fn end_left(&mut self) {
        if let Some(left) = self.left.take() {
            left.control.abandon(NORMAL);
            self.queue.lose_line_before();
        }
    }

    /// Nothing will be answered any more.
    fn settle(&mut self, error: &Error) {
        self.queue.settle(error);
        for (_, channel) in self.channels.drain() {
            channel.end(error);
        }
        self.presence = None;
    }

    fn id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    /// Sends a request that belongs to this line. Returns its number.
    fn ask(&mut self, command: Command, what: UnderWay) -> u64 {
        self.ask_on(self.line.generation, command, what)
    }

    fn ask_on(&mut self, generation: u64, command: Command, what: UnderWay) -> u64 {
        let id = self.id();
        let frame = Frame::encode(self.format, &Request::new(Some(Id::from(id)), command));
        if let Some(link) = self.link(generation) {
            link.under_way.insert(id, what);
            link.send(frame);
        }
        id
    }

    fn control(&mut self, id: Option<Id>, command: Command) {
        self.line.send(Frame::encode(self.format, &Request::new(id, command)));
    }

    /// The error of a client that has stopped.
    fn stopped(&self) -> Option<Error> {
        let status = self.status.borrow();
        (status.state == State::Stopped).then(|| Error::Stopped {
            code: status.code.unwrap_or_default(),
            reason: status.reason.clone().unwrap_or_default(),
        })
    }
}
