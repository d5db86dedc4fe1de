//! What holds of any bytes that a store gives as an entry.

use openline_protocol::ChannelName;

use super::record::Record;

/// What is read as an entry can be written, and is then read as the same.
pub fn entries(data: &[u8]) {
    if let Some(Record::Publication(stored)) = Record::from_bytes(data)
        && let Some((publication, key)) = stored.into_publication()
    {
        let position = publication.position.expect("a record has a place");
        let bytes = Record::publication(&publication, position, key.as_deref()).to_bytes();
        let Some(Record::Publication(stored)) = Record::from_bytes(&bytes) else {
            unreachable!("we write records")
        };
        assert_eq!(stored.into_publication(), Some((publication, key)));
    }
    let channel = ChannelName::new("news").expect("a name");
    #[cfg(feature = "redis")]
    super::redis::fuzz::heard(&channel, data);
    #[cfg(feature = "nats")]
    super::nats::fuzz::heard(&channel, data);
}
