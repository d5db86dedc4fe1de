//! What is written into messages of NATS.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use openline_engine::{Draft, History};
use openline_protocol::{ChannelName, Data, Position, Publication, Sender};
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize, Serializer};

use crate::broker::NodeId;

/// The first byte of a message says what it is. Kinds that are not known are left alone.
const BATCH: u8 = 1;
const PASSING: u8 = 2;
const SAID: u8 = 3;

/// What one message of a channel's subject holds: entries that follow each other, or none, where the
/// channel begins.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// Where the channel is behind it.
    pub(super) head: Position,
    /// How much of the channel is kept.
    pub(super) history: History,
    /// The sequence of the message before it on its subject; 0 if there was none.
    pub(super) before: u64,
    pub(super) entries: Vec<Entry>,
}

/// A publication with what is kept of it beside.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) publication: Arc<Publication>,
    pub(super) key: Option<ByteString>,
    pub(super) except: Option<Arc<str>>,
}

/// What a message on a live subject says.
#[derive(Debug)]
pub(super) enum Heard {
    /// What was stored.
    Stored(Batch),
    /// What is not kept.
    Passing(Arc<Publication>, Option<Arc<str>>),
    /// What a node says.
    Said(NodeId, Bytes),
}

/// That a key was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeyUse {
    pub(super) fingerprint: [u8; 16],
    /// Epoch, offset and tag, on a channel with history.
    position: Option<(u32, u64, u64)>,
    /// When, in milliseconds since 1970.
    pub(super) at: u64,
}

impl Batch {
    /// The offset of its first entry; of one without entries, the one that comes next.
    pub(super) fn first_offset(&self) -> u64 {
        self.head.offset + 1 - self.entries.len() as u64
    }

    /// When the last of it was published.
    pub(super) fn newest_ms(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.publication.timestamp)
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        let entries = self.entries.iter().map(StoredEntry::of).collect();
        let Position { epoch, offset, tag } = self.head;
        let prev_tag = self.entries.first().map_or(0, |entry| entry.publication.prev_tag);
        let History { size, ttl_ms } = self.history;
        let batch = StoredBatch {
            epoch,
            offset,
            tag,
            prev_tag,
            size,
            ttl_ms,
            before: self.before,
            entries,
        };
        written(BATCH, &batch)
    }

    /// None for what no version wrote.
    pub(super) fn from_bytes(channel: &ChannelName, bytes: &Bytes) -> Option<Self> {
        let stored: StoredBatch<'_> = read(BATCH, bytes)?;
        let count = u64::try_from(stored.entries.len()).ok()?;
        // What comes behind it has to have a place too.
        let next = stored.offset.checked_add(1)?;
        let first = next.checked_sub(count)?;
        let mut prev_tag = stored.prev_tag;
        let mut entries = Vec::with_capacity(stored.entries.len());
        for (offset, entry) in (first..next).zip(stored.entries) {
            let tag = entry.tag;
            let position = Position { epoch: stored.epoch, offset, tag };
            entries.push(entry.into_entry(channel, bytes, Some(position), prev_tag)?);
            prev_tag = tag;
        }
        Some(Self {
            head: Position { epoch: stored.epoch, offset: stored.offset, tag: stored.tag },
            history: History { size: stored.size, ttl_ms: stored.ttl_ms },
            before: stored.before,
            entries,
        })
    }
}

impl Entry {
    /// An entry of a draft that got this place.
    pub(super) fn new(
        draft: Draft,
        except: Option<Arc<str>>,
        position: Option<Position>,
        prev_tag: u64,
        timestamp: u64,
    ) -> Self {
        let Draft { channel, event, data, from, key, history: _ } = draft;
        let publication =
            Arc::new(Publication { channel, event, data, position, prev_tag, timestamp, from });
        Self { publication, key, except }
    }

    /// As what is not kept.
    pub(super) fn to_passing(&self) -> Bytes {
        written(PASSING, &StoredEntry::of(self))
    }

    pub(super) fn fingerprint(&self) -> [u8; 16] {
        fingerprint(self.publication.event.as_ref(), &self.publication.data)
    }
}

impl Heard {
    /// None for what no version wrote.
    pub(super) fn from_bytes(channel: &ChannelName, bytes: &Bytes) -> Option<Self> {
        match *bytes.first()? {
            BATCH => Batch::from_bytes(channel, bytes).map(Self::Stored),
            PASSING => {
                let entry: StoredEntry<'_> = read(PASSING, bytes)?;
                let entry = entry.into_entry(channel, bytes, None, 0)?;
                Some(Self::Passing(entry.publication, entry.except))
            }
            SAID => said_by(bytes).map(|(node, said)| Self::Said(node, said)),
            _ => None,
        }
    }
}

impl KeyUse {
    pub(super) fn new(fingerprint: [u8; 16], position: Option<Position>, at: u64) -> Self {
        let position = position.map(|Position { epoch, offset, tag }| (epoch, offset, tag));
        Self { fingerprint, position, at }
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.position.map(|(epoch, offset, tag)| Position { epoch, offset, tag })
    }

    pub(super) fn to_bytes(self) -> Bytes {
        written(BATCH, &self)
    }

    pub(super) fn from_bytes(bytes: &Bytes) -> Option<Self> {
        read(BATCH, bytes)
    }
}

/// What a node says to others.
pub(super) fn said(node: NodeId, said: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(9 + said.len());
    bytes.put_u8(SAID);
    bytes.put_u64(node.0);
    bytes.put_slice(said);
    bytes.freeze()
}

/// Who says it, and what.
pub(super) fn said_by(bytes: &Bytes) -> Option<(NodeId, Bytes)> {
    let (&kind, rest) = bytes.split_first()?;
    let (node, said) = rest.split_first_chunk()?;
    (kind == SAID).then(|| (NodeId(u64::from_be_bytes(*node)), bytes.slice_ref(said)))
}

/// What a retry has in common with the first try: what is published, and as which event.
pub(super) fn fingerprint(event: Option<&ByteString>, data: &Data) -> [u8; 16] {
    let (kind, data) = match data {
        Data::Json(text) => (0, &text.as_bytes()[..]),
        Data::Binary(bytes) => (1, &bytes[..]),
    };
    let event = event.map_or(&b""[..], |event| event.as_bytes());
    let mut said = Vec::with_capacity(9 + event.len() + data.len());
    said.push(kind);
    said.extend_from_slice(&(event.len() as u64).to_be_bytes());
    said.extend_from_slice(event);
    said.extend_from_slice(data);
    let digest = digest(&SHA256, &said);
    let first = digest.as_ref().first_chunk();
    *first.expect("SHA-256 has 32 bytes")
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredBatch<'a> {
    epoch: u32,
    offset: u64,
    tag: u64,
    prev_tag: u64,
    size: u32,
    ttl_ms: u64,
    before: u64,
    #[serde(borrow)]
    entries: Vec<StoredEntry<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredEntry<'a> {
    tag: u64,
    timestamp: u64,
    event: Option<Cow<'a, str>>,
    binary: bool,
    #[serde(borrow)]
    data: Raw<'a>,
    from: Option<(Cow<'a, str>, Option<Cow<'a, str>>)>,
    key: Option<Cow<'a, str>>,
    except: Option<Cow<'a, str>>,
}

/// Bytes that are written in one piece; as a slice they would be written one by one.
#[derive(Debug, Deserialize)]
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'a> StoredEntry<'a> {
    fn of(entry: &'a Entry) -> Self {
        let publication = &entry.publication;
        let (binary, data) = match &publication.data {
            Data::Json(text) => (false, &text.as_bytes()[..]),
            Data::Binary(bytes) => (true, &bytes[..]),
        };
        let from = publication
            .from
            .as_ref()
            .map(|from| (Cow::Borrowed(&*from.client_id), from.user.as_deref().map(Cow::Borrowed)));
        Self {
            tag: publication.position.map_or(0, |position| position.tag),
            timestamp: publication.timestamp,
            event: publication.event.as_deref().map(Cow::Borrowed),
            binary,
            data: Raw(data),
            from,
            key: entry.key.as_deref().map(Cow::Borrowed),
            except: entry.except.as_deref().map(Cow::Borrowed),
        }
    }

    /// None if it says what no publication may. The data stays where it is in `bytes`.
    fn into_entry(
        self,
        channel: &ChannelName,
        bytes: &Bytes,
        position: Option<Position>,
        prev_tag: u64,
    ) -> Option<Entry> {
        let data = bytes.slice_ref(self.data.0);
        let data = match self.binary {
            true => Data::Binary(data),
            false => Data::Json(ByteString::try_from(data).ok()?),
        };
        let from = self.from.map(|(client, user)| Sender {
            client_id: Arc::from(&*client),
            user: user.map(|user| Arc::from(&*user)),
        });
        let publication = Publication {
            channel: channel.clone(),
            event: self.event.map(|event| ByteString::from(&*event)),
            data,
            position,
            prev_tag,
            timestamp: self.timestamp,
            from,
        };
        Some(Entry {
            publication: Arc::new(publication),
            key: self.key.map(|key| ByteString::from(&*key)),
            except: self.except.map(|except| Arc::from(&*except)),
        })
    }
}

fn written(kind: u8, value: &impl Serialize) -> Bytes {
    let bytes = postcard::to_extend(value, vec![kind]);
    bytes.expect("it is made of plain values and a vector takes them all").into()
}

fn read<'a, T: Deserialize<'a>>(kind: u8, bytes: &'a Bytes) -> Option<T> {
    let (&first, rest) = bytes.split_first()?;
    (first == kind).then(|| postcard::from_bytes(rest).ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn channel() -> ChannelName {
        ChannelName::new("chat:1").unwrap()
    }

    fn draft(data: Data) -> Draft {
        Draft {
            channel: channel(),
            event: Some("said".into()),
            data,
            from: Some(Sender { client_id: "c".into(), user: Some("u".into()) }),
            key: Some("k".into()),
            history: History { size: 5, ttl_ms: 9 },
        }
    }

    fn batch() -> Batch {
        let at = |offset, tag| Some(Position { epoch: 7, offset, tag });
        let json = Data::Json(ByteString::from_static(r#"{"a":"ü"}"#));
        let binary = Data::Binary(Bytes::from_static(&[0, 255]));
        Batch {
            head: Position { epoch: 7, offset: 300, tag: u64::MAX },
            history: History { size: 5, ttl_ms: 9 },
            before: 44,
            entries: vec![
                Entry::new(draft(json), Some("x".into()), at(299, 3), 2, 1_700_000_000_000),
                Entry::new(draft(binary), None, at(300, u64::MAX), 3, 1_700_000_000_001),
            ],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let before = batch();
        let Some(Heard::Stored(after)) = Heard::from_bytes(&channel(), &before.to_bytes()) else {
            panic!()
        };
        assert_eq!((after.head, after.history, after.before), (before.head, before.history, 44));
        assert_eq!(after.first_offset(), 299);
        for (before, after) in before.entries.iter().zip(&after.entries) {
            assert_eq!(after.publication, before.publication);
            assert_eq!((&after.key, &after.except), (&before.key, &before.except));
        }
        let entry = Entry::new(draft(Data::null()), Some("x".into()), None, 0, 5);
        let heard = Heard::from_bytes(&channel(), &entry.to_passing());
        let Some(Heard::Passing(publication, except)) = heard else { panic!() };
        assert_eq!((publication, except), (entry.publication, entry.except));
        let bytes = said(NodeId(9), b"hello");
        let Some(Heard::Said(node, said)) = Heard::from_bytes(&channel(), &bytes) else { panic!() };
        assert_eq!((node, &said[..]), (NodeId(9), &b"hello"[..]));
    }

    #[test]
    fn what_no_version_wrote_is_not_read() {
        let bytes = batch().to_bytes();
        for len in 0..bytes.len() {
            assert!(Heard::from_bytes(&channel(), &bytes.slice(..len)).is_none(), "{len} bytes");
        }
        let mut other = bytes.to_vec();
        other[0] = 9;
        assert!(Heard::from_bytes(&channel(), &other.into()).is_none());
        assert!(said_by(&Bytes::from_static(&[SAID, 0, 0])).is_none());
    }

    #[test]
    fn the_fingerprint_tells_events_and_kinds_of_data_apart() {
        let json = |text: &'static str| Data::Json(ByteString::from_static(text));
        let said = |event: Option<&'static str>, data| {
            fingerprint(event.map(ByteString::from_static).as_ref(), &data)
        };
        let first = said(None, json("1"));
        assert_eq!(said(None, json("1")), first);
        assert_ne!(said(Some("1"), json("")), first);
        assert_ne!(said(None, Data::Binary(Bytes::from_static(b"1"))), first);
        assert_ne!(said(None, json("2")), first);
    }
}
