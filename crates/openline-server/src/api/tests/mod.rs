//! The API, asked without sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod lines;
mod publish;
mod read;
mod specification;
mod words;

use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::Arc;

use ::http::{HeaderMap, Method, Request};
use axum::body::Body;
use http_body_util::BodyExt as _;
use openline_protocol::{ChannelName, Member};
use serde_json::Value;
use tokio::sync::mpsc;

use super::answer;
use crate::app::{Doors, HandlerThreads};
use crate::auth::Identity;
use crate::config::Config;
use crate::exchange::{Line, Mailbox, Seat};
use crate::lifecycle::{Lifecycle, Terms};
use crate::log::Log;
use crate::metrics::Transport;
use crate::node::{Node, Parts, start};
use crate::shard;
use crate::socketio::engine::Mounts;

const KEY: &str = "a-key-that-is-long-enough-to-be-one";

/// A server with one thread, this one.
struct Server {
    node: Arc<Node>,
    /// A shard to which no connections can come any more stops.
    _connections: mpsc::Sender<TcpStream>,
}

/// An answer.
struct Told {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Server {
    fn new() -> Self {
        Self::with("")
    }

    /// With more in its configuration.
    fn with(toml: &str) -> Self {
        let file = format!(
            "ephemeral = true\n{toml}\n\
             [api]\nkeys = [\"{KEY}\"]\n[auth]\nanonymous = true\n"
        );
        let config = Config::read(Some(("test.toml", &file)), [], []).unwrap();
        let input = shard::inputs(NonZeroUsize::MIN).remove(0);
        let shards = Arc::from([input.shard.clone()]);
        let address = config.listen;
        let lifecycle = Lifecycle::new(Terms::of(&config));
        let (config, log, doors) = (Arc::new(config), Log::quiet(), Doors::default());
        let (mounts, handler_threads) = (Mounts::default(), HandlerThreads::Own(None));
        let parts =
            Parts { config, shards, address, log, mounts, lifecycle, doors, handler_threads };
        let node = Arc::new(start(parts).unwrap());
        let connections = input.connections.clone();
        tokio::spawn(shard::run(input, node.clone()));
        Self { node, _connections: connections }
    }

    async fn ask(&self, request: Request<Body>) -> Told {
        let (head, body) = answer(&self.node, request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Told {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    async fn post(&self, path: &str, body: &str) -> Told {
        self.post_with(path, body, &[]).await
    }

    async fn post_with(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> Told {
        let mut request = Request::builder().method(Method::POST).uri(format!("/api/v1/{path}"));
        for (name, value) in [("x-api-key", KEY)].iter().chain(headers) {
            request = request.header(*name, *value);
        }
        self.ask(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    async fn get(&self, path: &str) -> Told {
        let request = Request::builder().uri(format!("/api/v1/{path}")).header("x-api-key", KEY);
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// A client that is connected, and subscribed to these channels.
    fn client(&self, client: &str, identity: Identity, channels: &[&str]) -> Arc<Mailbox> {
        let shard = &self.node.exchange.shards()[0];
        let mailbox = Arc::new(Mailbox::new(1 << 20));
        let line = Line::Mailbox(mailbox.clone());
        let user = identity.user.clone();
        let encoding = line.encoding();
        let number = self.node.next_number();
        let seat = Seat {
            can_move: false,
            line,
            identity: Some(Arc::new(identity)),
            number,
            transport: Transport::Sse,
            address: [192, 0, 2, 1].into(),
            opened_ms: 1_700_000_000_000,
            app: None,
        };
        let mut hub = shard.hub();
        let key = hub.open(seat, client.into(), encoding);
        hub.set_user(key, user.clone());
        for channel in channels {
            let member = Member {
                client_id: client.into(),
                user: user.clone(),
                info: None,
                status: None,
                data: None,
            };
            let channel = ChannelName::new(channel).unwrap();
            hub.subscribe(key, &channel).unwrap();
            self.node.exchange.join(&channel, shard.index, Some(member));
        }
        mailbox
    }
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    #[track_caller]
    fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.json()
    }

    #[track_caller]
    fn assert_refused(&self, status: u16, code: &str, message: &str) {
        let error = &self.json()["error"];
        assert_eq!((self.status, error["code"].as_str()), (status, Some(code)), "{}", self.text);
        assert_eq!(error["message"], message);
        assert_eq!(error["docs"], format!("docs/errors.md#{code}"));
    }
}
