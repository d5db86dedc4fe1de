//! The endpoints that are lines: which path leads where, and with which settings.

use std::sync::{Arc, LazyLock};

use ::http::{Request, StatusCode};
use openline_ws::{Config, DeflateOptions, Limits, Rejection, WebSocket};
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::Site;
use crate::guard::Kind;
use crate::socketio::engine;
use crate::transport::{self, Visitor, websocket};
use crate::{chat, echo, uploads};

/// The longest name of a room, in bytes.
const ROOM_BYTES_MAX: usize = 100;

/// A path that is a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// Protocol v1.
    Exchange,
    Echo,
    /// Files as binary messages.
    Upload,
    /// With the name of the room that lines begin in.
    Chat(Arc<str>),
}

/// Which of the endpoints that may be off are on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served {
    pub(crate) demo: bool,
    pub(crate) uploads: bool,
}

/// An endpoint that a client was let into.
pub(crate) enum Entrance {
    Exchange { visitor: Box<Visitor>, config: Arc<Config> },
    Upload(Box<uploads::Guest>),
    Engine(Box<engine::websocket::Guest>),
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
    pub(crate) fn at(path: &str, served: Served) -> Option<Self> {
        match path {
            "/ws" => Some(Self::Exchange),
            uploads::RAW_PATH => served.uploads.then_some(Self::Upload),
            _ if !served.demo => None,
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
    pub(crate) fn find(path: &str, served: Served) -> Result<Self, Rejection> {
        let message = match (served.demo, served.uploads) {
            (true, true) => {
                "There is no WebSocket endpoint here; there are /ws, /upload, /echo and /chat."
            }
            (true, false) => "There is no WebSocket endpoint here; there are /ws, /echo and /chat.",
            (false, true) => "There is no WebSocket endpoint here; there are /ws and /upload.",
            (false, false) => "There is no WebSocket endpoint here; there is /ws.",
        };
        let found = Self::at(path, served);
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
            Self::Upload => {
                let guest = uploads::enter_raw(request, site).await?;
                Ok(Entrance::Upload(Box::new(guest)))
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
            Self::Upload(_) | Self::Engine(_) => None,
            Self::Demo(_) => offered.first().cloned(),
        }
    }

    /// The settings of its lines.
    pub(crate) fn config(&self) -> Arc<Config> {
        match self {
            Self::Exchange { config, .. } => config.clone(),
            Self::Upload(_) => uploads::raw_settings(),
            Self::Engine(guest) => guest.config(),
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
            Self::Engine(guest) => guest.spawn(ws, site),
            Self::Exchange { visitor, .. } => {
                websocket::spawn(ws, *visitor, shard, node);
            }
            Self::Upload(guest) => drop(tokio::spawn(uploads::serve_raw(ws, *guest, node))),
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
        let at = |path| Endpoint::at(path, Served { demo: true, uploads: true });
        assert_eq!(at("/ws"), Some(Endpoint::Exchange));
        assert_eq!(at("/upload"), Some(Endpoint::Upload));
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
        let served = Served { demo: false, uploads: false };
        assert_eq!(Endpoint::at("/ws", served), Some(Endpoint::Exchange));
        for path in ["/", "/echo", "/chat", "/chat/42", "/upload"] {
            assert_eq!(Endpoint::at(path, served), None, "{path}");
        }
    }
}
