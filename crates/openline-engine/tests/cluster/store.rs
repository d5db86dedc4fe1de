//! The store that the nodes share: it orders, keeps, recovers, and comes back without what it lost.

use std::sync::Arc;

use openline_engine::{Draft, History, Ordered, PageLimits, Query, Recovery, Settled, Streams};
use openline_protocol::{ChannelName, Data, Position, Publication};

use crate::plan::{Bug, Plan};
use crate::promise::WINDOW_MS;
use crate::promise::model::{Checked, Model, Record};
use crate::promise::random::Random;
use crate::promise::shard::{Outcome, Publisher};

pub(crate) struct Store {
    channels: Vec<Option<Channel>>,
    /// An older state.
    copy: Vec<Option<Image>>,
    names: Vec<ChannelName>,
    histories: Vec<History>,
    limits: PageLimits,
    bug: Option<Bug>,
}

struct Channel {
    streams: Streams,
    image: Image,
    /// Ordered, and not visible yet.
    pending: Vec<Record>,
}

/// What a channel is made from again.
#[derive(Clone)]
struct Image {
    epoch: u32,
    records: Vec<Record>,
}

/// How the store comes back from a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Nothing,
    /// What came after the copy.
    Recent,
    All,
}

/// What an append came to.
pub(crate) enum Appended {
    /// It has its place; with `Store::commit` it becomes visible.
    New(Arc<Publication>),
    Answered(Outcome),
    /// A retry of what is not visible yet: its answer is that of the first try.
    Awaits,
}

impl Store {
    pub(crate) fn new(plan: &Plan, names: Vec<ChannelName>) -> Self {
        Self {
            channels: names.iter().map(|_| None).collect(),
            copy: names.iter().map(|_| None).collect(),
            names,
            histories: plan.histories.clone(),
            limits: plan.limits,
            bug: plan.bug,
        }
    }

    /// A channel begins with the first that is asked about it.
    fn channel(&mut self, number: usize, random: &mut Random) -> &mut Channel {
        self.channels[number].get_or_insert_with(|| {
            let epoch = u32::try_from(random.number() >> 32).expect("these are 32 bits");
            let image = Image { epoch, records: Vec::new() };
            Channel { streams: Streams::new(WINDOW_MS, epoch), image, pending: Vec::new() }
        })
    }

    pub(crate) fn append(
        &mut self,
        publisher: &Publisher,
        model: &mut Model,
        random: &mut Random,
        now: u64,
    ) -> Result<Appended, String> {
        let number = publisher.channel;
        let draft = Draft {
            channel: self.names[number].clone(),
            event: None,
            data: Data::Json(publisher.value.clone()),
            from: None,
            key: publisher.key.clone(),
            history: self.histories[number],
        };
        let tag = if self.bug == Some(Bug::ReuseOffset) { 7 } else { random.number() };
        let channel = self.channel(number, random);
        let key = publisher.key.clone().unwrap_or_default();
        Ok(match channel.streams.order(draft, tag, now) {
            Ordered::New(publication) => {
                if publisher.key.is_some() {
                    model.first_use(number, &key, now)?;
                }
                model.ordered(&publication, publisher.except.clone())?;
                if publication.position.is_none() {
                    model.use_key(number, publisher.key.as_ref(), &publication);
                } else {
                    let (publication, key) = (publication.clone(), publisher.key.clone());
                    channel.pending.push(Record { publication, key });
                }
                Appended::New(publication)
            }
            Ordered::Duplicate { pending: true, .. } => Appended::Awaits,
            Ordered::Duplicate { position, .. } => {
                model.duplicate(number, &key, position)?;
                Appended::Answered(Outcome::Kept)
            }
            Ordered::Conflict { .. } => {
                model.conflict(number, &key, &publisher.value, now)?;
                Appended::Answered(Outcome::Refused)
            }
        })
    }

    /// Makes the oldest pending entry of a channel visible.
    pub(crate) fn commit(&mut self, number: usize, model: &mut Model, now: u64) -> Checked {
        let channel = self.channels[number].as_mut().ok_or("no such channel")?;
        if channel.pending.is_empty() {
            return Err("nothing is pending".to_owned());
        }
        let record = channel.pending.remove(0);
        let sequence = record.publication.position.map(|at| at.offset);
        let settled =
            channel.streams.settle(&self.names[number], sequence, record.key.as_deref(), now);
        let Some((Settled::Committed(publication), _)) = settled else {
            return Err(format!("{:?} is not committed", record.publication.position));
        };
        model.committed(&publication, record.key.as_ref())?;
        channel.image.records.push(record);
        Ok(())
    }

    pub(crate) fn recover(
        &mut self,
        number: usize,
        mut since: Position,
        random: &mut Random,
        now: u64,
    ) -> Recovery {
        let (limits, ignores) = (self.limits, self.bug == Some(Bug::IgnoreEpoch));
        let head = self.head(number, random, now);
        if ignores {
            since.epoch = head.epoch;
        }
        let name = self.names[number].clone();
        self.channel(number, random).streams.recover(&name, since, &limits, now).0
    }

    /// Where a channel is.
    pub(crate) fn head(&mut self, number: usize, random: &mut Random, now: u64) -> Position {
        let (limits, name) = (self.limits, self.names[number].clone());
        let query = Query { limit: Some(0), ..Query::default() };
        let streams = &mut self.channel(number, random).streams;
        let (page, _) = streams.query(&name, &query, &limits, now);
        page.expect("a query without a position has an answer").head
    }

    pub(crate) fn take_copy(&mut self) {
        let image = |channel: &Option<Channel>| channel.as_ref().map(|it| it.image.clone());
        self.copy = self.channels.iter().map(image).collect();
    }

    /// Begins anew with what it has; what was pending is gone.
    pub(crate) fn restart(
        &mut self,
        loss: Loss,
        model: &mut Model,
        random: &mut Random,
        now: u64,
    ) -> Checked {
        match loss {
            Loss::Nothing => {
                model.happened.reloads += 1;
                model.forget_plain_keys();
            }
            Loss::Recent => {
                model.happened.restarts += 1;
                model.happened.rollbacks += 1;
                model.forget_keys(None);
            }
            Loss::All => {
                model.happened.restarts += 1;
                model.happened.forgotten += 1;
                model.forget_keys(None);
            }
        }
        for number in 0..self.channels.len() {
            let image = match loss {
                Loss::Nothing => self.channels[number].take().map(|channel| channel.image),
                Loss::Recent => self.copy[number].clone(),
                Loss::All => None,
            };
            let known = self.channels[number].take().is_some() || image.is_some();
            let records = image.as_ref().map_or_else(Vec::new, |image| image.records.clone());
            self.channels[number] = image.map(|image| self.rebuilt(number, image, now));
            if known && self.histories[number].size > 0 {
                let head = self.head(number, random, now);
                model.restored(number, &records, head, loss != Loss::Nothing)?;
            }
        }
        Ok(())
    }

    fn rebuilt(&self, number: usize, image: Image, now: u64) -> Channel {
        let mut streams = Streams::new(WINDOW_MS, image.epoch);
        for Record { publication, key } in &image.records {
            let sequence = publication.position.map_or(0, |at| at.offset);
            let key = key.clone().filter(|_| self.bug != Some(Bug::ForgetKeys));
            streams.restore(publication.clone(), key, self.histories[number], sequence, now);
        }
        Channel { streams, image, pending: Vec::new() }
    }

    /// Forgets a channel altogether.
    pub(crate) fn evict(&mut self, number: usize, model: &mut Model) {
        let is_pending = |channel: &Channel| !channel.pending.is_empty();
        if self.channels[number].as_ref().is_some_and(is_pending) {
            return;
        }
        self.channels[number] = None;
        model.forget_keys(Some(number));
        model.forgotten((0..self.names.len()).map(|other| other == number));
    }
}
