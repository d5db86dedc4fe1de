//! The endpoints that are lines: which path leads where, and with which settings.

use std::sync::{Arc, LazyLock};

use ::http::StatusCode;
use openline_ws::{Config, DeflateOptions, Limits, Rejection, WebSocket};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::shard::{Shard, Shared};
use crate::{chat, echo};

/// The longest name of a room, in bytes.
const ROOM_BYTES_MAX: usize = 100;

/// A path that is a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Echo,
    /// With the name of the room that lines begin in.
    Chat(Arc<str>),
}

static ECHO: LazyLock<Arc<Config>> = LazyLock::new(|| {
    Arc::new(Config {
        limits: Limits {
            frame_bytes_max: 16 << 20,
            message_bytes_max: 16 << 20,
            fragments_max: 70_000,
        },
        deflate: DeflateOptions { threshold: 0, ..DeflateOptions::default() },
        ..Config::default()
    })
});

static CHAT: LazyLock<Arc<Config>> = LazyLock::new(Arc::default);

impl Endpoint {
    /// The endpoint at `path`, if there is one.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            // The root too, where test programs that take no path knock.
            "/echo" | "/" => Some(Self::Echo),
            "/chat" => Some(Self::Chat("general".into())),
            _ => {
                let room = path.strip_prefix("/chat/").filter(|room| !room.contains('/'))?;
                let room = percent_decode_str(room).decode_utf8().ok()?;
                is_room_name(&room).then(|| Self::Chat(room.as_ref().into()))
            }
        }
    }

    /// As [`Endpoint::at`], with the answer to give where there is none.
    pub(crate) fn find(path: &str) -> Result<Self, Rejection> {
        let message = "There is no WebSocket endpoint here; there are /echo and /chat.";
        Self::at(path).ok_or_else(|| Rejection::new(StatusCode::NOT_FOUND, "not_found", message))
    }

    /// The subprotocol to choose.
    pub(crate) fn protocol(&self, offered: &[String]) -> Option<String> {
        match self {
            Self::Echo => offered.first().cloned(),
            Self::Chat(_) => {
                let taken = chat::PROTOCOLS.iter().find(|p| offered.iter().any(|o| o == *p));
                taken.map(|protocol| (*protocol).to_owned())
            }
        }
    }

    /// The settings of its lines.
    pub(crate) fn config(&self) -> Arc<Config> {
        match self {
            Self::Echo => ECHO.clone(),
            Self::Chat(_) => CHAT.clone(),
        }
    }

    /// Serves an open line in a task of its own, which is as small as the endpoint allows.
    pub(crate) fn spawn<S>(self, ws: WebSocket<S>, shard: &Arc<Shard>, shared: &Arc<Shared>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match self {
            Self::Echo => drop(tokio::spawn(echo::serve(ws))),
            Self::Chat(room) => {
                drop(tokio::spawn(chat::serve(ws, room, shard.clone(), shared.clone())));
            }
        }
    }
}

/// Whether a room may have this name.
pub(crate) fn is_room_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= ROOM_BYTES_MAX && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_endpoints() {
        assert_eq!(Endpoint::at("/echo"), Some(Endpoint::Echo));
        assert_eq!(Endpoint::at("/"), Some(Endpoint::Echo));
        assert_eq!(Endpoint::at("/chat"), Some(Endpoint::Chat("general".into())));
        assert_eq!(Endpoint::at("/chat/42"), Some(Endpoint::Chat("42".into())));
        assert_eq!(Endpoint::at("/chat/a%2Fb"), Some(Endpoint::Chat("a/b".into())));
        for path in ["/x", "/chat/", "/chat/a/b", "/chat/%00", "/chat/%ff", "/echo/x"] {
            assert_eq!(Endpoint::at(path), None, "{path}");
        }
    }
}
