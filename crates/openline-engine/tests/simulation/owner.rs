//! The owner of the channels: their order, their store, and who listens where.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use openline_engine::{
    Broadcast, Directory, Draft, History, Ordered, PageLimits, Post, PresenceChange, Query,
    Recovery, Settled, Streams,
};
use openline_protocol::{ChannelName, Data, Member, Position, Publication, Reason};

use crate::plan::{Bug, Plan};
use crate::promise::WINDOW_MS;
use crate::promise::model::{Checked, Model, Record, index};
use crate::promise::random::Random;
use crate::promise::shard::{Answer, Outcome, Publisher, Reader, Request};
use crate::store::Store;

/// What goes to a shard.
pub(crate) enum Outgoing {
    Answer(Answer),
    Post(ChannelName, Post),
}

pub(crate) struct Owner {
    pub(crate) streams: Streams,
    pub(crate) directory: Directory,
    pub(crate) store: Store,
    names: Vec<ChannelName>,
    histories: Vec<History>,
    limits: PageLimits,
    bug: Option<Bug>,
    waiting: BTreeMap<ChannelName, VecDeque<Publisher>>,
    /// Retries of what is not settled.
    retries: Vec<(ChannelName, Position, Publisher)>,
    /// To each shard.
    pub(crate) outgoing: Vec<(usize, Outgoing)>,
}

impl Owner {
    pub(crate) fn new(plan: &Plan, names: Vec<ChannelName>, random: &mut Random) -> Self {
        Self {
            streams: Streams::new(WINDOW_MS, epoch(random)),
            directory: Directory::default(),
            store: Store::default(),
            names,
            histories: plan.histories.clone(),
            limits: plan.limits,
            bug: plan.bug,
            waiting: BTreeMap::new(),
            retries: Vec::new(),
            outgoing: Vec::new(),
        }
    }

    pub(crate) fn handle(
        &mut self,
        shard: usize,
        request: Request,
        model: &mut Model,
        random: &mut Random,
        now: u64,
    ) -> Checked {
        let index = u16::try_from(shard).expect("there are few shards");
        match request {
            Request::Join { session, line, client, channel, since } => {
                let client_id = client.clone();
                let member = Member { client_id, user: None, info: None, status: None, data: None };
                self.directory.join(&channel, index, Some(member), now);
                let joined = Answer::Joined { session, line, client, channel, since };
                self.outgoing.push((shard, Outgoing::Answer(joined)));
            }
            Request::Leave { channel, client } => {
                self.directory.leave(&channel, index, &client, now);
            }
            Request::Update { channel, client, status } => {
                let change = |member: &mut Member| member.status = Some(status);
                self.directory.update(&channel, &client, change, now);
            }
            Request::Read(reader) => self.read(shard, reader, now),
            Request::Publish(publisher) => return self.publish(publisher, model, random, now),
        }
        Ok(())
    }

    fn read(&mut self, shard: usize, reader: Reader, now: u64) {
        let channel = &reader.channel;
        let (recovery, removed) = match reader.asks {
            Some(since) => {
                let (recovery, removed) = self.streams.recover(channel, since, &self.limits, now);
                (Some(self.sabotaged(channel, since, recovery, now)), removed)
            }
            None => {
                let query = Query { limit: Some(0), ..Query::default() };
                let (page, removed) = self.streams.query(channel, &query, &self.limits, now);
                let recovery = |head| Recovery { missed: Ok(Vec::new()), head };
                (page.ok().map(|page| recovery(page.head)), removed)
            }
        };
        self.store.remove(removed);
        let recovery = recovery.filter(|_| self.histories[index(channel.as_str())].size > 0);
        self.outgoing.push((shard, Outgoing::Answer(Answer::Read { reader, recovery })));
    }

    fn sabotaged(
        &mut self,
        channel: &ChannelName,
        since: Position,
        mut recovery: Recovery,
        now: u64,
    ) -> Recovery {
        let ahead = since.offset > recovery.head.offset;
        if self.bug == Some(Bug::SkipChain)
            && recovery.missed.as_ref().err() == Some(&Reason::Fork)
            && !ahead
        {
            let all = PageLimits { publications_max: usize::MAX, bytes_max: usize::MAX };
            let (page, _) = self.streams.query(channel, &Query::default(), &all, now);
            let after = |publication: &Arc<Publication>| {
                publication.position.is_some_and(|at| at.offset > since.offset)
            };
            let kept = page.map_or_else(|_| Vec::new(), |page| page.publications);
            recovery.missed = Ok(kept.into_iter().filter(after).collect());
        }
        recovery
    }

    fn publish(
        &mut self,
        publisher: Publisher,
        model: &mut Model,
        random: &mut Random,
        now: u64,
    ) -> Checked {
        let channel = self.names[publisher.channel].clone();
        let draft = Draft {
            channel: channel.clone(),
            event: None,
            data: Data::Json(publisher.value.clone()),
            from: None,
            key: publisher.key.clone(),
            history: self.histories[publisher.channel],
        };
        let tag = if self.bug == Some(Bug::ReusePosition) { 7 } else { random.number() };
        let key = publisher.key.clone().unwrap_or_default();
        match self.streams.order(draft, tag, now) {
            Ordered::New(publication) => {
                if publisher.key.is_some() {
                    model.first_use(publisher.channel, &key, now)?;
                }
                model.ordered(&publication, publisher.except.clone())?;
                self.keep(publisher, publication, model);
            }
            Ordered::Duplicate { position: Some(position), pending: true, .. } => {
                self.retries.push((channel, position, publisher));
            }
            Ordered::Duplicate { position, .. } => {
                model.duplicate(publisher.channel, &key, position)?;
                self.answer(&publisher, Outcome::Kept);
            }
            Ordered::Conflict { .. } => {
                model.conflict(publisher.channel, &key, &publisher.value, now)?;
                self.answer(&publisher, Outcome::Refused);
            }
        }
        Ok(())
    }

    fn keep(&mut self, publisher: Publisher, publication: Arc<Publication>, model: &mut Model) {
        if publication.position.is_none() {
            model.use_key(publisher.channel, publisher.key.as_ref(), &publication);
            self.post(publication, publisher.except.clone());
            self.answer(&publisher, Outcome::Kept);
            return;
        }
        if self.bug == Some(Bug::AckBeforeSettle) {
            self.post(publication.clone(), publisher.except.clone());
            self.answer(&publisher, Outcome::Kept);
        }
        let key = publisher.key.clone();
        let channel = publication.channel.clone();
        self.store.append(Record { publication, key });
        self.waiting.entry(channel).or_default().push_back(publisher);
    }

    /// Tells the streams what became of the oldest append.
    pub(crate) fn settle(&mut self, model: &mut Model, now: u64) -> Checked {
        let Some((channel, sequence)) = self.store.completion() else { return Ok(()) };
        let waiting = self.waiting.get_mut(&channel).and_then(VecDeque::pop_front);
        let publisher = waiting.ok_or("a completion that nobody waits for")?;
        let key = publisher.key.as_deref();
        let (settled, removed) =
            self.streams.settle(&channel, sequence, key, now).ok_or("nothing is to be settled")?;
        self.store.remove(removed);
        let (Settled::Committed(publication) | Settled::TakenBack(publication)) = &settled;
        let is_retry = |(of, at, _): &mut (ChannelName, Position, Publisher)| {
            *of == channel && Some(*at) == publication.position
        };
        let retries: Vec<_> = self.retries.extract_if(.., is_retry).map(|retry| retry.2).collect();
        let committed = matches!(settled, Settled::Committed(_));
        if committed {
            model.committed(publication, publisher.key.as_ref())?;
            if self.bug != Some(Bug::AckBeforeSettle) {
                self.post(publication.clone(), publisher.except.clone());
            }
        } else {
            model.failed(publication);
        }
        let outcome = if committed { Outcome::Kept } else { Outcome::Unknown };
        for publisher in [publisher].iter().chain(&retries) {
            self.answer(publisher, outcome);
        }
        Ok(())
    }

    fn post(&mut self, publication: Arc<Publication>, except: Option<Arc<str>>) {
        let channel = publication.channel.clone();
        self.broadcast(&channel, Broadcast::Publication(publication), except);
    }

    fn broadcast(&mut self, channel: &ChannelName, broadcast: Broadcast, except: Option<Arc<str>>) {
        for (shard, _) in self.directory.shards(channel) {
            let post = Post { broadcast: broadcast.clone(), except: except.clone() };
            self.outgoing.push((usize::from(*shard), Outgoing::Post(channel.clone(), post)));
        }
    }

    fn answer(&mut self, publisher: &Publisher, outcome: Outcome) {
        let Publisher { shard, line, channel, ref value, .. } = *publisher;
        let answer = Answer::Published { line, channel, value: value.clone(), outcome };
        self.outgoing.push((shard, Outgoing::Answer(answer)));
    }

    /// Tells subscribers who came and went.
    pub(crate) fn tell_presence(&mut self, now: u64) {
        for channel in self.names.clone() {
            if let Some(change) = self.directory.poll_change(&channel, now) {
                let presence = PresenceChange { channel: channel.clone(), change };
                self.broadcast(&channel, Broadcast::Presence(Arc::new(presence)), None);
            }
        }
    }

    /// Forgets something, in one of the three ways.
    pub(crate) fn forget(&mut self, model: &mut Model, random: &mut Random, now: u64) {
        let removed = match random.below(3) {
            0 => {
                let swept = self.streams.sweep(random.below(3_000), now, |_| false);
                if swept.forgotten {
                    self.streams.set_epoch(epoch(random));
                    let query = Query { limit: Some(0), ..Query::default() };
                    let beginning = |name| {
                        let (page, _) = self.streams.query(name, &query, &self.limits, now);
                        page.is_ok_and(|page| page.head.offset == 0)
                    };
                    model.forgotten(self.names.iter().map(beginning));
                }
                swept.removed
            }
            1 => {
                model.happened.evicted += 1;
                self.streams.evict(usize::try_from(random.below(2_000)).expect("it is small"))
            }
            _ => {
                model.happened.evicted += 1;
                model.happened.forgotten += 1;
                let channel = random.index(self.names.len());
                model.forget_keys(Some(channel));
                let removed = self.streams.clear(&self.names[channel].clone());
                self.streams.set_epoch(epoch(random));
                removed
            }
        };
        self.store.remove(removed);
    }

    /// Begins anew with what the store has. `lossy` says that it lost something on purpose.
    pub(crate) fn restart(
        &mut self,
        model: &mut Model,
        random: &mut Random,
        lossy: bool,
        now: u64,
    ) -> Checked {
        self.streams = Streams::new(WINDOW_MS, epoch(random));
        self.directory = Directory::default();
        self.waiting.clear();
        self.retries.clear();
        self.outgoing.clear();
        let mut removed = Vec::new();
        let records: Vec<_> = self.store.disk.values().cloned().collect();
        for (sequence, Record { publication, key }) in self.store.disk.clone() {
            let history = self.histories[index(publication.channel.as_str())];
            let key = key.filter(|_| self.bug != Some(Bug::ForgetKeys));
            removed.extend(self.streams.restore(publication, key, history, sequence, now));
        }
        self.store.remove(removed);
        let query = Query { limit: Some(0), ..Query::default() };
        for (number, name) in self.names.clone().iter().enumerate() {
            let (page, removed) = self.streams.query(name, &query, &self.limits, now);
            self.store.remove(removed);
            let page = page.map_err(|reason| format!("a query without a position: {reason:?}"))?;
            let of_it = |record: &&Record| record.publication.channel == *name;
            let records: Vec<_> = records.iter().filter(of_it).cloned().collect();
            model.restored(number, &records, page.head, lossy)?;
        }
        Ok(())
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.store.is_idle() && self.outgoing.is_empty()
    }
}

fn epoch(random: &mut Random) -> u32 {
    u32::try_from(random.number() >> 32).expect("these are 32 bits")
}
