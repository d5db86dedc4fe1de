//! What each reader saw of each channel.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::signal::Signal;
use super::{ChannelPlace, Finding, Found, Known, Part, Rule, finding};
use crate::history::{Event, From, Place, Record};

/// How long readers have to catch up when all is whole, in microseconds.
const CATCH_UP: u64 = 30_000_000;

/// Goes through what readers saw.
pub(super) fn judge<'a>(records: &'a [Record], known: &Known<'a>, found: &mut Found<'_>) {
    let acked = Acked::of(known);
    let mut tracks: BTreeMap<(&str, &str), Track<'_>> = BTreeMap::new();
    let mut steps = Vec::new();
    let mut healed = u64::MAX;
    let mut end = 0;
    for Record { at, event } in records {
        end = *at;
        if *event == Event::Healed {
            healed = *at;
        }
        let Some((reader, channel)) = of_reader(event) else { continue };
        let track = tracks.entry((reader, channel)).or_insert_with(|| Track::new(reader, channel));
        let mut look = Look { known, acked: &acked, found, steps: &mut steps };
        track.take(*at, event, &mut look);
    }
    for track in tracks.values() {
        track.end(end, healed, known, found);
    }
    forks(&steps, known, found);
}

fn of_reader(event: &Event) -> Option<(&str, &str)> {
    match event {
        Event::Asked { reader, channel, .. }
        | Event::Subscribed { reader, channel, .. }
        | Event::Seen { reader, channel, .. }
        | Event::Unrecovered { reader, channel, .. }
        | Event::Left { reader, channel } => Some((reader, channel)),
        _ => None,
    }
}

/// What a track needs to judge.
struct Look<'l, 'a, 'f> {
    known: &'l Known<'a>,
    acked: &'l Acked<'a>,
    found: &'l mut Found<'f>,
    steps: &'l mut Vec<Step<'a>>,
}

/// A reader went from one message to the next without a word.
struct Step<'a> {
    at: u64,
    reader: &'a str,
    channel: &'a str,
    before: Place,
    place: Place,
}

/// One reader in one channel.
struct Track<'a> {
    reader: &'a str,
    channel: &'a str,
    asked: Option<(From, Option<Place>)>,
    /// Which position its subscription began at.
    from: From,
    is_subscribed: bool,
    /// What it has seen all before of, where that is known.
    covered: Option<Place>,
    /// When the subscription was given.
    since: u64,
    /// Whether a message came since then.
    has_begun: bool,
    /// Whether it has to be told of a gap before it sees anything.
    awaits_signal: bool,
    /// What it saw since it went back on purpose.
    seen: HashSet<Place>,
    moved: u64,
}

impl<'a> Track<'a> {
    fn new(reader: &'a str, channel: &'a str) -> Self {
        Self {
            reader,
            channel,
            asked: None,
            from: From::Now,
            is_subscribed: false,
            covered: None,
            since: 0,
            has_begun: false,
            awaits_signal: false,
            seen: HashSet::new(),
            moved: 0,
        }
    }

    fn take(&mut self, at: u64, event: &'a Event, look: &mut Look<'_, 'a, '_>) {
        match event {
            Event::Asked { from, place, .. } => {
                self.asks(at, *from, *place, look);
                self.is_subscribed = false;
            }
            Event::Subscribed { place, recovered, reason, .. } => {
                let reason = reason.as_deref().unwrap_or_default();
                self.subscribed(at, *place, *recovered, reason, look);
            }
            Event::Unrecovered { reason, place, .. } => {
                self.told(at, reason, *place, look);
                self.since = at;
            }
            Event::Seen { value, place, .. } => self.sees(at, value, *place, look),
            Event::Left { .. } => self.is_subscribed = false,
            _ => {}
        }
    }

    fn asks(&mut self, at: u64, from: From, place: Option<Place>, look: &mut Look<'_, 'a, '_>) {
        let (own, covered) = (place.filter(|_| from == From::Own), self.covered);
        if let (Some(own), Some(covered), false) = (own, covered, self.awaits_signal)
            && own != covered
        {
            let text = format!("goes on from {own}, but saw no more than up to {covered}");
            (look.found)(self.finding(Rule::Gap, at, text));
        }
        self.asked = Some((from, place));
    }

    fn subscribed(
        &mut self,
        at: u64,
        place: Option<Place>,
        recovered: Option<bool>,
        reason: &str,
        look: &mut Look<'_, 'a, '_>,
    ) {
        let (from, asked) = self.asked.take().unwrap_or((From::Own, self.covered));
        (self.from, self.since, self.moved) = (from, at, at);
        (self.is_subscribed, self.has_begun) = (true, false);
        let is_false = matches!(from, From::Forged | From::Foreign)
            && asked.is_some_and(|asked| !look.known.places.has(self.channel, asked));
        if from != From::Own {
            self.seen.clear();
        }
        self.awaits_signal = false;
        match (recovered, asked) {
            (Some(false), _) => {
                self.covered = asked;
                self.told(at, reason, place, look);
            }
            (Some(true), Some(asked)) => {
                self.recovered(at, asked, place, is_false, look);
                self.covered = Some(asked);
            }
            (None, Some(asked)) => {
                self.covered = Some(asked);
                self.awaits_signal = is_false;
            }
            (_, None) => self.covered = place,
        }
    }

    fn recovered(
        &self,
        at: u64,
        asked: Place,
        head: Option<Place>,
        is_false: bool,
        look: &mut Look<'_, 'a, '_>,
    ) {
        let is_behind =
            head.is_some_and(|head| head.epoch != asked.epoch || head.offset < asked.offset);
        if is_false || is_behind {
            let head = head.map_or("nowhere".to_owned(), |head| head.to_string());
            let text =
                format!("was told `recovered` from {asked}, where nothing stands, to {head}");
            (look.found)(self.finding(Rule::Recovery, at, text));
        }
    }

    fn told(&mut self, at: u64, reason: &str, place: Option<Place>, look: &mut Look<'_, 'a, '_>) {
        let signal = Signal {
            at,
            reader: self.reader,
            channel: self.channel,
            reason,
            from: self.from,
            was: self.covered,
            is: place,
        };
        signal.judge(look.known, look.found);
        (self.covered, self.awaits_signal, self.moved) = (place, false, at);
        // What is asked for on purpose excuses one signal.
        self.from = From::Own;
    }

    fn sees(&mut self, at: u64, value: &str, place: Option<Place>, look: &mut Look<'_, 'a, '_>) {
        if let Some(text) = ghost(value, self.channel, look.known) {
            (look.found)(self.finding(Rule::Ghost, at, text));
        }
        let Some(place) = place else { return };
        if std::mem::take(&mut self.awaits_signal) {
            let text = format!("saw {place} after a position that no server wrote, without a word");
            (look.found)(self.finding(Rule::Recovery, at, text));
            self.covered = None;
        }
        let goes_on = match self.covered {
            Some(before) => self.follows(at, before, place, look),
            None => self.begins(at, place, look),
        };
        self.seen.insert(place);
        if goes_on {
            self.covered = Some(place);
            (self.has_begun, self.moved) = (true, at);
        }
    }

    /// Judges a message behind another. Whether the reader is there now.
    fn follows(
        &mut self,
        at: u64,
        before: Place,
        place: Place,
        look: &mut Look<'_, 'a, '_>,
    ) -> bool {
        if place.epoch != before.epoch {
            let text = format!("went from {before} to {place}, of another epoch, without a word");
            (look.found)(self.finding(Rule::Gap, at, text));
            return true;
        }
        if place.offset <= before.offset {
            let (rule, what) = match self.seen.contains(&place) {
                true => (Rule::Duplicate, "again"),
                false => (Rule::Order, "behind it"),
            };
            let text = format!("saw {before}, and then {place} {what}");
            (look.found)(self.finding(rule, at, text));
            return rule == Rule::Order;
        }
        let missing = if look.known.run.contiguous {
            place.offset - before.offset - 1
        } else {
            look.acked.between(self.channel, before, place)
        };
        if missing > 0 {
            let part = if self.has_begun { Part::Middle } else { Part::Prefix };
            let text = format!("saw {place} after {before}: {missing} missing without a word");
            (look.found)(Finding { part: Some(part), ..self.finding(Rule::Gap, at, text) });
        } else {
            let (reader, channel) = (self.reader, self.channel);
            look.steps.push(Step { at, reader, channel, before, place });
        }
        true
    }

    /// Judges the first message of a subscription that did not say where it begins.
    fn begins(&self, at: u64, place: Place, look: &mut Look<'_, 'a, '_>) -> bool {
        let first = look.acked.first_since(self.channel, place.epoch, self.since);
        if let Some(first) = first.filter(|first| *first < place.offset) {
            let missing = place.offset - first;
            let text = format!(
                "saw {place} first, though offset {first} was published since: {missing} missing"
            );
            let finding = self.finding(Rule::Gap, at, text);
            (look.found)(Finding { part: Some(Part::Prefix), ..finding });
        }
        true
    }

    fn end(&self, end: u64, healed: u64, known: &Known<'_>, found: &mut Found<'_>) {
        let Some(head) = known.stored.head(self.channel) else { return };
        if !self.is_subscribed {
            return found(self.finding(
                Rule::CatchUp,
                end,
                "has no subscription at the end".to_owned(),
            ));
        }
        let Some(at) = self.covered else {
            let published = known.publishes.all().any(|publish| {
                publish.channel == self.channel
                    && publish.invoked > self.since
                    && !publish.acks.is_empty()
            });
            if published {
                let text = format!("saw nothing, and the channel is at {head}");
                let finding = self.finding(Rule::CatchUp, end, text);
                found(Finding { part: Some(Part::Postfix), ..finding });
            }
            return;
        };
        if at != head {
            let text = format!("is at {at} at the end, and the channel is at {head}");
            let finding = self.finding(Rule::CatchUp, end, text);
            found(Finding { part: Some(Part::Postfix), ..finding });
        } else if self.moved > healed.saturating_add(CATCH_UP) {
            let late = (self.moved - healed) / 1_000_000;
            let text = format!("was at the end {late} s after all was whole");
            found(self.finding(Rule::CatchUp, self.moved, text));
        }
    }

    fn finding(&self, rule: Rule, at: u64, text: String) -> Finding {
        finding(rule, at, self.reader, self.channel, text)
    }
}

/// Why a value should not be seen, if so.
fn ghost(value: &str, channel: &str, known: &Known<'_>) -> Option<String> {
    match known.publishes.get(value) {
        None => Some(format!("saw {value}, which nobody published")),
        Some(publish) if publish.channel != channel => {
            Some(format!("saw {value}, which was published in {}", publish.channel))
        }
        Some(publish) if publish.has_failed() => Some(format!("saw {value}, which was refused")),
        Some(_) => None,
    }
}

/// A message has one message in front of it. Who came from another one has passed a fork in silence.
fn forks(steps: &[Step<'_>], known: &Known<'_>, found: &mut Found<'_>) {
    let mut came: HashMap<ChannelPlace<'_>, HashMap<Place, usize>> = HashMap::new();
    for Step { channel, before, place, .. } in steps {
        *came.entry((channel, *place)).or_default().entry(*before).or_default() += 1;
    }
    for Step { at, reader, channel, before, place } in steps {
        let ways = &came[&(*channel, *place)];
        let right = known.stored.before(channel, *place);
        let right = right.or_else(|| {
            ways.iter().max_by_key(|(before, count)| (**count, **before)).map(|(before, _)| *before)
        });
        if let Some(right) = right.filter(|right| right != before) {
            let text = format!(
                "went from {before} to {place}, which stands behind {right}: a fork, without a word"
            );
            found(finding(Rule::Gap, *at, reader, channel, text));
        }
    }
}

/// What was acknowledged, by offset and by time.
struct Acked<'a> {
    offsets: HashMap<(&'a str, u64), Vec<u64>>,
    /// When each was sent, in that order, and the lowest offset of those from there on.
    lowest: HashMap<(&'a str, u64), Vec<(u64, u64)>>,
}

impl<'a> Acked<'a> {
    fn of(known: &Known<'a>) -> Self {
        let mut acked = Self { offsets: HashMap::new(), lowest: HashMap::new() };
        for publish in known.publishes.all() {
            let Some((_, place)) = publish.stands() else { continue };
            let of = (publish.channel, place.epoch);
            acked.offsets.entry(of).or_default().push(place.offset);
            acked.lowest.entry(of).or_default().push((publish.invoked, place.offset));
        }
        acked.offsets.values_mut().for_each(|offsets| offsets.sort_unstable());
        for list in acked.lowest.values_mut() {
            let mut lowest = u64::MAX;
            for (_, offset) in list.iter_mut().rev() {
                lowest = lowest.min(*offset);
                *offset = lowest;
            }
        }
        acked
    }

    /// How many stand between two places.
    fn between(&self, channel: &str, before: Place, place: Place) -> u64 {
        let Some(offsets) = self.offsets.get(&(channel, place.epoch)) else { return 0 };
        let up_to = |offset: u64| offsets.partition_point(|known| *known < offset);
        (up_to(place.offset) - up_to(before.offset + 1)) as u64
    }

    /// The lowest offset of what was sent since then.
    fn first_since(&self, channel: &str, epoch: u64, since: u64) -> Option<u64> {
        let list = self.lowest.get(&(channel, epoch))?;
        let index = list.partition_point(|(invoked, _)| *invoked <= since);
        list.get(index).map(|(_, offset)| *offset)
    }
}
