//! One who publishes.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::Shared;
use super::door::Door;
use crate::history::{Channel, Event};
use crate::plan::{Cut, PublisherPlan, PublisherStep, Way};
use crate::subject::{Message, Outcome, Pen};

/// How often a publish is sent again whose outcome is not known.
const ATTEMPTS_MAX: u32 = 12;
/// For how long a message is sent again when the run is over.
const LAST_WORDS: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Publishes as planned, between `began` and `end`, and returns when it is known what came of it.
///
/// # Errors
/// When there is no port for its door.
pub async fn publish(
    mut shared: Shared,
    plan: PublisherPlan,
    channels: Vec<Channel>,
    (began, end): (Instant, Instant),
) -> Result<(), String> {
    let door = Door::open(shared.nodes[plan.node]).await.map_err(|error| error.to_string())?;
    let way = plan.way;
    let mut publisher = Publisher {
        name: plan.name,
        node: plan.node,
        door,
        channels,
        pen: None,
        sent: HashMap::new(),
        attempts: HashMap::new(),
        gives_up: end + LAST_WORDS,
        shared: shared.clone(),
    };
    for (at, step) in plan.steps {
        // A machine with much to do may be late.
        if Instant::now() > end {
            break;
        }
        tokio::select! {
            () = async {
                sleep_until(began + at).await;
                publisher.step(way, step).await;
            } => {}
            () = shared.stopped() => break,
        }
    }
    Ok(())
}

struct Publisher {
    name: String,
    node: usize,
    door: Door,
    channels: Vec<Channel>,
    pen: Option<Box<dyn Pen>>,
    /// Channels of the messages that were sent, by number.
    sent: HashMap<u32, usize>,
    /// How often a value was sent.
    attempts: HashMap<String, u32>,
    /// When it does not ask any more what became of a message.
    gives_up: Instant,
    shared: Shared,
}

impl Publisher {
    async fn step(&mut self, way: Way, step: PublisherStep) {
        match step {
            PublisherStep::Publish { number, channel } => {
                self.sent.insert(number, channel);
                self.until_known(way, self.node, number, "").await;
            }
            PublisherStep::Retry { number, way, node } => {
                self.until_known(way, node, number, "").await;
            }
            PublisherStep::Conflict { number } => {
                self.until_known(way, self.node, number, "c").await;
            }
            PublisherStep::Move { node } => {
                self.node = node;
                self.door.cut(Cut::Reset, self.shared.nodes[node], Duration::ZERO);
            }
        }
    }

    /// Publishes, and again under the same key while it is not known what came of it.
    async fn until_known(&mut self, way: Way, node: usize, number: u32, suffix: &str) {
        let Some(&channel) = self.sent.get(&number) else { return };
        let key = format!("{}-{number}", self.name);
        let value = format!("{key}{suffix}");
        let channel = self.channels[channel].name.clone();
        let message = Message { channel, value, key };
        for attempt in 0..ATTEMPTS_MAX {
            if self.once(way, node, &message).await || Instant::now() > self.gives_up {
                return;
            }
            sleep((PAUSE * 2_u32.pow(attempt.min(8))).min(PAUSE_MAX)).await;
        }
    }

    /// Publishes once. True if it is known then what came of it.
    async fn once(&mut self, way: Way, node: usize, message: &Message) -> bool {
        if way == Way::Line && !self.has_line().await {
            return false;
        }
        let attempts = self.attempts.entry(message.value.clone()).or_default();
        let attempt = *attempts;
        *attempts += 1;
        let way_text = match way {
            Way::Line => format!("line to node {}", self.node),
            Way::Request => format!("request to node {node}"),
        };
        self.shared.recorder.record(Event::Invoke {
            process: self.name.clone(),
            value: message.value.clone(),
            channel: message.channel.clone(),
            key: message.key.clone(),
            attempt,
            way: way_text,
        });
        let outcome = match (way, &mut self.pen) {
            (Way::Line, Some(pen)) => pen.publish(message).await,
            _ => self.shared.subject.publish(self.shared.nodes[node], message).await,
        };
        self.came_of(&message.value, attempt, outcome)
    }

    fn came_of(&mut self, value: &str, attempt: u32, outcome: Outcome) -> bool {
        let value = value.to_owned();
        let (event, is_known) = match outcome {
            Outcome::Published { position, level, duplicate } => {
                let place = position.and_then(|position| self.shared.subject.place(&position));
                (Event::Ok { value, attempt, place, level, duplicate }, true)
            }
            Outcome::Refused(code) => (Event::Fail { value, attempt, code }, true),
            Outcome::Unknown { why, lost } => {
                if lost {
                    self.pen = None;
                    let who = self.name.clone();
                    self.shared.recorder.record(Event::Lost { who, why: why.clone() });
                }
                (Event::Unknown { value, attempt, why }, false)
            }
        };
        self.shared.recorder.record(event);
        is_known
    }

    async fn has_line(&mut self) -> bool {
        if self.pen.is_none() {
            let pen = self.shared.subject.connect_publisher(self.door.address()).await;
            if let Ok(pen) = pen {
                self.pen = Some(pen);
                let (who, node) = (self.name.clone(), self.node);
                self.shared.recorder.record(Event::Opened { who, node });
            }
        }
        self.pen.is_some()
    }
}
