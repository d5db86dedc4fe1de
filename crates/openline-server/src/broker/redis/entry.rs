//! Entries as Redis has them, in streams and on topics, and what else is said on topics.

use std::sync::Arc;

use bytes::Bytes;
use openline_engine::Draft;
use openline_protocol::{ChannelName, Data, Position, Publication};
use ring::digest::{SHA256, digest};

use super::names::Names;
use crate::broker::record::Record;
use crate::broker::shared::Report;
use crate::broker::{BrokerError, NodeId};

/// What the first byte of a message says that it is.
const ENTRY: u8 = 1;
const EMITTED: u8 = 2;

/// Bytes of a position.
pub(super) const POSITION_BYTES: usize = 20;

/// A draft as its script wants it: everything but what the script decides.
pub(super) fn record(draft: &Draft, except: Option<&str>) -> Vec<u8> {
    let publication = Publication {
        channel: draft.channel.clone(),
        event: draft.event.clone(),
        data: draft.data.clone(),
        position: None,
        prev_tag: 0,
        timestamp: 0,
        from: draft.from.clone(),
    };
    let undecided = Position { epoch: 0, offset: 0, tag: 0 };
    let record = Record::publication(&publication, undecided, None);
    postcard::to_allocvec(&(except, record))
        .expect("a record is made of plain values and a vector takes them all")
}

/// What a retry of the draft has in common with it. It is the same on every node and in every version.
pub(super) fn fingerprint(draft: &Draft) -> [u8; 16] {
    let (kind, data) = match &draft.data {
        Data::Json(text) => (0, &text.as_bytes()[..]),
        Data::Binary(bytes) => (1, &bytes[..]),
    };
    let event = draft.event.as_deref();
    let head = [kind, u8::from(event.is_some())];
    let event = event.unwrap_or_default().as_bytes();
    let length = (event.len() as u64).to_be_bytes();
    let digest = digest(&SHA256, &[&head, &length[..], event, data].concat());
    *digest.as_ref().first_chunk().expect("a digest of 32 bytes has 16")
}

/// A position of 20 bytes.
pub(super) fn position(bytes: &[u8]) -> Option<Position> {
    let (epoch, rest) = bytes.split_first_chunk()?;
    let (offset, tag) = rest.split_first_chunk()?;
    Some(Position {
        epoch: u32::from_be_bytes(*epoch),
        offset: u64::from_be_bytes(*offset),
        tag: u64::from_be_bytes(tag.try_into().ok()?),
    })
}

/// An entry, and who does not get it; none if no version wrote it.
pub(super) fn decode(message: &[u8]) -> Option<(Publication, Option<Arc<str>>)> {
    let (&kind, rest) = message.split_first()?;
    let (place, rest) = rest.split_at_checked(POSITION_BYTES)?;
    let (prev_tag, rest) = rest.split_first_chunk()?;
    let (timestamp, rest) = rest.split_first_chunk()?;
    let (_data_bytes, body) = rest.split_first_chunk::<4>()?;
    if kind != ENTRY {
        return None;
    }
    let (except, record): (Option<&str>, Record<'_>) = postcard::from_bytes(body).ok()?;
    let Record::Publication(stored) = record else { return None };
    let (publication, _) = stored.into_publication()?;
    let publication = Publication {
        position: position(place).filter(|position| position.offset > 0),
        prev_tag: u64::from_be_bytes(*prev_tag),
        timestamp: u64::from_be_bytes(*timestamp),
        ..publication
    };
    Some((publication, except.map(Arc::from)))
}

/// What a node says to those who listen to a channel.
pub(super) fn emitted(from: NodeId, said: &[u8]) -> Vec<u8> {
    [&[EMITTED], &from.0.to_be_bytes()[..], said].concat()
}

/// What a node says to others.
pub(super) fn told(from: NodeId, said: &[u8]) -> Vec<u8> {
    [&from.0.to_be_bytes()[..], said].concat()
}

/// What a message is a report of; nothing if `node` itself said it.
pub(super) fn report(names: &Names, node: NodeId, topic: &[u8], message: &[u8]) -> Option<Report> {
    let said = |message: &[u8]| {
        let (from, said) = message.split_first_chunk()?;
        let from = NodeId(u64::from_be_bytes(*from));
        (from != node).then(|| (from, Bytes::copy_from_slice(said)))
    };
    let Some(channel) = names.channel(topic) else {
        let (from, said) = said(message)?;
        return Some(Report::Told { from, said });
    };
    match message.split_first()? {
        (&EMITTED, message) => {
            let (from, said) = said(message)?;
            Some(Report::Emitted { from, channel, said })
        }
        _ => {
            let (publication, except) = decode(message).filter(|(it, _)| it.channel == channel)?;
            Some(Report::Published { publication: Arc::new(publication), except })
        }
    }
}

/// What Redis answered is not what its script says.
pub(super) fn unexpected() -> BrokerError {
    BrokerError::StorageFailed("Redis gave an answer that no script of this version gives".into())
}

/// Checks that a channel's entries are of that channel, and takes them.
pub(super) fn entry_of(channel: &ChannelName, message: &[u8]) -> Option<Arc<Publication>> {
    let (publication, _) = decode(message)?;
    (publication.channel == *channel && publication.position.is_some())
        .then(|| Arc::new(publication))
}
