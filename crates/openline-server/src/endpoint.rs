//! The endpoints that are lines: which path leads where, and with which settings.

use std::sync::{Arc, LazyLock};

use ::http::{Request, StatusCode};
use openline_ws::{Config, DeflateOptions, Limits, Rejection, WebSocket};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::Site;
use crate::guard::Kind;
use crate::transport::{self, Visitor, websocket};
use crate::{chat, echo};

/// The longest name of a room, in bytes.
const ROOM_BYTES_MAX: usize = 100;

/// A path that is a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Protocol v1.
    Exchange,
    Echo,
    /// With the name of the room that lines begin in.
    Chat(Arc<str>),
}

/// An endpoint that a client was let into.
pub(crate) enum Entrance {
    Exchange { visitor: Box<Visitor>, config: Arc<Config> },
    Demo(Endpoint),
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
    pub(crate) fn at(path: &str, demo: bool) -> Option<Self> {
        match path {
            "/ws" => Some(Self::Exchange),
            _ if !demo => None,
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
    pub(crate) fn find(path: &str, demo: bool) -> Result<Self, Rejection> {
        let message = match demo {
            true => "There is no WebSocket endpoint here; there are /ws, /echo and /chat.",
            false => "There is no WebSocket endpoint here; there is /ws.",
        };
        let found = Self::at(path, demo);
        found.ok_or_else(|| Rejection::new(StatusCode::NOT_FOUND, "not_found", message))
    }

    /// Lets a client in whose host and origin are checked.
    pub(crate) async fn enter<B>(
        self,
        request: &Request<B>,
        site: &Site,
    ) -> Result<Entrance, Rejection> {
        match self {
            Self::Exchange => {
                let visitor = transport::enter(&site.node, request, site.peer, Kind::New).await?;
                let config = site.node.line_settings.clone();
                Ok(Entrance::Exchange { visitor: Box::new(visitor), config })
            }
            demo => Ok(Entrance::Demo(demo)),
        }
    }
}

impl Entrance {
    /// The subprotocol to choose.
    pub(crate) fn protocol(&self, offered: &[String]) -> Option<String> {
        match self {
            Self::Exchange { .. } => websocket::protocol(offered).map(str::to_owned),
            Self::Demo(Endpoint::Chat(_)) => {
                let taken = chat::PROTOCOLS.iter().find(|p| offered.iter().any(|o| o == *p));
                taken.map(|protocol| (*protocol).to_owned())
            }
            Self::Demo(_) => offered.first().cloned(),
        }
    }

    /// The settings of its lines.
    pub(crate) fn config(&self) -> Arc<Config> {
        match self {
            Self::Exchange { config, .. } => config.clone(),
            Self::Demo(Endpoint::Chat(_)) => CHAT.clone(),
            Self::Demo(_) => ECHO.clone(),
        }
    }

    /// Serves an open line in a task of its own, which is as small as the endpoint allows.
    pub(crate) fn spawn<S>(self, ws: WebSocket<S>, site: &Site)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Site { shard, node, .. } = site.clone();
        match self {
            Self::Exchange { visitor, .. } => {
                websocket::spawn(ws, *visitor, shard, node);
            }
            Self::Demo(Endpoint::Chat(room)) => {
                drop(tokio::spawn(chat::serve(ws, room, shard, node)));
            }
            Self::Demo(_) => drop(tokio::spawn(echo::serve(ws))),
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
        let at = |path| Endpoint::at(path, true);
        assert_eq!(at("/ws"), Some(Endpoint::Exchange));
        assert_eq!(at("/echo"), Some(Endpoint::Echo));
        assert_eq!(at("/"), Some(Endpoint::Echo));
        assert_eq!(at("/chat"), Some(Endpoint::Chat("general".into())));
        assert_eq!(at("/chat/42"), Some(Endpoint::Chat("42".into())));
        assert_eq!(at("/chat/a%2Fb"), Some(Endpoint::Chat("a/b".into())));
        for path in ["/x", "/chat/", "/chat/a/b", "/chat/%00", "/chat/%ff", "/echo/x"] {
            assert_eq!(at(path), None, "{path}");
        }
    }

    #[test]
    fn without_the_demo_there_is_only_the_protocol() {
        assert_eq!(Endpoint::at("/ws", false), Some(Endpoint::Exchange));
        for path in ["/", "/echo", "/chat", "/chat/42"] {
            assert_eq!(Endpoint::at(path, false), None, "{path}");
        }
    }
}
