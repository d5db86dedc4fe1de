//! [`Cursor`]: how far a reader of several channels is, as one text.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openline_protocol::{ChannelName, Position};

use super::mailbox::{Letter, Progress};

/// Channels that one reader may have: the text goes out with each message.
pub(crate) const CHANNELS_MAX: usize = 32;

/// What tells the text of several positions from that of one.
const MARK: &str = "~";

/// The bytes of the channel's hash, epoch, tag, and of how long the offset is.
const FIXED_BYTES: usize = 4 + 4 + 8 + 1;
const TEXT_MAX: usize = 1 + (CHANNELS_MAX * (FIXED_BYTES + 8)).div_ceil(3) * 4;

/// The positions of a reader, by channel.
///
/// As text it is opaque to clients: for a reader of one channel it is that channel's position; for
/// others a `~` and base64url of all positions, each behind a hash of its channel's name, so that it
/// also serves a reader whose list of channels has changed. Two channels whose hashes are the same
/// share a place, and the one whose position it is not is told of a gap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The hash of the one channel that the reader has, if so.
    only: Option<u32>,
    places: Vec<(u32, Position)>,
}

/// From where a reader goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Since {
    /// It was not here before.
    Now,
    /// What it had is known: the text is one that a [`Cursor`] wrote, and nobody can tell whether
    /// this server did.
    Cursor(Cursor),
    /// It was here before, and nobody knows what it had.
    Unknown,
}

impl Cursor {
    /// Of a reader of these channels, who has nothing.
    pub(crate) fn new(channels: &[ChannelName]) -> Self {
        let only = match channels {
            [channel] => Some(hash(channel)),
            _ => None,
        };
        Self { only, places: Vec::new() }
    }

    /// Of a reader of these channels, who has what it had.
    pub(crate) fn continuing(channels: &[ChannelName], since: &Since) -> Self {
        let places = match since {
            Since::Cursor(cursor) => cursor.places.clone(),
            Since::Now | Since::Unknown => Vec::new(),
        };
        let of_these = |(place, _): &(u32, Position)| channels.iter().any(|c| hash(c) == *place);
        Self { places: places.into_iter().filter(of_these).collect(), ..Self::new(channels) }
    }

    /// Takes note of a letter; returns whether it changed anything.
    pub(crate) fn pass(&mut self, letter: &Letter) -> bool {
        match &letter.progress {
            Progress::None => return false,
            Progress::Until(channel, position) => self.set(channel, *position),
            Progress::From(channels) => {
                channels.iter().for_each(|(channel, position)| self.set(channel, *position));
                return !channels.is_empty();
            }
            Progress::Left(channels) => {
                let left: Vec<u32> = channels.iter().map(hash).collect();
                self.places.retain(|(hash, _)| !left.contains(hash));
            }
        }
        true
    }

    /// None where no channel has a position.
    pub(crate) fn text(&self) -> Option<String> {
        (!self.is_empty()).then(|| self.to_string())
    }

    /// Whether no channel has a position.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn set(&mut self, channel: &ChannelName, position: Position) {
        let hash = hash(channel);
        match self.places.iter_mut().find(|(other, _)| *other == hash) {
            Some((_, place)) => *place = position,
            None => self.places.push((hash, position)),
        }
    }
}

impl Since {
    /// What a reader of these channels brought.
    pub(crate) fn read(text: Option<&str>, channels: &[ChannelName]) -> Self {
        let Some(text) = text else { return Self::Now };
        if let (Ok(position), [channel]) = (text.parse::<Position>(), channels) {
            let mut cursor = Cursor::new(channels);
            cursor.set(channel, position);
            return Self::Cursor(cursor);
        }
        text.parse().map_or(Self::Unknown, Self::Cursor)
    }

    pub(crate) fn position(&self, channel: &ChannelName) -> Option<Position> {
        let Self::Cursor(cursor) = self else { return None };
        let hash = hash(channel);
        cursor.places.iter().find(|(other, _)| *other == hash).map(|(_, position)| *position)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.places {
            [] => Ok(()),
            [(hash, position)] if self.only == Some(*hash) => position.fmt(f),
            places => {
                let mut bytes = Vec::with_capacity(places.len() * (FIXED_BYTES + 3));
                for (hash, Position { epoch, offset, tag }) in places {
                    bytes.extend(hash.to_be_bytes());
                    bytes.extend(epoch.to_be_bytes());
                    bytes.extend(tag.to_be_bytes());
                    let zeros = offset.leading_zeros() as usize / 8;
                    let offset = &offset.to_be_bytes()[zeros..];
                    bytes.push(8 - zeros as u8);
                    bytes.extend(offset);
                }
                write!(f, "{MARK}{}", URL_SAFE_NO_PAD.encode(bytes))
            }
        }
    }
}

/// The text is not one that a [`Cursor`] writes for several channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    /// Nothing is what a reader has whose channels keep no history.
    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let mut cursor = Self::default();
        if text.is_empty() {
            return Ok(cursor);
        }
        let text = text.strip_prefix(MARK).filter(|text| text.len() < TEXT_MAX).ok_or(NoCursor)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NoCursor)?;
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let place = read_place(&mut rest).ok_or(NoCursor)?;
            if cursor.places.len() == CHANNELS_MAX
                || cursor.places.iter().any(|(hash, _)| *hash == place.0)
            {
                return Err(NoCursor);
            }
            cursor.places.push(place);
        }
        match cursor.places.is_empty() {
            true => Err(NoCursor),
            false => Ok(cursor),
        }
    }
}

fn read_place(rest: &mut &[u8]) -> Option<(u32, Position)> {
    let (hash, after) = rest.split_first_chunk()?;
    let (epoch, after) = after.split_first_chunk()?;
    let (tag, after) = after.split_first_chunk()?;
    let (len, after) = after.split_first()?;
    let (minimal, after) = after.split_at_checked(usize::from(*len))?;
    // There is one text for each cursor.
    if minimal.len() > 8 || minimal.first() == Some(&0) {
        return None;
    }
    let mut offset = [0; 8];
    offset[8 - minimal.len()..].copy_from_slice(minimal);
    *rest = after;
    let position = Position {
        epoch: u32::from_be_bytes(*epoch),
        offset: u64::from_be_bytes(offset),
        tag: u64::from_be_bytes(*tag),
    };
    Some((u32::from_be_bytes(*hash), position))
}

/// The same on all nodes and in all versions.
fn hash(channel: &ChannelName) -> u32 {
    crc32fast::hash(channel.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use proptest::prelude::*;

    use super::*;

    fn channel(name: &str) -> ChannelName {
        ChannelName::new(name).unwrap()
    }

    fn position(offset: u64) -> Position {
        Position { epoch: 7, offset, tag: offset ^ 0xfeed }
    }

    fn until(name: &str, offset: u64) -> Letter {
        let progress = Progress::Until(channel(name), position(offset));
        Letter { text: "{}".into(), progress }
    }

    #[test]
    fn for_one_channel_it_is_the_channels_position() {
        let channels = [channel("a")];
        let mut cursor = Cursor::new(&channels);
        assert_eq!(cursor.text(), None);
        assert!(cursor.pass(&until("a", 3)));
        assert_eq!(cursor.text(), Some(position(3).to_string()));
        let since = Since::read(cursor.text().as_deref(), &channels);
        assert_eq!(since.position(&channels[0]), Some(position(3)));
        // Another channel comes, and goes.
        cursor.pass(&until("b", 4));
        assert!(cursor.text().unwrap().starts_with('~'));
        let left = Progress::Left([channel("b")].into());
        cursor.pass(&Letter { text: "{}".into(), progress: left });
        assert_eq!(cursor.text(), Some(position(3).to_string()));
    }

    #[test]
    fn for_several_it_holds_each_whatever_their_order() {
        let channels = [channel("a"), channel("b"), channel("no-history")];
        let mut cursor = Cursor::new(&channels);
        let from = [(channel("a"), position(1)), (channel("b"), position(u64::MAX))];
        let progress = Progress::From(from.into());
        assert!(cursor.pass(&Letter { text: "{}".into(), progress }));
        assert!(cursor.pass(&until("a", 0)));
        assert!(!cursor.pass(&Letter { text: "{}".into(), progress: Progress::None }));
        let others = [channel("b"), channel("new"), channel("a")];
        let since = Since::read(cursor.text().as_deref(), &others);
        let found = others.map(|channel| since.position(&channel));
        assert_eq!(found, [Some(position(u64::MAX)), None, Some(position(0))]);
    }

    #[test]
    fn the_text_is_bounded() {
        let channels: Vec<_> = (0..CHANNELS_MAX).map(|n| channel(&format!("c{n}"))).collect();
        let mut cursor = Cursor::new(&channels);
        for channel in &channels {
            cursor.set(channel, position(u64::MAX));
        }
        let text = cursor.text().unwrap();
        assert!(text.len() <= TEXT_MAX, "{}", text.len());
        assert_eq!(text.parse::<Cursor>().unwrap().places, cursor.places);
        cursor.set(&channel("one-more"), position(1));
        assert_eq!(cursor.to_string().parse::<Cursor>(), Err(NoCursor));
    }

    #[test]
    fn what_no_cursor_wrote_is_known_as_such() {
        let one = [channel("a")];
        let two = [channel("a"), channel("b")];
        assert_eq!(Since::read(None, &one), Since::Now);
        assert_eq!(Since::read(Some(""), &one), Since::Cursor(Cursor::default()));
        let of_one = position(1).to_string();
        assert_eq!(Since::read(Some(&of_one), &two), Since::Unknown, "whose is it?");
        for bad in ["x", "~", "~x", "~AAAA", "12", "~AAAAAQAAAAIAAAAAAAAAAwEA", "ü", "!"] {
            assert_eq!(Since::read(Some(bad), &one), Since::Unknown, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_text_that_is_read_is_the_one_that_is_written(
            text in prop_oneof!["[A-Za-z0-9_-]{0,80}", "~([A-Za-z0-9_-]{4}){0,20}"],
        ) {
            if let Ok(cursor) = text.parse::<Cursor>() {
                prop_assert_eq!(cursor.to_string(), text);
            }
        }

        #[test]
        fn what_is_written_is_read(places: Vec<(u32, u32, u64, u64, u8)>) {
            let mut cursor = Cursor::default();
            for (hash, epoch, offset, tag, shift) in places.into_iter().take(CHANNELS_MAX) {
                let position = Position { epoch, offset: offset >> (shift % 64), tag };
                if !cursor.places.iter().any(|(other, _)| *other == hash) {
                    cursor.places.push((hash, position));
                }
            }
            prop_assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }

        #[test]
        fn no_text_is_too_odd_to_be_read(text: String) {
            let _ = Since::read(Some(&text), &[channel("a")]);
        }
    }
}
