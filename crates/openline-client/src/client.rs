//! [`Client`]: the handle of a client.

use std::sync::Arc;
use std::time::Duration;

use openline_protocol::{ChannelName, Command, Data, Member, Message};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::builder::ClientBuilder;
use crate::channel::ChannelBuilder;
use crate::core::Outgoing;
use crate::error::{BuildError, Error};
use crate::event::{from_data, to_data};
use crate::history::HistoryBuilder;
use crate::machine::{Input, State};
use crate::presence::SetPresence;
use crate::publish::Publish;
use crate::request::Request;
use crate::shared::{HandlerFuture, Shared};
use crate::status::Status;

/// Members that [`Client::presence`] lists at most.
const MEMBERS_MAX: usize = 100_000;

/// A client of one server. Clones are handles of the same client; it ends when the last handle is
/// gone, subscriptions counted.
///
/// All its futures can be dropped at any time. What was handed to the client before is done all the
/// same; the future only waits for the answer.
#[derive(Clone)]
pub struct Client {
    pub(crate) handle: Arc<Handle>,
}

/// Ends the client when it is dropped.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) request_timeout: Duration,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.with(|core, now| {
            core.is_over = true;
            core.handle_input(now, Input::Stop);
        });
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("status", &*self.status().borrow()).finish_non_exhaustive()
    }
}

impl Client {
    /// Begins to make a client of the server at `url`: `ws://…` or `wss://…`. Without a path it is `/ws`.
    ///
    /// # Errors
    /// When `url` cannot be the address of a server.
    pub fn builder(url: &str) -> Result<ClientBuilder, BuildError> {
        ClientBuilder::new(url)
    }

    pub(crate) fn new(shared: Shared, request_timeout: Duration) -> Self {
        Self { handle: Arc::new(Handle { shared: Arc::new(shared), request_timeout }) }
    }

    /// Opens a line and keeps one open from now on. Ready when it is online for the first time.
    ///
    /// # Errors
    /// [`Error::Stopped`] when the server does not want this client, or the attempts are used up.
    pub async fn connect(&self) -> Result<(), Error> {
        let shared = &self.handle.shared;
        shared.run();
        shared.input(Input::Start);
        let mut status = self.status();
        let settled = status
            .wait_for(|status| status.is_online() || status.state == State::Stopped)
            .await
            .map_err(|_| Error::ConnectionLost)?;
        match settled.state {
            State::Stopped => Err(Error::Stopped {
                code: settled.code.unwrap_or_default(),
                reason: settled.reason.clone().unwrap_or_default(),
            }),
            _ => Ok(()),
        }
    }

    /// Closes the line and opens no other. All that waits is answered with [`Error::Stopped`], and
    /// subscriptions end. [`Client::connect`] begins anew.
    ///
    /// Ready when the server has answered the close frame, so that a program can end behind it; after a
    /// second at most. It is closed as well where this is dropped before that.
    pub async fn close(&self) {
        self.handle.shared.input(Input::Stop);
        self.handle.shared.lines_ended().await;
    }

    /// Where the client is, and all changes of that from now on.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.handle.shared.lock().status.subscribe()
    }

    /// The line may be dead without a word, because the machine slept or its network changed: asks for
    /// a sign of life at once, or ends the wait for the next attempt.
    pub fn wake(&self) {
        self.handle.shared.input(Input::Wake);
    }

    /// The network may have gone: asks an open line for a sign of life at once, and leaves the next
    /// attempt to its time. [`wake`](Self::wake) is for when it is back.
    pub fn doubt(&self) {
        self.handle.shared.input(Input::Doubt);
    }

    /// How many messages, and how many bytes, wait to be sent or answered.
    pub fn queued(&self) -> (usize, usize) {
        self.handle.shared.lock().queue.size()
    }

    /// A request of a type of the application.
    pub fn request<T: Serialize + ?Sized>(&self, kind: &str, data: &T) -> Request {
        Request::new(self.clone(), kind.to_owned(), to_data(data))
    }

    /// As [`Client::request`], with a payload that is written already.
    pub fn request_data(&self, kind: &str, data: Data) -> Request {
        Request::new(self.clone(), kind.to_owned(), Ok(data))
    }

    /// Publishes to a channel.
    pub fn publish<T: Serialize + ?Sized>(&self, channel: &str, data: &T) -> Publish {
        Publish::new(self.clone(), channel, to_data(data))
    }

    /// As [`Client::publish`], with a payload that is written already, or bytes.
    pub fn publish_data(&self, channel: &str, data: Data) -> Publish {
        Publish::new(self.clone(), channel, Ok(data))
    }

    /// A subscription to a channel, to be made.
    pub fn channel(&self, name: &str) -> ChannelBuilder {
        ChannelBuilder::new(self.clone(), name)
    }

    /// Messages of a channel that were kept.
    pub fn history(&self, channel: &str) -> HistoryBuilder {
        HistoryBuilder::new(self.clone(), channel)
    }

    /// Who is in a channel: all pages of the list, at most 100,000 members. Who comes or goes
    /// meanwhile may be missing.
    ///
    /// # Errors
    /// What the server answers; [`Error::Timeout`] and the like.
    pub async fn presence(&self, channel: &str) -> Result<Vec<Member>, Error> {
        let channel = ChannelName::new(channel)?;
        let (mut members, mut after) = (Vec::new(), None);
        loop {
            let command = Command::Presence { channel: channel.clone(), after, limit: None };
            let Message::Presence { page, .. } = self.ask(command).await? else {
                return Err(Error::Unexpected);
            };
            let is_empty = page.members.is_empty();
            members.extend(page.members);
            match page.next {
                Some(next) if !is_empty && members.len() < MEMBERS_MAX => {
                    after = Some(next.to_string());
                }
                _ => return Ok(members),
            }
        }
    }

    /// Sets what others see of this client, in the channels that it is subscribed to. It is set again
    /// after the line was lost.
    pub fn set_presence(&self) -> SetPresence {
        SetPresence::new(self.clone())
    }

    /// Lets `handler` answer the server's requests of this type, and take its pushes, whose answer is
    /// dropped. At most 16 handlers run at the same time. It takes the place of another for the type.
    pub fn on<A, B, F, T>(&self, kind: &str, handler: F)
    where
        A: DeserializeOwned,
        B: Serialize,
        F: Fn(A) -> T + Send + Sync + 'static,
        T: Future<Output = B> + Send + 'static,
    {
        let handler = move |data: Data| -> HandlerFuture {
            let answer = from_data(&data).map(&handler);
            Box::pin(async move {
                match answer {
                    Ok(answer) => to_data(&answer.await).ok(),
                    Err(_) => None,
                }
            })
        };
        let handlers = &self.handle.shared.handlers;
        let mut handlers = handlers.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        handlers.insert(kind.to_owned(), Arc::new(handler));
    }

    /// A request that changes nothing: it goes out again where the line was lost.
    pub(crate) async fn ask(&self, command: Command) -> Result<Message, Error> {
        let timeout = Some(self.handle.request_timeout);
        let message = Outgoing { command, again: true, timeout, volatile: false, patient: false };
        self.handle.shared.call(message).await
    }
}
