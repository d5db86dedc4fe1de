//! What is true about the channels: every entry that ever was, and what went wrong so far.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::History;
use openline_protocol::{Data, Position, Publication, Reason};

use super::WINDOW_MS;

/// What a check found.
pub(crate) type Checked = Result<(), String>;

/// An entry as a store has it.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) publication: Arc<Publication>,
    pub(crate) key: Option<ByteString>,
}

/// What happened that a reader may be told of.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) restarts: u32,
    /// Restarts with all that was there: only why something older is gone is not known any more.
    pub(crate) reloads: u32,
    pub(crate) rollbacks: u32,
    pub(crate) failures: u32,
    /// Streams were forgotten altogether.
    pub(crate) forgotten: u32,
    /// Entries were evicted or cleared.
    pub(crate) evicted: u32,
}

impl Happened {
    fn any_forgotten(&self) -> bool {
        self.forgotten + self.evicted > 0
    }
}

struct Entry {
    value: ByteString,
    prev: Position,
    except: Option<Arc<str>>,
    visible: bool,
}

struct Used {
    position: Option<Position>,
    value: ByteString,
    at: u64,
}

pub(crate) struct Model {
    histories: Vec<History>,
    publications_max: usize,
    quiet: bool,
    entries: HashMap<(usize, Position), Entry>,
    /// Tags by place.
    places: HashMap<(usize, u32, u64), u64>,
    heads: BTreeMap<usize, Position>,
    keys: HashMap<(usize, ByteString), Used>,
    /// The order of what was published without a position, by value and time: without a store a retry
    /// is not known as one after a restart.
    plain: HashMap<(ByteString, u64), u64>,
    /// All that was ever visible.
    values: HashSet<(usize, ByteString)>,
    pub(crate) happened: Happened,
}

impl Model {
    /// Nothing may be declared where it is `quiet`.
    pub(crate) fn new(histories: Vec<History>, publications_max: usize, quiet: bool) -> Self {
        Self {
            histories,
            publications_max,
            quiet,
            entries: HashMap::new(),
            places: HashMap::new(),
            heads: BTreeMap::new(),
            keys: HashMap::new(),
            plain: HashMap::new(),
            values: HashSet::new(),
            happened: Happened::default(),
        }
    }

    /// An entry got its place. One place, with its tag, is given to one value.
    pub(crate) fn ordered(
        &mut self,
        publication: &Publication,
        except: Option<Arc<str>>,
    ) -> Checked {
        let (channel, value) = (channel(publication), value(publication));
        let Some(position) = publication.position else {
            let count = self.plain.len() as u64 + 1;
            self.values.insert((channel, value.clone()));
            self.plain.insert((value, publication.timestamp), count);
            return Ok(());
        };
        let entry = Entry { value, prev: prev(publication, position), except, visible: false };
        match self.entries.insert((channel, position), entry) {
            Some(other) => Err(format!("{position:?} was given to {} before", other.value)),
            None => Ok(()),
        }
    }

    /// An entry is visible: it follows on the one that was visible before it.
    pub(crate) fn committed(
        &mut self,
        publication: &Publication,
        key: Option<&ByteString>,
    ) -> Checked {
        let Some(position) = publication.position else { return Ok(()) };
        let channel = channel(publication);
        let prev = prev(publication, position);
        let head = self.heads.get(&channel).copied();
        let first = prev.offset == 0 && head.is_none_or(|head| head.epoch != position.epoch);
        if head != Some(prev) && !first {
            return Err(format!("{position:?} follows on {prev:?}, the head is {head:?}"));
        }
        if first && head.is_some_and(|head| head.offset > 0) && self.happened.forgotten == 0 {
            return Err(format!("{position:?} begins anew behind {head:?}"));
        }
        self.show(channel, publication, position)?;
        self.use_key(channel, key, publication);
        Ok(())
    }

    fn show(&mut self, channel: usize, publication: &Publication, position: Position) -> Checked {
        let entry = self.entries.get_mut(&(channel, position)).ok_or("it was never ordered")?;
        entry.visible = true;
        if entry.value != value(publication) {
            return Err(format!("{position:?} is {}, not {}", value(publication), entry.value));
        }
        self.values.insert((channel, entry.value.clone()));
        self.heads.insert(channel, position);
        let place = (channel, position.epoch, position.offset);
        let other = self.places.insert(place, position.tag);
        if other.is_some_and(|tag| tag != position.tag) && self.happened.rollbacks == 0 {
            return Err(format!("{position:?} was another entry's place"));
        }
        Ok(())
    }

    /// An entry was taken back: nobody may see it.
    pub(crate) fn failed(&mut self, publication: &Publication) {
        self.happened.failures += 1;
        if let Some(position) = publication.position {
            self.entries.remove(&(channel(publication), position));
        }
    }

    /// A key was used for the first time, or, as it is thought, for the first time.
    pub(crate) fn first_use(&self, channel: usize, key: &ByteString, now: u64) -> Checked {
        match self.keys.get(&(channel, key.clone())) {
            Some(used) if used.at + WINDOW_MS > now => {
                Err(format!("key {key} is published again; it has {:?}", used.position))
            }
            _ => Ok(()),
        }
    }

    /// A retry was answered.
    pub(crate) fn duplicate(
        &self,
        channel: usize,
        key: &ByteString,
        position: Option<Position>,
    ) -> Checked {
        match self.keys.get(&(channel, key.clone())) {
            Some(used) if used.position != position => {
                Err(format!("key {key} is at {:?}, a retry was told {position:?}", used.position))
            }
            _ => match position.map(|at| self.entries.get(&(channel, at))) {
                None => Ok(()),
                Some(Some(entry)) if entry.visible => Ok(()),
                // A crash kept the store from removing what was taken back, and what took its place
                // is gone: nobody can tell that it was never visible.
                _ if self.happened.failures > 0
                    && (self.happened.any_forgotten() || self.happened.restarts > 1) =>
                {
                    Ok(())
                }
                Some(_) => Err(format!("key {key} is said to be at {position:?}, and is not")),
            },
        }
    }

    /// A publisher was told that its publication is kept.
    pub(crate) fn kept(&self, channel: usize, value: &ByteString) -> Checked {
        match self.values.contains(&(channel, value.clone())) {
            true => Ok(()),
            false => Err(format!("{value} was said to be kept, and never was")),
        }
    }

    /// A publication was refused because its key was used for something else.
    pub(crate) fn conflict(
        &self,
        channel: usize,
        key: &ByteString,
        value: &ByteString,
        now: u64,
    ) -> Checked {
        match self.keys.get(&(channel, key.clone())) {
            Some(used) if used.at + WINDOW_MS > now && used.value == *value => {
                Err(format!("a retry of {key} is a conflict"))
            }
            _ => Ok(()),
        }
    }

    /// Where nothing has to be stored, a key counts from its first use.
    pub(crate) fn use_key(
        &mut self,
        channel: usize,
        key: Option<&ByteString>,
        publication: &Publication,
    ) {
        let Some(key) = key.cloned() else { return };
        let Publication { position, timestamp: at, .. } = *publication;
        self.keys.insert((channel, key), Used { position, value: value(publication), at });
    }

    /// What the store has after a restart, and where the channel is then: what was visible before is
    /// there, unless it was lost; and what leads to the head is visible.
    pub(crate) fn restored(
        &mut self,
        channel: usize,
        records: &[Record],
        head: Position,
        lossy: bool,
    ) -> Checked {
        for Record { publication, .. } in records {
            let Some(position) = publication.position else { continue };
            let (value, prev) = (value(publication), prev(publication, position));
            // One that was taken back is known no more, but the store may have it yet.
            let known = self.entries.entry((channel, position));
            known.or_insert(Entry { value, prev, except: None, visible: false });
        }
        let before = self.heads.insert(channel, head).filter(|before| before.offset > 0);
        let mut at = head;
        while let Some(entry) = self.entries.get_mut(&(channel, at)).filter(|entry| !entry.visible)
        {
            entry.visible = true;
            self.values.insert((channel, entry.value.clone()));
            let place = (channel, at.epoch, at.offset);
            self.places.insert(place, at.tag);
            at = entry.prev;
        }
        for Record { publication, key } in records {
            let known = publication.position.and_then(|at| self.entries.get(&(channel, at)));
            if known.is_some_and(|entry| entry.visible) {
                self.use_key(channel, key.as_ref(), publication);
            }
        }
        let lossy = lossy || self.happened.failures > 0;
        let Some(before) = before.filter(|_| !lossy && !self.happened.any_forgotten()) else {
            return Ok(());
        };
        let mut at = head;
        while at != before {
            let entry = self.entries.get(&(channel, at));
            at = entry.ok_or(format!("{before:?} is lost, {head:?} is there"))?.prev;
        }
        Ok(())
    }

    /// Streams were forgotten; for each channel, whether it is at the beginning of a new one.
    pub(crate) fn forgotten(&mut self, begin: impl Iterator<Item = bool>) {
        self.happened.forgotten += 1;
        for (channel, begins) in begin.enumerate() {
            if begins {
                self.heads.remove(&channel);
            }
        }
    }

    pub(crate) fn forget_keys(&mut self, of: Option<usize>) {
        self.keys.retain(|(channel, _), _| of.is_some_and(|of| of != *channel));
    }

    /// Keys of publications without history are known as long as the process lives.
    pub(crate) fn forget_plain_keys(&mut self) {
        self.keys.retain(|_, used| used.position.is_some());
    }

    /// Whether an entry is the next for a client at `at`: what is between was its own, which it did
    /// not want back.
    pub(crate) fn follows(
        &self,
        channel: usize,
        at: Position,
        publication: &Publication,
        client: &str,
    ) -> Checked {
        let position = publication.position.ok_or("it has no position")?;
        let entry = self.entries.get(&(channel, position)).ok_or("no such entry")?;
        if !entry.visible || entry.value != value(publication) {
            return Err(format!("{position:?} is seen as {}", value(publication)));
        }
        let mut prev = prev(publication, position);
        while prev != at {
            if prev.epoch != at.epoch || prev.offset <= at.offset {
                return Err(format!("{position:?} does not follow on {at:?}"));
            }
            prev = self.skipped(channel, prev, client)?;
        }
        Ok(())
    }

    /// Whether a client at `at` has all there is.
    pub(crate) fn has_all(&self, channel: usize, at: Position, client: &str) -> Checked {
        let Some(head) = self.heads.get(&channel).copied() else { return Ok(()) };
        let mut last = head;
        // Nothing was published; which epoch the stream will have is not known.
        while last != at && head.offset > 0 {
            if last.offset == 0 {
                return Err(format!("it is at {at:?}, the head is {head:?}"));
            }
            last = self.skipped(channel, last, client)?;
        }
        Ok(())
    }

    fn skipped(&self, channel: usize, at: Position, client: &str) -> Result<Position, String> {
        let entry = self.entries.get(&(channel, at)).ok_or(format!("{at:?} is unknown"))?;
        match &entry.except {
            Some(except) if **except == *client => Ok(entry.prev),
            _ => Err(format!("{client} has missed {at:?}")),
        }
    }

    /// The order of a publication without a position.
    pub(crate) fn plain(&self, publication: &Publication) -> Result<u64, String> {
        let key = (value(publication), publication.timestamp);
        self.plain.get(&key).copied().ok_or("it was never published".to_owned())
    }

    pub(crate) fn is_entry(&self, channel: usize, position: Position) -> bool {
        position.offset == 0 && position.tag == 0 || self.entries.contains_key(&(channel, position))
    }

    /// Whether a reason may be given to a reader that was at `since`, when the stream is at `head`.
    pub(crate) fn excused(
        &self,
        channel: usize,
        reason: Reason,
        since: Position,
        head: Position,
    ) -> Checked {
        let Happened { restarts, reloads, rollbacks, forgotten, evicted, .. } = self.happened;
        let missed = head.offset.saturating_sub(since.offset);
        let history = self.histories[channel];
        let excused = !self.quiet
            && match reason {
                // After a rollback an epoch may be back that was gone meanwhile.
                Reason::Epoch => {
                    (since.epoch != head.epoch || rollbacks > 0) && restarts + forgotten > 0
                }
                Reason::Fork => rollbacks > 0,
                // After a restart it is not known any more why something is gone.
                Reason::Trimmed => {
                    let gone = evicted + restarts + reloads + forgotten;
                    missed > u64::from(history.size) || gone > 0
                }
                Reason::Expired => history.ttl_ms < u64::MAX,
                // It is the first reason of several, and the head may be of another epoch by then.
                Reason::Limit => missed > self.publications_max as u64 || restarts + forgotten > 0,
                Reason::Storage => false,
            };
        match excused {
            true => Ok(()),
            false => Err(format!("a reader at {since:?} was told {reason:?}; head {head:?}")),
        }
    }
}

pub(crate) fn channel(publication: &Publication) -> usize {
    index(publication.channel.as_str())
}

pub(crate) fn index(name: &str) -> usize {
    name[1..].parse().expect("channels are named by their number")
}

pub(crate) fn value(publication: &Publication) -> ByteString {
    match &publication.data {
        Data::Json(text) => text.clone(),
        Data::Binary(_) => ByteString::new(),
    }
}

fn prev(publication: &Publication, position: Position) -> Position {
    let Position { epoch, offset, .. } = position;
    Position { epoch, offset: offset - 1, tag: publication.prev_tag }
}
