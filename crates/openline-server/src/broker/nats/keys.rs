//! Keys of publications, so that a retry is answered as the first try was.
//!
//! On a channel with history JetStream itself refuses a second message with the same id, so two nodes
//! cannot both store a retry. It tells the sequence of the first then, but not what that was, and
//! after a restart it knows the ids of those messages alone that are still there. So the use of a key
//! is also remembered on a subject of its own, for as long as the window. On a channel without
//! history that is all there is: who is first to write there publishes, and a node that dies between
//! the two leaves a publication that nobody got, which is what such a channel promises.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use openline_engine::{Draft, History};
use openline_protocol::ChannelName;
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Shared;
use super::connection::{Failure, Which};
use super::read::Reader;
use super::wire::{Entry, KeyUse, fingerprint};
use crate::broker::{BrokerError, Published};

/// The answer whether a key was used, on its way.
pub(super) type Lookup = oneshot::Receiver<Result<Found, Failure>>;

/// How often it is tried to be the first with a key, or to hear who was.
const TRIES: u32 = 5;

const PAUSE: Duration = Duration::from_millis(20);

/// What the stream of keys keeps is not said by histories.
const KEYS: History = History { size: 1, ttl_ms: 0 };

impl KeyUse {
    /// What a retry is told.
    pub(super) fn answer(&self, shared: &Shared, draft: &Draft) -> Result<Published, BrokerError> {
        if self.fingerprint != fingerprint(draft.event.as_ref(), &draft.data) {
            let key = draft.key.as_deref().unwrap_or_default().to_owned();
            let age_ms = shared.clock.now_ms().saturating_sub(self.at);
            return Err(BrokerError::Conflict { key, age_ms });
        }
        Ok(Published { position: self.position(), timestamp: self.at, duplicate: true })
    }
}

/// Asks whether a key was used, while the draft waits for its turn.
pub(super) fn look_up(shared: &Arc<Shared>, channel: &ChannelName, key: &ByteString) -> Lookup {
    let (answer, lookup) = oneshot::channel();
    let (shared, channel, key) = (shared.clone(), channel.clone(), key.clone());
    tokio::spawn(async move {
        let _ = answer.send(find(&shared, &channel, &key).await);
    });
    lookup
}

/// What stands on the subject of a key.
pub(super) struct Found {
    /// Of the last message, which may be of a use that is forgotten; 0 if there is none.
    pub(super) sequence: u64,
    pub(super) remembered: Option<KeyUse>,
}

async fn find(shared: &Shared, channel: &ChannelName, key: &str) -> Result<Found, Failure> {
    let stream = shared.names.keys();
    let subject = shared.names.key(channel, key);
    let access = shared.streams.ensure(&shared.connection, &stream, KEYS).await?;
    let stored = match shared.connection.get(&stream.name, access, Which::Last(&subject)).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(Found { sequence: 0, remembered: None }),
        Err(failure) => {
            if failure == Failure::NoStream {
                shared.streams.forget(&stream);
            }
            return Err(failure);
        }
    };
    let now = shared.clock.now_ms();
    let used = KeyUse::from_bytes(&stored.payload);
    let remembered = used.filter(|used| used.at.saturating_add(shared.window_ms) > now);
    Ok(Found { sequence: stored.sequence, remembered })
}

/// Remembers the key of an entry that was stored. If it cannot be done, JetStream's own memory is all
/// there is: the publication stands, so it is no failure.
pub(super) async fn remember(shared: &Shared, entry: &Entry) {
    let Some(key) = &entry.key else { return };
    let publication = &entry.publication;
    let used = KeyUse::new(entry.fingerprint(), publication.position, publication.timestamp);
    let subject = shared.names.key(&publication.channel, key);
    let _ = shared.connection.store(subject, used.to_bytes(), None, None).await;
}

/// What a retry is told that JetStream found to be one; `first` is the sequence of the first try.
pub(super) async fn repeated(
    shared: &Shared,
    channel: &ChannelName,
    draft: &Draft,
    first: u64,
) -> Result<Published, BrokerError> {
    let reader = Reader::new(shared, channel).await?;
    let entries = reader.at(first).await?.map(|batch| batch.entries).unwrap_or_default();
    if let Some(entry) = entries.iter().find(|entry| entry.key == draft.key) {
        let publication = &entry.publication;
        let used = KeyUse::new(entry.fingerprint(), publication.position, publication.timestamp);
        return used.answer(shared, draft);
    }
    // It was trimmed already; whoever stored it remembers its place in a moment.
    let key = draft.key.as_deref().unwrap_or_default();
    for _ in 0..TRIES {
        if let Some(used) = find(shared, channel, key).await?.remembered {
            return used.answer(shared, draft);
        }
        sleep(PAUSE).await;
    }
    // It was published; where, nobody can tell any more.
    Ok(Published { position: None, timestamp: shared.clock.now_ms(), duplicate: true })
}

/// Publishes what is not kept but has a key.
pub(super) async fn pass(
    shared: &Shared,
    entry: &Entry,
    draft: &Draft,
) -> Result<Published, BrokerError> {
    let publication = &entry.publication;
    let key = entry.key.as_deref().unwrap_or_default();
    let used = KeyUse::new(entry.fingerprint(), None, publication.timestamp);
    for _ in 0..TRIES {
        let Found { sequence, remembered } = find(shared, &publication.channel, key).await?;
        if let Some(used) = remembered {
            return used.answer(shared, draft);
        }
        let subject = shared.names.key(&publication.channel, key);
        match shared.connection.store(subject, used.to_bytes(), Some(sequence), None).await {
            Ok(_) => {
                let live = shared.names.live(&publication.channel);
                shared.connection.say(live, entry.to_passing()).await?;
                return Ok(Published::first(publication));
            }
            Err(Failure::WrongSequence) => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Err(BrokerError::Unavailable)
}
