//! [`Record`]: an entry as the store keeps it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use openline_protocol::{ChannelName, Data, Position, Publication, Sender};
use serde::{Deserialize, Serialize, Serializer};

/// What a record holds. New kinds are added behind the others.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Record<'a> {
    /// A publication, with its key if it had one.
    #[serde(borrow)]
    Publication(Stored<'a>),
    /// Streams that are made from here on have this epoch.
    Epoch(u32),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Stored<'a> {
    #[serde(borrow)]
    channel: Cow<'a, str>,
    event: Option<Cow<'a, str>>,
    binary: bool,
    #[serde(borrow)]
    data: Raw<'a>,
    epoch: u32,
    offset: u64,
    tag: u64,
    prev_tag: u64,
    timestamp: u64,
    from: Option<(Cow<'a, str>, Option<Cow<'a, str>>)>,
    key: Option<Cow<'a, str>>,
}

/// Bytes that are written in one piece; as a slice they would be written one by one.
#[derive(Debug, Deserialize)]
struct Raw<'a>(&'a [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl Record<'_> {
    pub(super) fn to_bytes(&self) -> Bytes {
        let bytes = postcard::to_allocvec(self);
        bytes.expect("a record is made of plain values and a vector takes them all").into()
    }

    /// None for what no version wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Record<'_>> {
        postcard::from_bytes(bytes).ok()
    }

    /// A publication that has a position.
    pub(super) fn publication<'a>(
        publication: &'a Publication,
        position: Position,
        key: Option<&'a str>,
    ) -> Record<'a> {
        let (binary, data) = match &publication.data {
            Data::Json(text) => (false, &text.as_bytes()[..]),
            Data::Binary(bytes) => (true, &bytes[..]),
        };
        let from = publication.from.as_ref().map(|from| {
            let user = from.user.as_deref().map(Cow::Borrowed);
            (Cow::Borrowed(&*from.client_id), user)
        });
        Record::Publication(Stored {
            channel: publication.channel.as_str().into(),
            event: publication.event.as_deref().map(Cow::Borrowed),
            binary,
            data: Raw(data),
            epoch: position.epoch,
            offset: position.offset,
            tag: position.tag,
            prev_tag: publication.prev_tag,
            timestamp: publication.timestamp,
            from,
            key: key.map(Cow::Borrowed),
        })
    }
}

impl Stored<'_> {
    /// The publication and its key; none if the record holds what no publication may.
    pub(super) fn into_publication(self) -> Option<(Publication, Option<ByteString>)> {
        let data = match self.binary {
            true => Data::Binary(Bytes::copy_from_slice(self.data.0)),
            false => Data::Json(ByteString::from(std::str::from_utf8(self.data.0).ok()?)),
        };
        let from = self.from.map(|(client, user)| Sender {
            client_id: Arc::from(&*client),
            user: user.map(|user| Arc::from(&*user)),
        });
        let publication = Publication {
            channel: ChannelName::new(&self.channel).ok()?,
            event: self.event.map(|event| ByteString::from(&*event)),
            data,
            position: Some(Position { epoch: self.epoch, offset: self.offset, tag: self.tag }),
            prev_tag: self.prev_tag,
            timestamp: self.timestamp,
            from,
        };
        Some((publication, self.key.map(|key| ByteString::from(&*key))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn publication(data: Data) -> Publication {
        Publication {
            channel: ChannelName::new("chat:1").unwrap(),
            event: Some("said".into()),
            data,
            position: Some(Position { epoch: 7, offset: 300, tag: u64::MAX }),
            prev_tag: 5,
            timestamp: 1_700_000_000_000,
            from: Some(Sender { client_id: "c".into(), user: Some("u".into()) }),
        }
    }

    #[test]
    fn what_is_stored_comes_back() {
        let json = Data::Json(ByteString::from_static(r#"{"a":"ü"}"#));
        for data in [json, Data::Binary(Bytes::from_static(&[0, 255]))] {
            let before = publication(data);
            let bytes =
                Record::publication(&before, before.position.unwrap(), Some("key")).to_bytes();
            let Some(Record::Publication(stored)) = Record::from_bytes(&bytes) else { panic!() };
            let (after, key) = stored.into_publication().unwrap();
            assert_eq!(after, before);
            assert_eq!(key.as_deref(), Some("key"));
        }
    }

    #[test]
    fn what_no_version_wrote_is_not_read() {
        let before = publication(Data::null());
        let bytes = Record::publication(&before, before.position.unwrap(), None).to_bytes();
        for len in 0..bytes.len() {
            assert!(Record::from_bytes(&bytes[..len]).is_none(), "{len} bytes");
        }
        assert!(Record::from_bytes(&[9]).is_none());
    }

    #[test]
    fn a_record_is_little_larger_than_its_payload() {
        let data = Data::Json(format!("\"{}\"", "x".repeat(198)).into());
        let before = publication(data);
        let bytes = Record::publication(&before, before.position.unwrap(), None).to_bytes();
        assert!(bytes.len() < 260, "{} bytes", bytes.len());
    }
}
