//! What happened in a run, as records in a file of JSON lines.
//!
//! All of it is written down by one process with one clock, so the order of the records is the order
//! in which it was learned.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, mem};

use serde::{Deserialize, Serialize};

/// A history longer than this is not judged. A run of a minute has about 200,000 records.
const RECORDS_MAX: u64 = 5_000_000;

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Microseconds since the run began.
    pub at: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Event {
    /// The run began. The first record.
    Run(Run),
    /// A publish is about to be sent.
    Invoke {
        /// Who publishes.
        process: String,
        /// The payload, which no other publish has but those that repeat this one.
        value: String,
        /// Where to.
        channel: String,
        /// Under which key.
        key: String,
        /// How manieth time it is sent, from 0.
        attempt: u32,
        /// Over what and to which node.
        way: String,
    },
    /// It was acknowledged.
    Ok {
        /// The payload.
        value: String,
        /// Which time.
        attempt: u32,
        /// Where it stands.
        place: Option<Place>,
        /// How safely it is kept.
        level: Option<String>,
        /// Whether the server knew the key.
        duplicate: bool,
    },
    /// It was refused: it has not been published and will not be.
    Fail {
        /// The payload.
        value: String,
        /// Which time.
        attempt: u32,
        /// Why.
        code: String,
    },
    /// What became of it is not known.
    Unknown {
        /// The payload.
        value: String,
        /// Which time.
        attempt: u32,
        /// Why.
        why: String,
    },
    /// A subscription is about to be asked for.
    Asked {
        /// Who subscribes.
        reader: String,
        /// To what.
        channel: String,
        /// Which position is given.
        from: From,
        /// That position.
        place: Option<Place>,
    },
    /// It was given.
    Subscribed {
        /// Who subscribed.
        reader: String,
        /// To what.
        channel: String,
        /// Where the channel is.
        place: Option<Place>,
        /// Whether what was missed follows. None where no position was given, and from clients that
        /// tell it by `unrecovered` alone.
        recovered: Option<bool>,
        /// Why not.
        reason: Option<String>,
    },
    /// It was refused.
    Refused {
        /// Who asked.
        reader: String,
        /// For what.
        channel: String,
        /// Why.
        code: String,
    },
    /// The application saw a message.
    Seen {
        /// Who saw it.
        reader: String,
        /// Of which channel.
        channel: String,
        /// The payload.
        value: String,
        /// Where it stands.
        place: Option<Place>,
    },
    /// The application was told that messages are missing.
    Unrecovered {
        /// Who was told.
        reader: String,
        /// Of which channel.
        channel: String,
        /// Why.
        reason: String,
        /// Where the channel goes on from, if that is known.
        place: Option<Place>,
    },
    /// A subscription is over. What is seen later is of another one.
    Left {
        /// Whose.
        reader: String,
        /// To what.
        channel: String,
    },
    /// A connection was made.
    Opened {
        /// Whose.
        who: String,
        /// To which node, from 0.
        node: usize,
    },
    /// A connection was lost or cut.
    Lost {
        /// Whose.
        who: String,
        /// Why.
        why: String,
    },
    /// Something is being broken.
    FaultBegan {
        /// What is done.
        kind: String,
        /// To what.
        target: String,
        /// Whether the store may forget by it what it has acknowledged.
        forgets: bool,
    },
    /// It was undone.
    FaultEnded {
        /// What was done.
        kind: String,
        /// To what.
        target: String,
    },
    /// It was to be broken, and this machine cannot do that.
    FaultNotRun {
        /// What was to be done.
        kind: String,
        /// To what.
        target: String,
        /// What it needs.
        why: String,
    },
    /// A node ended by itself, or something does not come back.
    Broke {
        /// What.
        what_broke: String,
    },
    /// Everything is whole again, and nothing is published any more.
    Healed,
    /// What the store has at the end.
    Stored {
        /// Of which channel.
        channel: String,
        /// Where the channel is.
        head: Option<Place>,
        /// All that is kept, oldest first.
        entries: Vec<Entry>,
    },
    /// The run is over. The last record.
    End,
}

/// What a run is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// What chance followed from.
    pub seed: u64,
    /// The server under test.
    pub subject: String,
    /// What keeps its channels.
    pub broker: String,
    /// How many nodes.
    pub nodes: usize,
    /// For how long clients were at work.
    pub seconds: u64,
    /// Which faults were asked for.
    pub faults: String,
    /// The kinds of clients that subscribed.
    pub clients: Vec<String>,
    /// Whether offsets of a channel follow each other without gaps.
    pub contiguous: bool,
    /// At most so many missed messages are given back at one time.
    pub recovery_max: u64,
    /// The channels.
    pub channels: Vec<Channel>,
}

/// A channel of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its name.
    pub name: String,
    /// How many messages it keeps.
    pub history_size: u64,
}

/// Which position a subscription begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// None: with what comes now.
    Now,
    /// That of what this reader saw last.
    Own,
    /// One of before, as an application has it that saves positions now and then.
    Older,
    /// One that no server wrote.
    Forged,
    /// One of another channel.
    Foreign,
}

/// A message as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// The payload.
    pub value: String,
}

/// Where a message stands in its channel. As text it is `epoch/offset/tag`, epoch and tag in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Place {
    /// The incarnation of the channel.
    pub epoch: u64,
    /// The how manieth in it.
    pub offset: u64,
    /// What tells two messages apart that share the other two; 0 for servers that have nothing like
    /// it.
    pub tag: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}/{}/{:x}", self.epoch, self.offset, self.tag)
    }
}

impl std::convert::From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let mut part = |radix| u64::from_str_radix(parts.next()?, radix).ok();
        let place = (|| Some(Self { epoch: part(16)?, offset: part(10)?, tag: part(16)? }))();
        place.ok_or_else(|| format!("{text} is no place; one is epoch/offset/tag"))
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Writes the history of a run while it happens.
pub struct Recorder {
    began: Instant,
    writing: Mutex<Writing>,
}

struct Writing {
    file: BufWriter<File>,
    records: u64,
    error: Option<io::Error>,
}

impl Recorder {
    /// Begins a history in this file; time begins now.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::new(File::create(path)?);
        let writing = Mutex::new(Writing { file, records: 0, error: None });
        Ok(Self { began: Instant::now(), writing })
    }

    /// How long the run has been going on.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Writes down that this happened now.
    pub fn record(&self, event: Event) {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        // Under the lock, so that times in the file never go back.
        let at = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        writing.records += 1;
        let written = if writing.records > RECORDS_MAX {
            Err(io::Error::other(format!("a history has at most {RECORDS_MAX} records")))
        } else {
            write_line(&mut writing.file, &Record { at, event })
        };
        if let Err(error) = written {
            writing.error.get_or_insert(error);
        }
    }

    /// Sees to it that all of it is in the file.
    ///
    /// # Errors
    /// The first one that there was since the history began: records are missing then.
    pub fn finish(&self) -> io::Result<()> {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        match mem::take(&mut writing.error) {
            Some(error) => Err(error),
            None => writing.file.flush(),
        }
    }
}

fn write_line(file: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *file, record)?;
    file.write_all(b"\n")
}

/// Reads a history.
///
/// # Errors
/// When the file cannot be read, or a line is no record.
pub fn read(path: &Path) -> io::Result<Vec<Record>> {
    let mut records = Vec::new();
    for (number, line) in BufReader::new(File::open(path)?).lines().enumerate() {
        let record = serde_json::from_str(&line?).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("line {}: {error}", number + 1))
        })?;
        records.push(record);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let place = Place { epoch: 0xab, offset: 12, tag: u64::MAX };
        let seen = Event::Seen {
            reader: "s01".into(),
            channel: "c".into(),
            value: "p1-1".into(),
            place: Some(place),
        };
        for event in [seen, Event::Healed, Event::End] {
            let record = Record { at: 5, event };
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record, "{text}");
        }
        assert_eq!(place.to_string().parse(), Ok(place));
        assert!("1/2".parse::<Place>().is_err());
    }
}
