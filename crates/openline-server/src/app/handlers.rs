//! [`Handlers`]: what a server does with its clients' messages.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use openline_protocol::ErrorCode;
use serde::Serialize;
use tower_layer::Layer;
use tower_service::Service;

use super::call::Call;
use super::context::Context;
use super::extract::FromMessage;
use super::layer;
use super::payload::Payload;
use super::reply::{Answer, IntoReply, Refusal};

/// Calls of a client that may be at work.
const AT_WORK_MAX: usize = 64;

/// How long a handler may take unless [`Handlers::timeout`] says something else.
const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) type Work = Pin<Box<dyn Future<Output = Result<Answer, Refusal>> + Send>>;
pub(crate) type Handler = Arc<dyn Fn(Call) -> Work + Send + Sync>;
/// Puts itself in front of a handler.
type Middleware = Arc<dyn Fn(Handler) -> Handler + Send + Sync>;
pub(crate) type Hook<A> = Arc<dyn Fn(Context, A) -> Work + Send + Sync>;
/// How a refusal is written.
pub(crate) type Errors = Arc<dyn Fn(&Refusal) -> Result<Payload, Refusal> + Send + Sync>;
type States = HashMap<TypeId, Arc<dyn Any + Send + Sync>>;

/// What a server does with its clients' messages: handlers by event, hooks, and what they share.
///
/// One set serves all doors that it is put at: protocol v1, Socket.IO namespaces, plain-JSON and raw
/// endpoints. Cloning is cheap.
///
/// Handlers run on threads of their own, never on those that serve lines. The messages of one client
/// begin in the order in which they came, and go on side by side from the first time that they wait; at
/// most 64 of a client are at work, beyond which it is not read from. A handler that takes longer than
/// [`Handlers::timeout`] is dropped, and its client told `timeout`; one that panics is told as
/// `internal`. When a client goes, its handlers are dropped; what is to outlive it is given to
/// [`Context::spawn`].
#[derive(Clone)]
pub struct Handlers {
    by_event: HashMap<ByteString, Handler>,
    fallback: Option<Handler>,
    middleware: Vec<Middleware>,
    pub(crate) hooks: Hooks,
    states: States,
    timeout: Duration,
    prefix: Option<String>,
    errors: Option<Errors>,
    at_work_max: usize,
}

/// What is called when something other than an event happens.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) connect: Option<Hook<()>>,
    pub(crate) disconnect: Option<Hook<Goodbye>>,
    pub(crate) text: Option<Hook<String>>,
    pub(crate) binary: Option<Hook<Bytes>>,
}

/// Why a client is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goodbye {
    /// The close code of its line; none where it ended without one.
    pub code: Option<u16>,
    /// In words; for Socket.IO clients those that Socket.IO has for it.
    pub reason: String,
}

impl Default for Handlers {
    fn default() -> Self {
        Self {
            by_event: HashMap::new(),
            fallback: None,
            middleware: Vec::new(),
            hooks: Hooks::default(),
            states: States::new(),
            timeout: TIMEOUT,
            prefix: None,
            errors: None,
            at_work_max: AT_WORK_MAX,
        }
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers").field("events", &self.by_event.keys()).finish_non_exhaustive()
    }
}

impl Handlers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Handles an event. What it returns is the answer where the client waits for one: a value, a
    /// [`Refusal`] in its place, or nothing.
    ///
    /// The second parameter says what is read from the message; see [`FromMessage`]. A built-in type of
    /// protocol v1, such as `publish`, may be named too: the handler comes first, and returns
    /// [`BuiltIn`](super::BuiltIn) to let the server do what it does otherwise.
    ///
    /// ```
    /// use openline_server::app::{Handlers, Refusal};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Roll {
    ///     sides: u32,
    /// }
    ///
    /// let handlers = Handlers::new().on("roll", async |_cx, roll: Roll| match roll.sides {
    ///     0 => Err(Refusal::bad_request("a die has sides")),
    ///     sides => Ok(sides / 2),
    /// });
    /// # drop(handlers);
    /// ```
    ///
    /// # Panics
    /// When the event has a handler already.
    #[must_use]
    pub fn on<F, W, M, A, R, K>(mut self, event: &str, handler: F) -> Self
    where
        F: Fn(Context, M) -> W + Send + Sync + 'static,
        W: Future<Output = R> + Send + 'static,
        M: FromMessage<A>,
        R: IntoReply<K>,
    {
        let before = self.by_event.insert(event.into(), erase(handler));
        assert!(before.is_none(), "the event {event} has a handler already");
        self
    }

    /// Handles the events that no other handler is for; [`Context::event`] says which it is. Built-in
    /// types of protocol v1 are not among them.
    #[must_use]
    pub fn fallback<F, W, M, A, R, K>(mut self, handler: F) -> Self
    where
        F: Fn(Context, M) -> W + Send + Sync + 'static,
        W: Future<Output = R> + Send + 'static,
        M: FromMessage<A>,
        R: IntoReply<K>,
    {
        self.fallback = Some(erase(handler));
        self
    }

    /// Called when a client has come, before any of its messages: once it is known who it is, where
    /// that is asked for. A refusal sends it away: a WebSocket line with 1008, a Socket.IO client with
    /// `connect_error`.
    #[must_use]
    pub fn on_connect<F, W, R, K>(mut self, hook: F) -> Self
    where
        F: Fn(Context) -> W + Send + Sync + 'static,
        W: Future<Output = R> + Send + 'static,
        R: IntoReply<K>,
    {
        self.hooks.connect = Some(erase_hook(move |cx, ()| hook(cx)));
        self
    }

    /// Called when a client is gone that `on_connect` let in. It is not a member of any room any more.
    #[must_use]
    pub fn on_disconnect<F, W, R, K>(mut self, hook: F) -> Self
    where
        F: Fn(Context, Goodbye) -> W + Send + Sync + 'static,
        W: Future<Output = R> + Send + 'static,
        R: IntoReply<K>,
    {
        self.hooks.disconnect = Some(erase_hook(hook));
        self
    }

    /// Handles text messages as they are, at raw endpoints.
    #[must_use]
    pub fn on_text<F, W, R, K>(mut self, hook: F) -> Self
    where
        F: Fn(Context, String) -> W + Send + Sync + 'static,
        W: Future<Output = R> + Send + 'static,
        R: IntoReply<K>,
    {
        self.hooks.text = Some(erase_hook(hook));
        self
    }

    /// Handles binary messages as they are, at raw endpoints.
    #[must_use]
    pub fn on_binary<F, W, R, K>(mut self, hook: F) -> Self
    where
        F: Fn(Context, Bytes) -> W + Send + Sync + 'static,
        W: Future<Output = R> + Send + 'static,
        R: IntoReply<K>,
    {
        self.hooks.binary = Some(erase_hook(hook));
        self
    }

    /// Puts itself in front of all event handlers, those that come later too. The first that was
    /// given is the outermost.
    #[must_use]
    pub fn wrap<F, W>(mut self, middleware: F) -> Self
    where
        F: Fn(Call, Next) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Answer, Refusal>> + Send + 'static,
    {
        let middleware = Arc::new(middleware);
        self.middleware.push(Arc::new(move |inner| {
            let (middleware, next) = (middleware.clone(), Next(inner));
            Arc::new(move |call| Box::pin(middleware(call, next.clone())))
        }));
        self
    }

    /// As [`Handlers::wrap`], by a layer of tower's: over a service from [`Call`] to [`Answer`].
    ///
    /// Each event has a service of its own, as each route has in axum: a limit of calls at a time is
    /// one for each event, unless the layer shares it. An error of a layer's own is told to the client
    /// as `internal`; to say something else, a layer returns [`Refused`](super::Refused).
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Next> + Send + Sync + 'static,
        L::Service: Service<Call, Response = Answer> + Clone + Send + 'static,
        <L::Service as Service<Call>>::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        <L::Service as Service<Call>>::Future: Send + 'static,
    {
        self.middleware.push(Arc::new(move |inner| layer::wrap(&layer, inner)));
        self
    }

    /// Gives handlers something to share, by its type: they take it as [`State`](super::State).
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.states.insert(TypeId::of::<T>(), Arc::new(value));
        self
    }

    /// How long a handler may take; 30 s if nothing is said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The messages of a client are handled one after the other: each begins when the one before is
    /// done, and its client is not read from meanwhile. If nothing is said they go on side by side from
    /// the first time that they wait.
    #[must_use]
    pub fn one_at_a_time(mut self) -> Self {
        self.at_work_max = 1;
        self
    }

    /// How clients at plain endpoints are told of what was not done: what this makes of a refusal
    /// stands in the message `error`, in the place of `code`, `message` and `error`.
    #[must_use]
    pub fn write_errors<T: Serialize>(
        mut self,
        write: impl Fn(&Refusal) -> T + Send + Sync + 'static,
    ) -> Self {
        self.errors = Some(Arc::new(move |refusal| Payload::new(&write(refusal))));
        self
    }

    /// The namespace of channels that rooms are in: with `chat`, room `42` is channel `chat:42`. If
    /// nothing is said, rooms of the namespace `/` are the channels of their name, and those of `/x`
    /// are in `x`.
    #[must_use]
    pub fn rooms(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.to_owned());
        self
    }

    /// The set as it serves a namespace.
    pub(crate) fn serve(self, namespace: &str) -> Set {
        let Self { by_event, fallback, middleware, hooks, states, timeout, prefix, .. } = self;
        let wrap = |handler: Handler| {
            middleware.iter().rev().fold(handler, |inner, middleware| middleware(inner))
        };
        let unknown: Handler = Arc::new(|call| {
            let refusal = unknown_event(call.event());
            Box::pin(async { Err(refusal) })
        });
        Set {
            by_event: by_event.into_iter().map(|(event, handler)| (event, wrap(handler))).collect(),
            has_fallback: fallback.is_some(),
            fallback: wrap(fallback.unwrap_or(unknown)),
            hooks,
            states,
            timeout,
            prefix: prefix.unwrap_or_else(|| namespace.trim_start_matches('/').to_owned()),
            namespace: namespace.into(),
            errors: self.errors,
            at_work_max: self.at_work_max,
        }
    }
}

/// What comes behind a middleware.
#[derive(Clone)]
pub struct Next(Handler);

impl Next {
    pub(super) fn new(handler: Handler) -> Self {
        Self(handler)
    }

    /// Goes on to it.
    ///
    /// # Errors
    /// What the handler says no with.
    pub async fn run(&self, call: Call) -> Result<Answer, Refusal> {
        (self.0)(call).await
    }
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Next")
    }
}

/// Handlers at work.
pub(crate) struct Set {
    by_event: HashMap<ByteString, Handler>,
    has_fallback: bool,
    fallback: Handler,
    pub(crate) hooks: Hooks,
    states: States,
    pub(crate) timeout: Duration,
    /// Of its rooms' channels.
    pub(crate) prefix: String,
    /// Clients of one namespace are reached together.
    pub(crate) namespace: Box<str>,
    /// How plain endpoints write refusals, where that is said.
    pub(crate) errors: Option<Errors>,
    /// Calls of a client that may be at work.
    pub(crate) at_work_max: usize,
}

impl Set {
    /// The handler that this event has for itself.
    pub(crate) fn own(&self, event: &str) -> Option<&Handler> {
        self.by_event.get(event)
    }

    /// The handler of an event.
    pub(crate) fn find(&self, event: &str) -> &Handler {
        self.own(event).unwrap_or(&self.fallback)
    }

    /// Whether an event has a handler.
    pub(crate) fn knows(&self, event: &str) -> bool {
        self.has_fallback || self.by_event.contains_key(event)
    }

    pub(crate) fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.states.get(&TypeId::of::<T>())?.clone().downcast().ok()
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

pub(crate) fn unknown_event(event: &str) -> Refusal {
    let shown: String = event.escape_debug().take(64).collect();
    let message = format!("unknown type {shown}; the server has no handler for it");
    Refusal::new(ErrorCode::UnknownType.as_str(), message)
}

fn erase<F, W, M, A, R, K>(handler: F) -> Handler
where
    F: Fn(Context, M) -> W + Send + Sync + 'static,
    W: Future<Output = R> + Send + 'static,
    M: FromMessage<A>,
    R: IntoReply<K>,
{
    Arc::new(move |call| match M::from_message(&call) {
        Ok(message) => {
            let work = handler(call.context().clone(), message);
            Box::pin(async move { work.await.into_reply() })
        }
        Err(refusal) => Box::pin(async { Err(refusal) }),
    })
}

fn erase_hook<F, W, A, R, K>(hook: F) -> Hook<A>
where
    F: Fn(Context, A) -> W + Send + Sync + 'static,
    W: Future<Output = R> + Send + 'static,
    R: IntoReply<K>,
{
    Arc::new(move |cx, argument| {
        let work = hook(cx, argument);
        Box::pin(async move { work.await.into_reply() })
    })
}
