//! The endpoints that are lines: which path leads where, and with which settings.

use std::sync::{Arc, LazyLock};

use ::http::{Request, StatusCode};
use openline_ws::{Config, DeflateOptions, Limits, Rejection, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::app::{Doors, Wire};
use crate::connection::Site;
use crate::plain::{self, Door, Guest};
use crate::socketio::engine;
use crate::transport::{self, Visitor, websocket};
use crate::{echo, lifecycle, uploads};

/// A path that is a line.
#[derive(Debug, Clone)]
pub(crate) enum Endpoint {
    /// Protocol v1.
    Exchange,
    Echo,
    /// Files as binary messages.
    Upload,
    /// With a vocabulary of its own.
    Own(Door),
}

/// Which of the endpoints that may be off are on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Served<'a> {
    /// Those that were added to the server.
    pub(crate) doors: &'a Doors,
    pub(crate) demo: bool,
    pub(crate) uploads: bool,
}

/// An endpoint that a client was let into.
pub(crate) enum Entrance {
    Exchange { visitor: Box<Visitor>, config: Arc<Config> },
    Upload(Box<uploads::Guest>),
    Engine(Box<engine::websocket::Guest>),
    Own { guest: Box<Guest>, config: Arc<Config> },
    Echo,
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

impl Endpoint {
    /// The endpoint at `path`, if there is one. What was added to the server goes before what it has
    /// by itself.
    pub(crate) fn at(path: &str, served: Served<'_>) -> Option<Self> {
        if let Some((endpoint, parameter)) = served.doors.endpoint(path)
            && endpoint.wire != Wire::EngineIo
        {
            return Some(Self::Own(Door { endpoint: endpoint.clone(), parameter }));
        }
        match path {
            "/ws" => Some(Self::Exchange),
            uploads::RAW_PATH => served.uploads.then_some(Self::Upload),
            // The root too, where test programs that take no path knock.
            "/echo" | "/" => served.demo.then_some(Self::Echo),
            _ => None,
        }
    }

    /// As [`Endpoint::at`], with the answer to give where there is none.
    pub(crate) fn find(path: &str, served: Served<'_>) -> Result<Self, Rejection> {
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
                let visitor = transport::enter(&site.node, request, site.peer).await?;
                let config = site.node.settings().line_settings.clone();
                Ok(Entrance::Exchange { visitor: Box::new(visitor), config })
            }
            Self::Upload => {
                let guest = uploads::enter_raw(request, site).await?;
                Ok(Entrance::Upload(Box::new(guest)))
            }
            Self::Own(door) => {
                let guest = plain::enter(door, request, site).await?;
                let config = site.node.settings().line_settings.clone();
                Ok(Entrance::Own { guest: Box::new(guest), config })
            }
            Self::Echo => {
                lifecycle::admit(&site.node)?;
                transport::enter_uncounted(&site.node, request, site.peer)?;
                Ok(Entrance::Echo)
            }
        }
    }
}

impl Entrance {
    /// The subprotocol to choose.
    pub(crate) fn protocol(&self, offered: &[String]) -> Option<String> {
        match self {
            Self::Exchange { .. } => websocket::protocol(offered).map(str::to_owned),
            Self::Own { guest, .. } => guest.door.protocol(offered),
            Self::Upload(_) | Self::Engine(_) => None,
            Self::Echo => offered.first().cloned(),
        }
    }

    /// The settings of its lines.
    pub(crate) fn config(&self) -> Arc<Config> {
        match self {
            Self::Exchange { config, .. } | Self::Own { config, .. } => config.clone(),
            Self::Upload(_) => uploads::raw_settings(),
            Self::Engine(guest) => guest.config(),
            Self::Echo => ECHO.clone(),
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
            Self::Own { guest, .. } => drop(plain::spawn(ws, *guest, shard, node)),
            Self::Echo => drop(tokio::spawn(echo::serve(ws))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{EndpointOptions, Handlers};

    fn at(path: &str, doors: &Doors, is_on: bool) -> Option<String> {
        let endpoint = Endpoint::at(path, Served { doors, demo: is_on, uploads: is_on })?;
        Some(match endpoint {
            Endpoint::Exchange => "exchange".to_owned(),
            Endpoint::Echo => "echo".to_owned(),
            Endpoint::Upload => "upload".to_owned(),
            Endpoint::Own(door) => format!("own {}", door.parameter),
        })
    }

    fn doors(paths: &[(&str, Wire)]) -> Doors {
        let mut doors = Doors::default();
        for (path, wire) in paths {
            doors.serve_endpoint(path, *wire, Handlers::new(), EndpointOptions::new());
        }
        doors
    }

    #[test]
    fn paths_lead_to_endpoints() {
        let doors = doors(&[("/chat", Wire::Plain), ("/chat/{room}", Wire::Plain)]);
        for (path, expected) in [
            ("/ws", "exchange"),
            ("/upload", "upload"),
            ("/echo", "echo"),
            ("/", "echo"),
            ("/chat", "own "),
            ("/chat/42", "own 42"),
            ("/chat/a%2Fb", "own a/b"),
        ] {
            assert_eq!(at(path, &doors, true).as_deref(), Some(expected), "{path}");
        }
        for path in ["/x", "/chat/", "/chat/a/b", "/chat/%00", "/chat/%ff", "/echo/x"] {
            assert_eq!(at(path, &doors, true), None, "{path}");
        }
    }

    #[test]
    fn what_was_added_goes_before_what_is_there() {
        let doors = doors(&[("/ws", Wire::Raw), ("/eio", Wire::EngineIo)]);
        assert_eq!(at("/ws", &doors, true).as_deref(), Some("own "));
        assert_eq!(at("/eio", &doors, true), None, "that is no WebSocket line alone");
    }

    #[test]
    fn without_the_demo_there_is_only_the_protocol() {
        let none = Doors::default();
        assert_eq!(at("/ws", &none, false).as_deref(), Some("exchange"));
        for path in ["/", "/echo", "/chat", "/chat/42", "/upload"] {
            assert_eq!(at(path, &none, false), None, "{path}");
        }
    }
}
