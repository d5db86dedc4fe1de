//! A client, which holds what it gets against the model.

use std::sync::Arc;

use bytestring::ByteString;
use openline_engine::SessionKey;
use openline_protocol::{Position, Publication};

use super::model::{Checked, Model, channel, index};
use super::random::Random;
use super::shard::{Frame, Outcome, Shard};

/// What a client knows of a channel.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) phase: Phase,
    /// What it saw last, or from where on it has all.
    pub(crate) at: Option<Position>,
    /// Positions that it may come back with though they are old.
    pub(crate) saved: Option<Position>,
    /// It asked for a position that never was.
    pub(crate) forged: bool,
    /// Wants to be subscribed.
    pub(crate) wants: bool,
    /// The last publication without a position.
    plain: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    #[default]
    Idle,
    Subscribing,
    Live,
    Leaving,
}

/// Where a client is connected.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) shard: usize,
    pub(crate) line: usize,
    pub(crate) session: SessionKey,
    pub(crate) name: Arc<str>,
}

/// A publication that a client may try again.
#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub(crate) channel: usize,
    pub(crate) value: ByteString,
    pub(crate) key: ByteString,
    pub(crate) answered: bool,
}

pub(crate) struct Client {
    pub(crate) number: usize,
    pub(crate) connection: Option<Connection>,
    pub(crate) views: Vec<View>,
    pub(crate) tries: Vec<Try>,
    pub(crate) echo: bool,
}

impl Client {
    pub(crate) fn new(number: usize, channels: usize, echo: bool) -> Self {
        let views = (0..channels).map(|_| View::default()).collect();
        Self { number, connection: None, views, tries: Vec::new(), echo }
    }

    pub(crate) fn connect(&mut self, shard: usize, line: usize, shards: &mut [Shard]) {
        let name: Arc<str> = format!("client {} on line {line}", self.number).into();
        let encoding = u8::try_from(line % 2).expect("it is one bit");
        let session = shards[shard].hub.open(line, name.clone(), encoding);
        self.connection = Some(Connection { shard, line, session, name });
    }

    /// It came to another node, which may be slower: without positions nobody can tell that what it
    /// sees there it saw before.
    pub(crate) fn change_nodes(&mut self) {
        self.views.iter_mut().for_each(|view| view.plain = 0);
    }

    /// The line is gone, with what the client has not read.
    pub(crate) fn disconnect(&mut self) -> Option<Connection> {
        for view in &mut self.views {
            view.phase = Phase::Idle;
        }
        self.connection.take()
    }

    /// With which position the client subscribes.
    pub(crate) fn since(
        &mut self,
        channel: usize,
        model: &Model,
        random: &mut Random,
        honest: bool,
    ) -> Option<Position> {
        let view = &mut self.views[channel];
        match random.below(10) {
            _ if honest => {}
            0 => view.at = None,
            1 => view.at = view.saved.or(view.at),
            2 => {
                if let Some(at) = view.at {
                    let tag = if random.one_in(3) { at.tag } else { random.number() };
                    let offset = at.offset.wrapping_add(random.below(5)).wrapping_sub(2);
                    let forged = Position { offset, tag, ..at };
                    view.at = Some(forged);
                }
            }
            _ => {}
        }
        view.forged = view.at.is_some_and(|at| !model.is_entry(channel, at));
        view.at
    }

    /// Takes in what came.
    pub(crate) fn read(&mut self, frame: Frame, model: &Model) -> Checked {
        match frame {
            Frame::Publication(publication) => self.see(&publication, model)?,
            Frame::Subscribed { channel, since, missed, head } => {
                let index = index(channel.as_str());
                let view = &mut self.views[index];
                if view.phase != Phase::Subscribing {
                    return Err(format!("subscribed in phase {:?}", view.phase));
                }
                view.phase = Phase::Live;
                match missed {
                    Ok(_) if view.forged => {
                        return Err(format!("{:?} never was, and was recovered", view.at));
                    }
                    Ok(missed) => {
                        view.at = since;
                        for publication in missed {
                            self.see(&publication, model)?;
                        }
                        if self.views[index].at != head {
                            let at = self.views[index].at;
                            return Err(format!("recovered to {at:?}, the head is {head:?}"));
                        }
                    }
                    Err((reason, head)) => {
                        if let Some(since) = view.at.filter(|_| !view.forged) {
                            model.excused(index, reason, since, head)?;
                        }
                        view.at = Some(head);
                    }
                }
            }
            Frame::Unsubscribed(channel) => {
                self.views[index(channel.as_str())].phase = Phase::Idle;
            }
            Frame::Unrecovered { channel, reason, since, head } => {
                let index = index(channel.as_str());
                model.excused(index, reason, since, head)?;
                self.views[index].at = Some(head);
            }
            Frame::Published { channel, value, outcome } => {
                if outcome == Outcome::Kept {
                    model.kept(channel, &value)?;
                }
                let same =
                    |attempt: &&mut Try| attempt.channel == channel && attempt.value == value;
                if let Some(attempt) = self.tries.iter_mut().find(same) {
                    attempt.answered |= outcome != Outcome::Unknown;
                }
            }
            Frame::Other => {}
        }
        Ok(())
    }

    fn see(&mut self, publication: &Publication, model: &Model) -> Checked {
        let name = self.connection.as_ref().map_or("", |connection| &connection.name);
        let channel = channel(publication);
        let view = &mut self.views[channel];
        if !matches!(view.phase, Phase::Live | Phase::Leaving) {
            return Err(format!("{publication:?} came in phase {:?}", view.phase));
        }
        let Some(position) = publication.position else {
            let order = model.plain(publication)?;
            if order <= view.plain {
                return Err(format!("{publication:?} came twice, or too late"));
            }
            view.plain = order;
            return Ok(());
        };
        let at = view.at.ok_or("a publication, and it is not known what came before")?;
        model.follows(channel, at, publication, name)?;
        view.at = Some(position);
        if position.tag.is_multiple_of(5) {
            view.saved = view.at;
        }
        Ok(())
    }

    /// Whether it has all there is on the channels it is subscribed to.
    pub(crate) fn has_all(&self, model: &Model) -> Checked {
        let Some(connection) = &self.connection else { return Ok(()) };
        for (channel, view) in self.views.iter().enumerate() {
            if let (Phase::Live, Some(at)) = (view.phase, view.at) {
                model.has_all(channel, at, &connection.name)?;
            }
        }
        Ok(())
    }
}
