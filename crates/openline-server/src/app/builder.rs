//! [`ServerBuilder`]: a server with handlers, and where they are reached.

use std::num::NonZeroUsize;

use super::doors::{Doors, Wire};
use super::endpoint_options::EndpointOptions;
use super::handlers::Handlers;
use super::operator::HandlerThreads;
use crate::config::Config;
use crate::mounted::Mounted;
use crate::node::StartError;
use crate::server::{Prepared, Server, furnish};
use crate::upgrade::Listening;

/// A server with handlers of its own. Made by [`Server::builder`].
#[derive(Debug, Default)]
#[must_use = "a server begins with `bind`"]
pub struct ServerBuilder {
    doors: Doors,
    threads: Option<NonZeroUsize>,
}

impl ServerBuilder {
    /// The handlers of the default namespace: for clients of protocol v1 on `/ws`, `/sse` and `/poll`,
    /// and for Socket.IO's `/`.
    pub fn handlers(mut self, handlers: Handlers) -> Self {
        self.doors.serve_default(handlers);
        self
    }

    /// The handlers of another namespace of Socket.IO, such as `/admin`.
    pub fn namespace(mut self, name: &str, handlers: Handlers) -> Self {
        self.doors.serve_namespace(name, handlers);
        self
    }

    /// An endpoint for pages with a vocabulary of their own. A message is one JSON object,
    /// `{"type":"chat","text":"hi"}`: its `type` is the event, and the whole object is the data. What
    /// is sent is the object that the handler wrote, with its `type`; what is said in a room looks the
    /// same. An `id` is repeated in the answer.
    ///
    /// The last segment of the path may be a parameter, as in `/chat/{room}`:
    /// [`Context::parameter`](super::Context::parameter). An endpoint of the server's own at the path,
    /// such as the demo's `/chat`, is replaced.
    pub fn plain(self, path: &str, handlers: Handlers) -> Self {
        self.plain_with(path, EndpointOptions::new(), handlers)
    }

    /// As [`ServerBuilder::plain`], with options.
    pub fn plain_with(mut self, path: &str, options: EndpointOptions, handlers: Handlers) -> Self {
        self.doors.serve_endpoint(path, Wire::Plain, handlers, options);
        self
    }

    /// An endpoint whose messages have no envelope at all: see [`Handlers::on_text`] and
    /// [`Handlers::on_binary`]. What is said in a room that its clients are in reaches them without
    /// the event's name: a string as text, bytes as a binary message, anything else as JSON.
    pub fn raw(self, path: &str, handlers: Handlers) -> Self {
        self.raw_with(path, EndpointOptions::new(), handlers)
    }

    /// As [`ServerBuilder::raw`], with options.
    pub fn raw_with(mut self, path: &str, options: EndpointOptions, handlers: Handlers) -> Self {
        self.doors.serve_endpoint(path, Wire::Raw, handlers, options);
        self
    }

    /// As [`ServerBuilder::raw`], over Engine.IO: for clients that speak it without Socket.IO.
    pub fn engine_io(mut self, path: &str, handlers: Handlers) -> Self {
        self.doors.serve_endpoint(path, Wire::EngineIo, handlers, EndpointOptions::new());
        self
    }

    /// What answers the requests that nothing of Openline takes, upgrades of other paths among them.
    /// axum is version 0.8.
    ///
    /// It runs on the threads of handlers, behind the guards of hosts and, for upgrades, of origins. It
    /// has `/` to itself; a page of the demo or the dashboard is there if it answers 404.
    /// `ConnectInfo<SocketAddr>` says where the client is behind the proxies that are trusted, with
    /// port 0, and `Extension<Namespace>` is the [namespace](super::Namespace) `/`, to send to clients.
    pub fn routes(mut self, router: axum::Router) -> Self {
        self.doors.routes = Some(router);
        self
    }

    /// How many threads run handlers; as many as there are cores, and at least four, if nothing is
    /// said.
    pub fn handler_threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Listens, as [`Server::bind`] does.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind(self, config: Config) -> Result<Server, StartError> {
        let listening = Listening::at(config.listen)?;
        self.bind_on(config, listening)
    }

    /// As [`ServerBuilder::bind`], on a socket that listens already, as [`Server::bind_on`] does.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn bind_on(self, config: Config, listening: Listening) -> Result<Server, StartError> {
        Server::start(config, listening, self.doors, HandlerThreads::Own(self.threads))
    }

    /// Openline inside of a server of axum's, which has the sockets. Of the configuration, what is said
    /// about sockets (`threads` excepted) and TLS does nothing; `listen` is where the server is
    /// reached, by which the guards judge hosts and origins.
    ///
    /// # Errors
    /// See [`StartError`].
    pub fn mount(self, config: Config) -> Result<Mounted, StartError> {
        let address = config.listen;
        let threads = HandlerThreads::Own(self.threads);
        let (config, doors, mounts) = furnish(config, self.doors);
        let prepared = Prepared::new(config, doors, threads, mounts, address)?;
        Mounted::start(prepared).map_err(StartError::Threads)
    }

    pub(crate) fn into_doors(self) -> Doors {
        self.doors
    }
}
