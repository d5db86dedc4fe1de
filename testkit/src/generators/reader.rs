//! One who subscribes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::Shared;
use super::door::Door;
use super::position::Positions;
use crate::history::{Channel, Event, From};
use crate::plan::{ReaderPlan, ReaderStep};
use crate::seed::Seed;
use crate::subject::{Heard, Line};

const PAUSE: Duration = Duration::from_millis(100);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a subscription may go unanswered before the line is given up.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Reads as planned, from `began` on, until the run ends.
///
/// # Errors
/// When there is no port for its door.
pub async fn read(
    mut shared: Shared,
    plan: ReaderPlan,
    channels: Vec<Channel>,
    began: Instant,
) -> Result<(), String> {
    let door = Door::open(shared.nodes[plan.node]).await.map_err(|error| error.to_string())?;
    let names: Vec<String> = channels.into_iter().map(|channel| channel.name).collect();
    let wanted = |index: &usize| (names[*index].clone(), State::Wanted(From::Now, began));
    let mut reader = Reader {
        name: plan.name,
        client: plan.client,
        node: plan.node,
        door,
        line: None,
        states: plan.channels.iter().map(wanted).collect(),
        names,
        positions: Positions::new(Seed::new(plan.seed)),
        steps: plan.steps.into_iter().map(|(at, step)| (began + at, step)).collect(),
        shared: shared.clone(),
    };
    for channel in reader.states.keys() {
        reader.shared.progress.set(&reader.name, channel, None);
    }
    tokio::select! {
        () = reader.run() => {}
        () = shared.stopped() => {}
    }
    Ok(())
}

struct Reader {
    name: String,
    client: String,
    node: usize,
    door: Door,
    line: Option<Box<dyn Line>>,
    names: Vec<String>,
    states: BTreeMap<String, State>,
    positions: Positions,
    steps: VecDeque<(Instant, ReaderStep)>,
    shared: Shared,
}

/// How a channel stands with a reader.
enum State {
    /// It is to be subscribed to from there at that time.
    Wanted(From, Instant),
    /// It was asked for, with this position, at that time.
    Asked(From, Option<String>, Instant),
    Subscribed,
    /// It was left, and is to be subscribed to from there after that time.
    Leaving(From, Duration),
}

impl Reader {
    async fn run(&mut self) {
        loop {
            self.act().await;
            let wake = self.wake();
            let Some(line) = &mut self.line else {
                sleep(PAUSE).await;
                continue;
            };
            tokio::select! {
                heard = line.heard() => match heard {
                    Ok(heard) => self.heard(heard),
                    Err(why) => {
                        self.lost(why);
                        sleep(PAUSE).await;
                    }
                },
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Does what is due.
    async fn act(&mut self) {
        let now = Instant::now();
        while self.steps.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, step)) = self.steps.pop_front() else { return };
            self.step(step).await;
        }
        if self.line.is_none() {
            let connecting = self.shared.subject.connect(&self.client, self.door.address());
            if let Ok(Ok(line)) = timeout(CONNECT_TIMEOUT, connecting).await {
                self.line = Some(line);
                self.record(Event::Opened { who: self.name.clone(), node: self.node });
            }
        }
        self.subscribe_to_what_is_due().await;
    }

    /// When something is due at the latest.
    fn wake(&self) -> Instant {
        let due = self.states.values().filter_map(|state| match state {
            State::Wanted(_, at) => Some(*at),
            State::Asked(_, _, at) => Some(*at + ANSWER_TIMEOUT),
            State::Subscribed | State::Leaving(..) => None,
        });
        let step = self.steps.front().map(|(at, _)| *at);
        due.chain(step).min().unwrap_or_else(|| Instant::now() + PAUSE * 100)
    }

    async fn step(&mut self, step: ReaderStep) {
        match step {
            ReaderStep::Move { node, cut, away } => {
                self.node = node;
                self.record(Event::Lost { who: self.name.clone(), why: format!("cut: {cut:?}") });
                self.door.cut(cut, self.shared.nodes[node], away);
            }
            ReaderStep::Resubscribe { channel, from, away } => {
                let name = self.names[channel].clone();
                let Some(state @ State::Subscribed) = self.states.get_mut(&name) else { return };
                *state = State::Leaving(from, away);
                if let Some(line) = &mut self.line
                    && let Err(why) = line.unsubscribe(&name).await
                {
                    self.lost(why);
                }
            }
        }
    }

    async fn subscribe_to_what_is_due(&mut self) {
        let now = Instant::now();
        let overdue = self
            .states
            .values()
            .any(|state| matches!(state, State::Asked(_, _, at) if now > *at + ANSWER_TIMEOUT));
        // One that comes back asks again by itself.
        if overdue && self.line.as_ref().is_some_and(|line| !line.comes_back()) {
            return self.lost(format!("no answer to subscribe for {ANSWER_TIMEOUT:?}"));
        }
        for (name, state) in &mut self.states {
            let State::Wanted(from, at) = state else { continue };
            let Some(line) = &mut self.line else { return };
            if *at > now {
                continue;
            }
            let subject = &self.shared.subject;
            let (from, position) = self.positions.choose(name, *from, subject.as_ref());
            let place = position.as_deref().and_then(|position| subject.place(position));
            let (reader, channel) = (self.name.clone(), name.clone());
            self.shared.recorder.record(Event::Asked { reader, channel, from, place });
            let sent = line.subscribe(name, position.as_deref()).await;
            *state = State::Asked(from, position, now);
            if let Err(why) = sent {
                return self.lost(why);
            }
        }
    }

    fn heard(&mut self, heard: Heard) {
        let reader = self.name.clone();
        let subject = self.shared.subject.clone();
        let place =
            |position: &Option<String>| position.as_deref().and_then(|text| subject.place(text));
        match heard {
            Heard::Subscribed { channel, position, recovered, reason } => {
                let place = place(&position);
                self.subscribed(&channel, position, recovered);
                self.record(Event::Subscribed { reader, channel, place, recovered, reason });
            }
            Heard::Refused { channel, code } => {
                let again = State::Wanted(From::Own, Instant::now() + PAUSE);
                self.states.insert(channel.clone(), again);
                self.record(Event::Refused { reader, channel, code });
            }
            Heard::Message { channel, value, position } => {
                let place = place(&position);
                self.stands(&channel, position);
                self.record(Event::Seen { reader, channel, value, place });
            }
            Heard::Unrecovered { channel, reason, position } => {
                let place = place(&position);
                self.stands(&channel, position);
                self.record(Event::Unrecovered { reader, channel, reason, place });
            }
            Heard::Left { channel } => {
                let (from, away) = match self.states.get(&channel) {
                    Some(State::Leaving(from, away)) => (*from, *away),
                    _ => (From::Own, Duration::ZERO),
                };
                self.left(&channel, from, away);
            }
        }
    }

    fn subscribed(&mut self, channel: &str, position: Option<String>, recovered: Option<bool>) {
        let state = self.states.insert(channel.to_owned(), State::Subscribed);
        // One that was made up is not where it stands; what is said next tells where that is.
        let asked = match state {
            Some(State::Asked(From::Own | From::Older, asked, _)) => asked,
            _ => None,
        };
        let goes_on = recovered == Some(true) || position.is_none();
        self.stands(channel, if goes_on { asked.or(position) } else { position });
    }

    /// Remembers where the reader is in a channel.
    fn stands(&mut self, channel: &str, position: Option<String>) {
        let Some(position) = position else { return };
        self.positions.set(channel, &position);
        let place = self.shared.subject.place(&position);
        self.shared.progress.set(&self.name, channel, place);
    }

    fn left(&mut self, channel: &str, from: From, away: Duration) {
        self.states.insert(channel.to_owned(), State::Wanted(from, Instant::now() + away));
        self.shared.progress.set(&self.name, channel, None);
        self.record(Event::Left { reader: self.name.clone(), channel: channel.to_owned() });
    }

    /// The line is over: what was subscribed to goes on from where it was.
    fn lost(&mut self, why: String) {
        self.line = None;
        self.record(Event::Lost { who: self.name.clone(), why });
        let now = Instant::now();
        let mut left = Vec::new();
        for (channel, state) in &mut self.states {
            match state {
                State::Wanted(..) => {}
                State::Asked(from, ..) => *state = State::Wanted(*from, now),
                State::Subscribed => *state = State::Wanted(From::Own, now),
                State::Leaving(from, away) => left.push((channel.clone(), *from, *away)),
            }
            self.shared.progress.set(&self.name, channel, None);
        }
        for (channel, from, away) in left {
            self.left(&channel, from, away);
        }
    }

    fn record(&self, event: Event) {
        self.shared.recorder.record(event);
    }
}
