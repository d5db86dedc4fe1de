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
use openline_protocol::{ChannelName, Command, Data, Format, Id, Position, Request};
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
    welcomed: bool,
    next_id: u64,
    /// What belongs to this line alone, and goes before the queue.
    control: VecDeque<Frame>,
    /// What the answers to it are for.
    under_way: HashMap<u64, UnderWay>,
    pub(crate) queue: Queue,
    pub(crate) channels: HashMap<ChannelName, Channel>,
    /// Channels that the server subscribed this line to by itself.
    given: HashMap<ChannelName, Option<Position>>,
    /// What others are to see of this client in all channels.
    presence: Option<presence::Shown>,
    tasks: VecDeque<Task>,
    calls: VecDeque<Call>,
    line: Arc<LineControl>,
    pub(crate) status: watch::Sender<Status>,
    /// Whether the last handle is gone.
    pub(crate) is_over: bool,
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
            welcomed: false,
            next_id: 1,
            control: VecDeque::new(),
            under_way: HashMap::new(),
            queue: Queue::new(queue),
            channels: HashMap::new(),
            given: HashMap::new(),
            presence: None,
            tasks: VecDeque::new(),
            calls: VecDeque::new(),
            line: Arc::default(),
            status: watch::Sender::new(Status::idle()),
            is_over: false,
        }
    }

    /// When [`Core::handle_time`] is to be called at the latest.
    pub(crate) fn deadline(&self) -> Option<u64> {
        let retries = self.channels.values().filter_map(Channel::retry_at).min();
        [self.machine.deadline(), self.queue.deadline(), retries].into_iter().flatten().min()
    }

    pub(crate) fn handle_time(&mut self, now: u64) {
        self.handle_input(now, Input::Time);
        self.queue.expire(now);
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

    /// Tells the machine, and does what it wants.
    pub(crate) fn handle_input(&mut self, now: u64, input: Input) {
        for effect in self.machine.handle_input(now, input, &mut rand::random) {
            self.apply(effect);
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::AskToken { generation, why } => {
                self.tasks.push_back(Task::AskToken { generation, why });
            }
            Effect::Open { generation } => {
                self.welcomed = false;
                self.line = Arc::default();
                let control = self.line.clone();
                self.tasks.push_back(Task::Open { generation, control });
            }
            Effect::Auth { .. } => {
                if let Some(token) = self.token.clone() {
                    let _ = self.ask(Command::Auth { token }, UnderWay::Auth);
                }
            }
            Effect::Ready { .. } => {
                self.is_ready = true;
                self.subscribe_all();
                self.line.wake.notify_one();
            }
            Effect::Unready { .. } => self.unready(),
            Effect::Ping { .. } => {
                let id = self.id();
                self.control(Some(Id::from(id)), Command::Ping);
            }
            Effect::Abandon { code, .. } => {
                self.control.clear();
                self.under_way.clear();
                self.line.abandon(code);
            }
            Effect::Status(said) => {
                if said.state == State::Stopped {
                    let code = said.code.unwrap_or_default();
                    let reason = said.reason.clone().unwrap_or_default();
                    self.settle(&Error::Stopped { code, reason });
                }
                self.status.send_modify(|status| status.update(said));
            }
        }
    }

    fn unready(&mut self) {
        self.is_ready = false;
        self.control.clear();
        self.under_way.clear();
        self.given.clear();
        self.queue.unready();
        for channel in self.channels.values_mut() {
            channel.unready();
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
        let id = self.id();
        self.under_way.insert(id, what);
        self.control(Some(Id::from(id)), command);
        id
    }

    fn control(&mut self, id: Option<Id>, command: Command) {
        let frame = Frame::encode(self.format, &Request::new(id, command));
        self.control.push_back(frame);
        self.line.wake.notify_one();
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
