//! [`Commands`]: what Redis is asked, in the order of the calls, each for no longer than the timeout.
//!
//! Many are on their way at a time, over one connection. Nothing overtakes anything: what waits for a
//! connection, what is sent and what is sent again stays in one order.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use openline_protocol::ChannelName;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use tokio::sync::{mpsc, oneshot};
use tokio::task::unconstrained;
use tokio::time::{Instant, Sleep};

use super::scripts::Script;
use crate::broker::BrokerError;

/// How many commands are on their way at a time. The connection's own queue has room for as many.
pub(super) const IN_FLIGHT_MAX: usize = 1024;

/// What waits may take so much memory.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// What a command takes beside its arguments.
const COMMAND_BYTES: usize = 300;

/// A connection that is not used is asked so often whether it is there still.
const PING_INTERVAL: Duration = Duration::from_secs(1);

type Reply = Result<Value, BrokerError>;

/// Where commands are put.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    queue: mpsc::UnboundedSender<Command>,
    queued_bytes: Arc<AtomicUsize>,
    timeout: Duration,
}

/// What was put there.
pub(super) struct Queue(mpsc::UnboundedReceiver<Command>);

/// Takes what was put there to Redis, while there is a connection and while there is none.
pub(super) struct Commands {
    queue: mpsc::UnboundedReceiver<Command>,
    waiting: VecDeque<Command>,
    in_flight: VecDeque<InFlight>,
    /// Redis did not know their script. They are sent again once nothing else is on its way.
    again: Vec<Command>,
    alarm: Pin<Box<Sleep>>,
    timeout: Duration,
}

struct Command {
    cmd: Cmd,
    ticket: Ticket,
}

struct InFlight {
    ticket: Ticket,
    reply: Pin<Box<dyn Future<Output = (Cmd, RedisResult<Value>)> + Send>>,
}

/// A command but for what is sent of it.
struct Ticket {
    /// Commands of the same channel have an order.
    channel: Option<ChannelName>,
    /// None if nobody waits for what becomes of it.
    waiter: Option<oneshot::Sender<Reply>>,
    deadline: Instant,
    _share: Share,
}

/// A part of what may wait, given back when it is dropped.
struct Share(Arc<AtomicUsize>, usize);

impl Asker {
    pub(super) fn new(timeout: Duration) -> (Self, Queue) {
        let (sender, queue) = mpsc::unbounded_channel();
        (Self { queue: sender, queued_bytes: Arc::default(), timeout }, Queue(queue))
    }

    /// Puts a command behind those that were put before. It has its effect whether or not what is
    /// returned is waited for.
    pub(super) fn ask(
        &self,
        cmd: Cmd,
        channel: &ChannelName,
    ) -> impl Future<Output = Reply> + Send + use<> {
        let (waiter, reply) = oneshot::channel();
        let put = self.put(cmd, Some(channel.clone()), Some(waiter));
        async move {
            put?;
            reply.await.unwrap_or(Err(BrokerError::Unavailable))
        }
    }

    /// The same for what nobody needs to know the end of.
    pub(super) fn say(&self, cmd: Cmd) {
        let _ = self.put(cmd, None, None);
    }

    fn put(
        &self,
        cmd: Cmd,
        channel: Option<ChannelName>,
        waiter: Option<oneshot::Sender<Reply>>,
    ) -> Result<(), BrokerError> {
        let bytes = COMMAND_BYTES + cmd.args_iter().map(argument_bytes).sum::<usize>();
        let before = self.queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        let share = Share(self.queued_bytes.clone(), bytes);
        if before > 0 && before + bytes > QUEUE_BYTES_MAX {
            return Err(BrokerError::Overloaded);
        }
        let deadline = Instant::now() + self.timeout;
        let ticket = Ticket { channel, waiter, deadline, _share: share };
        self.queue.send(Command { cmd, ticket }).map_err(|_| BrokerError::Unavailable)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

impl Commands {
    /// To be called where it is used: it has a timer.
    pub(super) fn new(Queue(queue): Queue, timeout: Duration) -> Self {
        Self {
            queue,
            waiting: VecDeque::new(),
            in_flight: VecDeque::new(),
            again: Vec::new(),
            alarm: Box::pin(tokio::time::sleep(timeout / 2)),
            timeout,
        }
    }

    /// Lets commands wait, each until its time is over. Never ends.
    pub(super) async fn wait(&mut self) {
        std::future::poll_fn(|cx| {
            self.take_in(cx);
            while self.poll_alarm(cx) {
                let now = Instant::now();
                let late = |command: &Command| command.ticket.deadline <= now;
                while self.waiting.front().is_some_and(late)
                    && let Some(command) = self.waiting.pop_front()
                {
                    command.ticket.answer(unavailable());
                }
                self.set_alarm();
            }
            Poll::<()>::Pending
        })
        .await;
    }

    /// Takes commands to Redis until the connection cannot be used any more, and says why. When
    /// `ended` is ready nothing more is sent, and what is on its way has its time to come back.
    pub(super) async fn serve(
        &mut self,
        connection: &MultiplexedConnection,
        ended: impl Future<Output = String>,
    ) -> String {
        let mut ended = std::pin::pin!(ended);
        let mut why_ended = None;
        let why = std::future::poll_fn(|cx| {
            if why_ended.is_none()
                && let Poll::Ready(why) = ended.as_mut().poll(cx)
            {
                why_ended = Some(why);
            }
            self.take_in(cx);
            loop {
                if let Err(why) = self.receive(cx) {
                    return Poll::Ready(why);
                }
                match &why_ended {
                    None => self.send(connection, cx),
                    Some(why) if self.in_flight.is_empty() => return Poll::Ready(why.clone()),
                    Some(_) => {}
                }
                if !self.poll_alarm(cx) {
                    return Poll::Pending;
                }
                if let Err(why) = self.look_at_time(connection, why_ended.is_none(), cx) {
                    return Poll::Ready(why);
                }
            }
        })
        .await;
        // What was sent and not answered may have been done.
        let sent = self.in_flight.drain(..).map(|in_flight| in_flight.ticket);
        for ticket in sent.chain(self.again.drain(..).map(|command| command.ticket)) {
            ticket.answer(unavailable());
        }
        why
    }

    fn take_in(&mut self, cx: &mut Context<'_>) {
        while let Poll::Ready(Some(command)) = self.queue.poll_recv(cx) {
            self.waiting.push_back(command);
        }
    }

    fn send(&mut self, connection: &MultiplexedConnection, cx: &mut Context<'_>) {
        if self.in_flight.is_empty() && !self.again.is_empty() {
            for cmd in Script::load_all() {
                self.dispatch(connection, self.unasked(cmd), cx);
            }
            for command in std::mem::take(&mut self.again) {
                self.dispatch(connection, command, cx);
            }
        }
        while self.again.is_empty()
            && self.in_flight.len() < IN_FLIGHT_MAX
            && let Some(command) = self.waiting.pop_front()
        {
            self.dispatch(connection, command, cx);
        }
    }

    fn dispatch(
        &mut self,
        connection: &MultiplexedConnection,
        command: Command,
        cx: &mut Context<'_>,
    ) {
        let Command { cmd, ticket } = command;
        let mut connection = connection.clone();
        // The first poll puts it into the connection's queue, which has room, so this is the order in
        // which they are sent. Tokio's budget must not keep it from that.
        let mut reply = Box::pin(unconstrained(async move {
            let result = connection.send_packed_command(&cmd).await;
            (cmd, result)
        }));
        // Answers come in the same order: only the first is waited for.
        let reply: Pin<Box<dyn Future<Output = _> + Send>> = match reply.as_mut().poll(cx) {
            Poll::Ready(result) => Box::pin(std::future::ready(result)),
            Poll::Pending => reply,
        };
        self.in_flight.push_back(InFlight { ticket, reply });
    }

    fn receive(&mut self, cx: &mut Context<'_>) -> Result<(), String> {
        while let Some(first) = self.in_flight.front_mut() {
            let Poll::Ready((cmd, result)) = first.reply.as_mut().poll(cx) else { break };
            let InFlight { ticket, .. } = self.in_flight.pop_front().expect("it has a front");
            self.answer(ticket, cmd, result.and_then(Value::extract_error))?;
        }
        Ok(())
    }

    fn answer(
        &mut self,
        ticket: Ticket,
        cmd: Cmd,
        result: RedisResult<Value>,
    ) -> Result<(), String> {
        let error = match result {
            Ok(value) => {
                self.overtake(ticket.channel.as_ref());
                ticket.answer(Ok(value));
                return Ok(());
            }
            Err(error) => error,
        };
        if error.code() == Some("NOSCRIPT") {
            self.again.push(Command { cmd, ticket });
            return Ok(());
        }
        let (answer, ends) = verdict(&error);
        ticket.answer(Err(answer));
        if ends { Err(error.to_string()) } else { Ok(()) }
    }

    /// Something of this channel was done that stood behind what is to be sent again: another node
    /// has loaded the scripts meanwhile. What it has overtaken must not follow it.
    fn overtake(&mut self, channel: Option<&ChannelName>) {
        if channel.is_none() || self.again.is_empty() {
            return;
        }
        let (overtaken, rest): (Vec<_>, _) =
            self.again.drain(..).partition(|command| command.ticket.channel.as_ref() == channel);
        self.again = rest;
        overtaken.into_iter().for_each(|command| command.ticket.answer(unavailable()));
    }

    fn look_at_time(
        &mut self,
        connection: &MultiplexedConnection,
        may_send: bool,
        cx: &mut Context<'_>,
    ) -> Result<(), String> {
        let first = self.in_flight.front().map(|in_flight| in_flight.ticket.deadline);
        if first.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(format!("it did not answer within {:?}", self.timeout));
        }
        if self.in_flight.is_empty() && may_send {
            let ping = self.unasked(cmd("PING"));
            self.dispatch(connection, ping, cx);
        }
        self.set_alarm();
        Ok(())
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> bool {
        self.alarm.as_mut().poll(cx).is_ready()
    }

    /// The alarm goes when the first that waits has no time left, or soon enough for those that come
    /// later.
    fn set_alarm(&mut self) {
        let first = self.in_flight.front().map(|in_flight| in_flight.ticket.deadline);
        let first = first.or(self.waiting.front().map(|command| command.ticket.deadline));
        let idle = Instant::now() + PING_INTERVAL.min(self.timeout / 2);
        self.alarm.as_mut().reset(first.unwrap_or(idle));
    }

    fn unasked(&self, cmd: Cmd) -> Command {
        let share = Share(Arc::default(), 0);
        let deadline = Instant::now() + self.timeout;
        Command { cmd, ticket: Ticket { channel: None, waiter: None, deadline, _share: share } }
    }
}

impl Ticket {
    fn answer(self, reply: Reply) {
        if let Some(waiter) = self.waiter {
            let _ = waiter.send(reply);
        }
    }
}

fn unavailable() -> Reply {
    Err(BrokerError::Unavailable)
}

fn argument_bytes(argument: redis::Arg<&[u8]>) -> usize {
    match argument {
        redis::Arg::Simple(bytes) => bytes.len(),
        _ => 0,
    }
}

/// What an error is for who asked, and whether the connection is of no use any more.
fn verdict(error: &RedisError) -> (BrokerError, bool) {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly};
    let Some(code) = error.code() else {
        return (BrokerError::Unavailable, true);
    };
    match (error.kind(), code) {
        (ErrorKind::Server(Ask | BusyLoading | ClusterDown | MasterDown | Moved | ReadOnly), _) => {
            (BrokerError::Unavailable, true)
        }
        (_, "NOAUTH" | "WRONGPASS") => (BrokerError::Unavailable, true),
        // It is busy, or has too few replicas now.
        (_, "BUSY" | "NOREPLICAS" | "TRYAGAIN") => (BrokerError::Unavailable, false),
        (_, "OOM") => (BrokerError::StorageFull, false),
        _ => (BrokerError::StorageFailed(error.to_string()), false),
    }
}
