//! CONNECT: a client asks for a namespace, anew or as the socket that it was.

use std::sync::Arc;

use bytestring::ByteString;
use openline_protocol::Data;
use serde_json::Value;

use super::connection::Connection;
use super::engine::Message;
use super::packet;
use super::socket::Socket;
use crate::app::{Payload, Refusal, Set};
use crate::auth::{AuthError, Identity, Token};
use crate::clock::Clock;
use crate::exchange::Line;
use crate::metrics::Transport;
use crate::session::{Arrival, Served, Session, new_client_id};

/// What a client says when it connects.
struct Auth {
    token: Value,
    pid: Value,
    offset: Value,
    /// All that its page gave it to say.
    own: Payload,
}

type Said = serde_json::Map<String, Value>;

/// Why a client is not in a namespace.
struct NotIn {
    message: String,
    /// For programs, as JSON; none where Socket.IO has words of its own.
    data: Option<String>,
}

impl Connection {
    pub(super) async fn connect(&mut self, namespace: ByteString, auth: Option<ByteString>) {
        let auth = Auth::read(auth);
        match Box::pin(self.enter(&namespace, auth)).await {
            Ok(socket) => {
                self.forget_deadline();
                self.sockets.push(socket);
            }
            Err(NotIn { message, data }) => {
                let text = packet::connect_error(&namespace, &message, data.as_deref());
                // Where the connection has ended nobody is there to be told.
                let _ = self.outlet.send(&[Message::Text(text)]);
            }
        }
    }

    async fn enter(&self, namespace: &str, auth: Auth) -> Result<(Arc<Socket>, u64), NotIn> {
        let set = self.node.operator.doors.namespace(namespace);
        let set = set.ok_or_else(|| NotIn { message: "Invalid namespace".into(), data: None })?;
        let identity = self.identity(&auth).await?;
        if let Some(back) = self.come_back(set, &auth, identity.as_ref()) {
            return Ok(back);
        }
        let socket = Socket::new((&self.node, &self.shard), set, &self.returning);
        let arrival = Arrival {
            transport: Transport::SocketIo,
            line: Line::Socket(socket.clone()),
            identity: Ok(identity),
            // The connection has it.
            slot: None,
            client: Some(new_client_id()),
            address: self.visitor.address,
            handlers: Some(Served { set: set.clone(), parameter: "".into() }),
        };
        let mut session = Box::new(Session::open(&self.node, &self.shard, arrival));
        let id = session.client.clone();
        socket.know(&session);
        if let Some(client) = socket.client() {
            client.set_auth(auth.own);
        }
        let entered = session.enter_namespace().await;
        socket.keep(session);
        if let Err(refusal) = entered {
            socket.end("refused");
            return Err(NotIn::refused(&refusal));
        }
        let hello = packet::connect(namespace, &id, socket.pid.as_deref());
        match socket.begin(&self.outlet, Message::Text(hello)) {
            Ok(generation) => {
                self.returning.remember(&socket);
                Ok((socket, generation))
            }
            Err(ending) => {
                socket.end(&ending.reason);
                Err(NotIn { message: ending.reason, data: None })
            }
        }
    }

    /// Whose token it shows: the one that it says, or that of its request.
    async fn identity(&self, auth: &Auth) -> Result<Option<Identity>, NotIn> {
        let settings = self.node.settings();
        let needs_token = !settings.config.auth.anonymous;
        let identity = match auth.token.as_str().filter(|token| !token.is_empty()) {
            Some(token) => {
                let token = Token::new(token);
                let verified = settings.verifier.verify(&token, Clock::wall_seconds()).await;
                match verified {
                    // Then it is the application's, which looks at it itself.
                    Err(AuthError::NoKeys) if !needs_token => Ok(None),
                    verified => {
                        self.node.metrics.authenticated(verified.is_ok());
                        verified.map(Some)
                    }
                }
            }
            None => self.visitor.identity.clone(),
        };
        match identity.map_err(|error| NotIn::not_authenticated(&error))? {
            None if needs_token => Err(NotIn::not_authenticated(&AuthError::Missing)),
            identity => Ok(identity),
        }
    }

    /// Lets it be the socket that it was, if that is still there.
    fn come_back(
        &self,
        set: &Arc<Set>,
        auth: &Auth,
        identity: Option<&Identity>,
    ) -> Option<(Arc<Socket>, u64)> {
        let socket = self.returning.find(auth.pid.as_str()?)?;
        let client = socket.client()?;
        let was = client.identity().and_then(|identity| identity.user.clone());
        let is_somebody_else = identity.is_some_and(|identity| identity.user != was);
        if socket.namespace() != &*set.namespace || is_somebody_else {
            return None;
        }
        let since = match &auth.offset {
            // It has heard nothing yet.
            Value::Null => Some(socket.began),
            offset => offset.as_str().and_then(|offset| offset.parse().ok()),
        };
        let generation = since.and_then(|since| socket.come_back(&self.outlet, since));
        if generation.is_none() {
            socket.abandon();
        }
        Some((socket.clone(), generation?))
    }
}

impl Auth {
    fn read(auth: Option<ByteString>) -> Self {
        let text = auth.unwrap_or_else(|| ByteString::from_static("{}"));
        let mut said: Said = serde_json::from_str(&text).unwrap_or_default();
        let (pid, offset) = (take(&mut said, "pid"), take(&mut said, "offset"));
        // What the client's library put in is not for the application.
        let own = match pid {
            Value::Null => text,
            _ => Value::Object(said.clone()).to_string().into(),
        };
        let token = take(&mut said, "token");
        Self { token, pid, offset, own: Payload::one(Data::Json(own)) }
    }
}

fn take(said: &mut Said, name: &str) -> Value {
    said.remove(name).unwrap_or_default()
}

impl NotIn {
    fn refused(refusal: &Refusal) -> Self {
        let data = match refusal.data() {
            Some(Data::Json(data)) => data.to_string(),
            _ => code(refusal.code()),
        };
        Self { message: refusal.message().to_owned(), data: Some(data) }
    }

    fn not_authenticated(error: &AuthError) -> Self {
        Self { message: error.message(), data: Some(code(error.code())) }
    }
}

fn code(code: &str) -> String {
    serde_json::json!({ "code": code }).to_string()
}
