//! [`Client`]: a session as handlers know it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bytestring::ByteString;
use openline_engine::SessionKey;
use openline_protocol::{Id, Reply};
use tokio::sync::oneshot;

use super::asked::Asked;
use super::call::{Call, Respond, Responder};
use super::calls::{Calls, Job};
use super::context::Context;
use super::handlers::{Goodbye, Handler, Hook, Set};
use super::payload::Payload;
use super::reply::{Answer, Refusal};
use crate::auth::Identity;
use crate::exchange::Line;
use crate::metrics::Transport;
use crate::node::Node;
use crate::session::Place;
use crate::shard::Shard;

/// A session as handlers know it.
pub(crate) struct Client {
    place: Place,
    pub(crate) line: Line,
    pub(crate) set: Arc<Set>,
    pub(crate) handshake: Handshake,
    pub(crate) calls: Calls,
    pub(crate) asked: Asked,
    identity: Mutex<Option<Arc<Identity>>>,
    values: Mutex<HashMap<TypeId, Box<dyn Any + Send + Sync>>>,
    goodbye: Mutex<Option<Goodbye>>,
    /// What it said of itself when it came, where its protocol has a place for that.
    auth: Mutex<Option<Box<Payload>>>,
    /// `on_connect` let it in, or there is none.
    is_in: AtomicBool,
}

/// What is known of the request that a client came with.
#[derive(Debug, Clone)]
pub(crate) struct Handshake {
    pub(crate) address: IpAddr,
    pub(crate) transport: Transport,
    /// What the path has in the place of a parameter; empty where there is none.
    pub(crate) parameter: Box<str>,
}

impl Client {
    pub(crate) fn new(place: Place, line: Line, set: Arc<Set>, handshake: Handshake) -> Self {
        Self {
            place,
            line,
            calls: Calls::new(set.at_work_max),
            asked: Asked::default(),
            set,
            handshake,
            identity: Mutex::default(),
            values: Mutex::default(),
            goodbye: Mutex::default(),
            auth: Mutex::default(),
            is_in: AtomicBool::new(false),
        }
    }

    pub(crate) fn id(&self) -> &Arc<str> {
        &self.place.client
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.place.node
    }

    pub(crate) fn shard(&self) -> &Arc<Shard> {
        &self.place.shard
    }

    pub(crate) fn key(&self) -> SessionKey {
        self.place.key
    }

    pub(crate) fn identity(&self) -> Option<Arc<Identity>> {
        lock(&self.identity).clone()
    }

    pub(crate) fn set_identity(&self, identity: Arc<Identity>) {
        *lock(&self.identity) = Some(identity);
    }

    /// What the client said of itself when it came.
    pub(crate) fn auth(&self) -> Option<Payload> {
        lock(&self.auth).as_deref().cloned()
    }

    /// Takes note of what the client says of itself.
    pub(crate) fn set_auth(&self, auth: Payload) {
        *lock(&self.auth) = Some(Box::new(auth));
    }

    /// Where it subscribes, as whom it is now.
    pub(crate) fn place(&self) -> Place {
        Place { identity: self.identity(), ..self.place.clone() }
    }

    pub(crate) fn values(&self) -> MutexGuard<'_, HashMap<TypeId, Box<dyn Any + Send + Sync>>> {
        lock(&self.values)
    }

    /// Has an event handled. Waits while too much of the client is at work. `respond` is called when
    /// there is an answer, or no more hope of one, and never once the client is gone.
    pub(crate) async fn dispatch(
        self: &Arc<Self>,
        event: ByteString,
        payload: Payload,
        is_wanted: bool,
        respond: Respond,
    ) {
        let handler = self.set.find(&event).clone();
        self.call(handler, (event, payload), is_wanted, respond).await;
    }

    /// As [`Client::dispatch`], for a message that is to be dealt with before the next is read.
    pub(crate) async fn dispatch_and_wait(
        self: &Arc<Self>,
        event: ByteString,
        payload: Payload,
    ) -> Result<Answer, Refusal> {
        let (told, answer) = oneshot::channel();
        self.dispatch(event, payload, true, Box::new(|result| drop(told.send(result)))).await;
        answer.await.unwrap_or_else(|_| Err(Refusal::internal("the client is gone")))
    }

    async fn call(
        self: &Arc<Self>,
        handler: Handler,
        (event, payload): (ByteString, Payload),
        is_wanted: bool,
        respond: Respond,
    ) {
        self.calls.room().await;
        let responder = Arc::new(Responder::new(is_wanted, respond));
        let ticket = self.node().operator.deadlines.set(self, &responder, self.set.timeout);
        let context = Context::new(self.clone(), event.clone());
        let call = Call::new(context, event, payload, responder.clone());
        // Nothing of the handler runs on this thread.
        let work = Box::pin(async move { handler(call).await });
        Calls::put(self, Job { work, responder, ticket });
    }

    /// Has `on_connect` called, if there is one, and waits for what it says.
    pub(crate) async fn connect(self: &Arc<Self>) -> Result<(), Refusal> {
        if let Some(hook) = &self.set.hooks.connect {
            self.hook_and_wait(hook, ()).await?;
        }
        self.is_in.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Has a raw message handled. There is no way to answer but to send something.
    /// `waits` until that was done.
    pub(crate) async fn raw<A: Send + 'static>(
        self: &Arc<Self>,
        hook: &Hook<A>,
        message: A,
        waits: bool,
    ) {
        if waits {
            let done = self.hook_and_wait(hook, message).await;
            return self.note(done.map(|()| Answer::BuiltIn));
        }
        let client = self.clone();
        self.call_hook(hook, message, Box::new(move |result| client.note(result))).await;
    }

    async fn hook_and_wait<A: Send + 'static>(
        self: &Arc<Self>,
        hook: &Hook<A>,
        argument: A,
    ) -> Result<(), Refusal> {
        let (told, answer) = oneshot::channel();
        self.call_hook(hook, argument, Box::new(|result| drop(told.send(result)))).await;
        let gone = |_| Err(Refusal::internal("the client is gone"));
        answer.await.unwrap_or_else(gone).map(|_| ())
    }

    async fn call_hook<A: Send + 'static>(
        self: &Arc<Self>,
        hook: &Hook<A>,
        argument: A,
        respond: Respond,
    ) {
        self.calls.room().await;
        let responder = Arc::new(Responder::new(false, respond));
        let ticket = self.node().operator.deadlines.set(self, &responder, self.set.timeout);
        let (hook, context) = (hook.clone(), Context::new(self.clone(), ByteString::new()));
        let work = Box::pin(async move { hook(context, argument).await });
        Calls::put(self, Job { work, responder, ticket });
    }

    /// Says in the log what went wrong where nobody else hears it.
    pub(crate) fn note(&self, result: Result<Answer, Refusal>) {
        if let Err(refusal) = result {
            self.node().log.handler_refused(self.id(), &refusal);
        }
    }

    /// Tells it, on `line`, that something was not done.
    pub(crate) fn refuse(&self, line: &Line, id: Option<&Id>, refusal: &Refusal) {
        let own = self.set.errors.as_ref().filter(|_| line.is_plain());
        if let Some(Ok(payload)) = own.map(|write| write(refusal)) {
            let data = &payload.to_data();
            return line.reply(&Reply::Answer { id, kind: "error", data });
        }
        let (code, message) = (refusal.code(), refusal.message());
        let (retry_after_ms, data) = (refusal.retry_after(), refusal.data());
        line.reply(&Reply::Refused { id, code, message, retry_after_ms, data });
    }

    /// Says why it is about to go. The first reason counts.
    pub(crate) fn will_go(&self, goodbye: Goodbye) {
        lock(&self.goodbye).get_or_insert(goodbye);
    }

    /// It is gone.
    pub(crate) fn gone(self: &Arc<Self>) {
        self.calls.end();
        self.asked.end();
        let was_in = self.is_in.swap(false, Ordering::Relaxed);
        let Some(hook) = self.set.hooks.disconnect.clone().filter(|_| was_in) else { return };
        let goodbye = lock(&self.goodbye).take();
        let goodbye =
            goodbye.unwrap_or_else(|| Goodbye { code: None, reason: "transport close".to_owned() });
        let client = self.clone();
        let timeout = self.set.timeout;
        self.node().operator.spawn(async move {
            let context = Context::new(client.clone(), ByteString::new());
            let work = crate::connection::catch_panic(hook(context, goodbye));
            match tokio::time::timeout(timeout, work).await {
                Ok(Ok(result)) => client.note(result),
                Ok(Err(_)) => {
                    client.node().metrics.panicked();
                    client.node().log.panicked(client.id());
                }
                Err(_) => client.note(Err(Refusal::internal("on_disconnect took too long"))),
            }
        });
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("id", self.id()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing under this lock panics")
}
