//! What a backend can be asked and told.

use std::fmt;
use std::str::FromStr;

/// What a backend can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum QuestionKind {
    Connect,
    Subscribe,
    Publish,
    /// A message of any type that is not built in.
    Request,
}

/// What a backend can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EventKind {
    ChannelOccupied,
    ChannelVacated,
    ClientConnected,
    ClientGone,
}

/// Either, as it stands in a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Question(QuestionKind),
    Event(EventKind),
}

impl Kind {
    pub(crate) const ALL: [Self; 8] = [
        Self::Question(QuestionKind::Connect),
        Self::Question(QuestionKind::Subscribe),
        Self::Question(QuestionKind::Publish),
        Self::Question(QuestionKind::Request),
        Self::Event(EventKind::ChannelOccupied),
        Self::Event(EventKind::ChannelVacated),
        Self::Event(EventKind::ClientConnected),
        Self::Event(EventKind::ClientGone),
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Question(kind) => kind.as_str(),
            Self::Event(kind) => kind.as_str(),
        }
    }
}

impl QuestionKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Subscribe => "subscribe",
            Self::Publish => "publish",
            Self::Request => "request",
        }
    }

    /// Whether the question can be put twice: the backend answers it and does nothing else.
    pub(super) fn is_repeatable(self) -> bool {
        matches!(self, Self::Connect | Self::Subscribe)
    }
}

impl EventKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ChannelOccupied => "channel.occupied",
            Self::ChannelVacated => "channel.vacated",
            Self::ClientConnected => "client.connected",
            Self::ClientGone => "client.gone",
        }
    }
}

impl From<QuestionKind> for Kind {
    fn from(kind: QuestionKind) -> Self {
        Self::Question(kind)
    }
}

impl From<EventKind> for Kind {
    fn from(kind: EventKind) -> Self {
        Self::Event(kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("{text:?} is not a webhook; there are {}", known.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_as_it_is_written() {
        for kind in Kind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
    }

    #[test]
    fn an_unknown_kind_is_told_which_there_are() {
        let error = "channel.empty".parse::<Kind>().unwrap_err();
        assert!(
            error.contains("\"channel.empty\"") && error.contains("channel.vacated"),
            "{error}"
        );
    }
}
