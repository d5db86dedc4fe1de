//! [`Driver`]: the loop of the broker's thread.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use openline_engine::{Feed, FeedEffect, FeedLimits, NoAnswer, Page, PageLimits, Query, Recovery};
use openline_protocol::{ChannelName, Position, Publication, Reason};
use tokio::sync::mpsc;
use tokio::task::unconstrained;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};

use super::queue::{Command, Load, Ticket, Waiter};
use super::reads::{Question, Reads, answer_all};
use super::standing::Standing;
use super::{Backend, Report, SharedOptions};
use crate::broker::{BrokerError, Ear, Tail};

/// How often the feed is told the time.
const TICK: Duration = Duration::from_millis(100);

/// What is taken in one turn of each kind, before anything is handed on.
const TURN_MAX: usize = 1024;

/// What a read for all subscribers of a channel at once may hold. More than one of theirs: it is
/// cheaper than each reading for itself.
const READ: PageLimits = PageLimits { publications_max: 10_000, bytes_max: 4 << 20 };

const HELD_MAX: usize = 4096;
const HELD_BYTES_MAX: usize = 64 << 20;
const BATCH_MAX: usize = 1000;
const READS_MAX: usize = 16;

/// What came of what was asked of the store.
enum Done {
    Subscribed(Result<Vec<Option<Position>>, NoAnswer>),
    Unsubscribed,
    Heads(Result<Vec<Option<Position>>, NoAnswer>),
    Read { number: u64, channel: ChannelName, read: Result<Recovery, NoAnswer> },
    Recovered(Question<Position>),
    Queried(Question<Query>),
    Tried,
}

type Entry = (Arc<Publication>, Option<Arc<str>>);

pub(super) struct Driver<B> {
    backend: Arc<B>,
    options: SharedOptions,
    tail: Arc<dyn Tail>,
    ear: Arc<dyn Ear>,
    standing: Arc<Standing>,
    load: Arc<Load>,
    feed: Feed,
    recoveries: Reads<Position, Recovery>,
    queries: Reads<Query, Result<Page, Reason>>,
    /// Who waits until a channel is heard.
    listeners: HashMap<ChannelName, Vec<Waiter<()>>>,
    /// What this turn hands on.
    turn: Vec<Entry>,
    /// The channel of the last command that asks the store.
    asked_last: Option<ChannelName>,
    /// Whether the store is asked if it answers again.
    trying: bool,
    done: mpsc::UnboundedSender<Done>,
    answers: mpsc::UnboundedReceiver<Done>,
    started: Instant,
}

impl<B: Backend> Driver<B> {
    pub(super) fn new(
        backend: Arc<B>,
        options: SharedOptions,
        tail: Arc<dyn Tail>,
        ear: Arc<dyn Ear>,
        standing: Arc<Standing>,
        load: Arc<Load>,
    ) -> Self {
        let (done, answers) = mpsc::unbounded_channel();
        let feed = Feed::new(FeedLimits {
            held_max: HELD_MAX,
            held_bytes_max: HELD_BYTES_MAX,
            batch_max: BATCH_MAX,
            reads_max: READS_MAX,
            // What a probe finds missing is read with the second tick after it.
            probe_interval_ms: milliseconds(options.probe_interval.saturating_sub(TICK * 3)),
        });
        Self {
            backend,
            options,
            tail,
            ear,
            standing,
            load,
            feed,
            recoveries: Reads::new(),
            queries: Reads::new(),
            listeners: HashMap::new(),
            turn: Vec::new(),
            asked_last: None,
            trying: false,
            done,
            answers,
            started: Instant::now(),
        }
    }

    /// Runs until [`Command::Close`], and what was given before it is done.
    pub(super) fn run(self, commands: mpsc::UnboundedReceiver<Vec<Command>>) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a process that starts can open what a runtime needs");
        runtime.block_on(self.drive(commands));
        // A name that is being looked up would hold it up for as long as that takes.
        runtime.shutdown_background();
    }

    async fn drive(mut self, mut commands: mpsc::UnboundedReceiver<Vec<Command>>) {
        let (reporter, mut reports) = mpsc::unbounded_channel();
        self.backend.start(reporter);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut asked, mut reported, mut answered) = (Vec::new(), Vec::new(), Vec::new());
        let mut turned = Instant::now();
        loop {
            let mut ticked = false;
            tokio::select! {
                _ = ticks.tick() => ticked = true,
                _ = reports.recv_many(&mut reported, TURN_MAX) => {}
                _ = self.answers.recv_many(&mut answered, TURN_MAX) => {}
                _ = commands.recv_many(&mut asked, TURN_MAX) => {}
            }
            let now = Instant::now();
            if now - std::mem::replace(&mut turned, now) > self.options.stall_max {
                self.feed.handle_stall();
            }
            for report in reported.drain(..) {
                self.hear(report);
            }
            for done in answered.drain(..) {
                self.take_answer(done);
            }
            if ticked {
                self.tick(now);
            }
            let mut closing = false;
            for command in asked.drain(..).flatten() {
                closing |= matches!(command, Command::Close);
                self.begin(command);
            }
            self.end_turn();
            if closing {
                return self.finish(now).await;
            }
        }
    }

    /// Waits for what is under way.
    async fn finish(mut self, now: Instant) {
        self.listeners.clear();
        let until = now + self.options.timeout;
        while self.load.commands() > 0 && Instant::now() < until {
            sleep_until(until.min(Instant::now() + Duration::from_millis(1))).await;
        }
    }

    fn hear(&mut self, report: Report) {
        match report {
            Report::Published { publication, except } => {
                self.feed.handle_arrived(publication, except);
            }
            Report::Emitted { from, channel, said } => {
                if self.feed.is_ready(&channel) {
                    self.ear.emitted(from, channel, said);
                }
            }
            Report::Told { from, said } => self.ear.told(from, said),
            Report::Down(why) => {
                self.standing.set_down(why);
                self.feed.handle_down();
            }
            Report::Up => {
                self.standing.set_up();
                self.feed.handle_up();
            }
        }
        self.act();
    }

    fn take_answer(&mut self, done: Done) {
        match done {
            Done::Subscribed(heads) => self.feed.handle_subscribed(heads),
            Done::Unsubscribed => self.feed.handle_unsubscribed(),
            Done::Heads(heads) => self.feed.handle_heads(heads),
            Done::Read { number, channel, read } => self.feed.handle_read(number, &channel, read),
            Done::Recovered(question) => self.recoveries.end(question),
            Done::Queried(question) => self.queries.end(question),
            Done::Tried => self.trying = false,
        }
        self.act();
    }

    fn tick(&mut self, now: Instant) {
        let passed = now - self.started;
        self.feed.tick(milliseconds(passed));
        self.act();
        let patience = self.options.timeout.saturating_sub(TICK);
        self.listeners.retain(|_, waiters| {
            for waiter in waiters.extract_if(.., |waiter| now - waiter.since() >= patience) {
                waiter.answer(Err(BrokerError::Unavailable));
            }
            !waiters.is_empty()
        });
        if !self.standing.is_certain() {
            self.try_again();
        }
    }

    /// Asks what is answered in no time. So one answer that took long is not taken for a store that
    /// hangs, and one that answers again is known to also when nobody asks because it did not.
    fn try_again(&mut self) {
        let Some(channel) = self.asked_last.clone().filter(|_| !self.trying) else { return };
        self.trying = true;
        let (backend, standing) = (self.backend.clone(), self.standing.clone());
        let (done, patience) = (self.done.clone(), self.options.timeout);
        run(async move {
            let answer = timeout(patience, backend.heads(&[channel])).await;
            standing.set_answers(matches!(answer, Ok(Ok(_))));
            let _ = done.send(Done::Tried);
        });
    }

    fn begin(&mut self, command: Command) {
        let backend = self.backend.clone();
        if let Some(channel) = command.channel() {
            self.asked_last = Some(channel.clone());
        }
        match command {
            Command::Publish { draft, except, waiter } => {
                self.answer(waiter, async move { backend.publish(draft, except).await });
            }
            Command::Recover(asked) => self.recoveries.add(asked),
            Command::Query(asked) => self.queries.add(asked),
            Command::Extent { channel, waiter } => {
                self.answer(waiter, async move { backend.extent(&channel).await });
            }
            Command::Clear { channel, waiter } => {
                self.answer(waiter, async move { backend.clear(&channel).await });
            }
            Command::Listen { channel, waiter } => self.listen(channel, waiter),
            Command::Look(channel) => self.look(&channel),
            Command::Emit { channel, said, ticket } => {
                self.say(ticket, async move { backend.emit(&channel, said).await });
            }
            Command::Cast { said, ticket } => {
                self.say(ticket, async move { backend.cast(said).await });
            }
            Command::Tell { node, said, ticket } => {
                self.say(ticket, async move { backend.tell(node, said).await });
            }
            Command::Close => {}
        }
    }

    fn listen(&mut self, channel: ChannelName, waiter: Waiter<()>) {
        // Who asked may be gone by now, and nobody would say so again.
        if self.feed.is_ready(&channel) || !self.tail.is_heard(&channel) {
            return waiter.answer(Ok(()));
        }
        self.listeners.entry(channel.clone()).or_default().push(waiter);
        self.feed.want(&channel);
        self.act();
    }

    fn look(&mut self, channel: &ChannelName) {
        self.standing.begin_look(channel);
        // First it is not heard any more, then it is looked whether it should be: who subscribes
        // between the two finds that it has to ask.
        self.standing.set_heard(channel, false);
        if self.tail.is_heard(channel) {
            self.standing.set_heard(channel, self.feed.is_ready(channel));
        } else {
            self.feed.unwant(channel);
            self.listeners.remove(channel);
            self.act();
        }
    }

    /// Does what the feed says.
    fn act(&mut self) {
        while let Some(effect) = self.feed.poll_effect() {
            let backend = self.backend.clone();
            match effect {
                FeedEffect::HandOn { publication, except } => self.turn.push((publication, except)),
                FeedEffect::Lost { channel, head } => {
                    self.hand_on();
                    self.tail.lost(&channel, head);
                }
                FeedEffect::Ready(channel) => {
                    self.standing.set_heard(&channel, true);
                    for waiter in self.listeners.remove(&channel).unwrap_or_default() {
                        waiter.answer(Ok(()));
                    }
                }
                FeedEffect::Whole => self.ear.interrupted(),
                FeedEffect::Subscribe(channels) => self.ask(Done::Subscribed, async move {
                    backend.subscribe(&channels).await?;
                    backend.heads(&channels).await
                }),
                FeedEffect::Unsubscribe(channels) => {
                    self.ask(|_| Done::Unsubscribed, async move {
                        backend.unsubscribe(&channels).await;
                        Ok(())
                    });
                }
                FeedEffect::Locate(channels) => {
                    self.ask(Done::Heads, async move { backend.heads(&channels).await });
                }
                FeedEffect::Read { number, channel, since } => {
                    let of = channel.clone();
                    self.ask(move |read| Done::Read { number, channel, read }, async move {
                        backend.recover(&of, since, &READ).await
                    });
                }
            }
        }
    }

    /// Asks the store for the feed.
    fn ask<T: Send + 'static>(
        &self,
        done: impl FnOnce(Result<T, NoAnswer>) -> Done + Send + 'static,
        asked: impl Future<Output = Result<T, BrokerError>> + Send + 'static,
    ) {
        let (sender, standing) = (self.done.clone(), self.standing.clone());
        let patience = self.options.timeout;
        run(async move {
            let answer = timeout(patience, asked).await.unwrap_or(Err(BrokerError::Unavailable));
            standing.note_answer(!matches!(answer, Err(BrokerError::Unavailable)));
            let _ = sender.send(done(answer.map_err(|_| NoAnswer)));
        });
    }

    /// Asks the store for somebody who waits.
    fn answer<T: Send + 'static>(
        &self,
        waiter: Waiter<T>,
        asked: impl Future<Output = Result<T, BrokerError>> + Send + 'static,
    ) {
        let until = waiter.since() + self.options.timeout;
        let standing = self.standing.clone();
        run(async move {
            waiter.answer(in_time(until, asked, &standing).await);
        });
    }

    fn say(&self, ticket: Ticket, said: impl Future<Output = ()> + Send + 'static) {
        let patience = self.options.timeout;
        run(async move {
            let _ = timeout(patience, said).await;
            drop(ticket);
        });
    }

    fn end_turn(&mut self) {
        for (question, waiters) in self.recoveries.begin() {
            let (backend, of) = (self.backend.clone(), question.clone());
            let asked = async move { backend.recover(&of.channel, of.asked, &of.limits).await };
            self.read(waiters, Done::Recovered(question), asked);
        }
        for (question, waiters) in self.queries.begin() {
            let (backend, of) = (self.backend.clone(), question.clone());
            let asked = async move { backend.query(&of.channel, &of.asked, &of.limits).await };
            self.read(waiters, Done::Queried(question), asked);
        }
        self.hand_on();
        self.standing.set_channels(self.feed.len());
    }

    fn read<T: Clone + Send + 'static>(
        &self,
        waiters: Vec<Waiter<T>>,
        done: Done,
        asked: impl Future<Output = Result<T, BrokerError>> + Send + 'static,
    ) {
        let since = waiters.iter().map(Waiter::since).min().unwrap_or_else(Instant::now);
        let (sender, standing) = (self.done.clone(), self.standing.clone());
        let until = since + self.options.timeout;
        run(async move {
            answer_all(waiters, &in_time(until, asked, &standing).await);
            let _ = sender.send(done);
        });
    }

    fn hand_on(&mut self) {
        if !self.turn.is_empty() {
            self.tail.publish_all(std::mem::take(&mut self.turn));
        }
    }
}

async fn in_time<T>(
    until: Instant,
    asked: impl Future<Output = Result<T, BrokerError>>,
    standing: &Standing,
) -> Result<T, BrokerError> {
    let answer = timeout_at(until, asked).await.unwrap_or(Err(BrokerError::Unavailable));
    standing.note_answer(!matches!(answer, Err(BrokerError::Unavailable)));
    answer
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Polls a future at once, so that the order of calls is the order of first polls, and leaves the
/// rest of it to the runtime. The budget of this turn does not count: it would hold up some of the
/// first polls and not others.
fn run(future: impl Future<Output = ()> + Send + 'static) {
    let mut future: Pin<Box<_>> = Box::pin(unconstrained(future));
    if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        tokio::spawn(future);
    }
}
