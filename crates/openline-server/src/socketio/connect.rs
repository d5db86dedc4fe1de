//! CONNECT: a client asks for a namespace, anew or as the socket that it was.

use std::sync::Arc;

use bytestring::ByteString;
use openline_protocol::ErrorCode;
use serde::Deserialize;
use serde_json::Value;

use super::connection::Connection;
use super::engine::Message;
use super::packet;
use super::socket::Socket;
use crate::app::{Refusal, Set};
use crate::auth::{AuthError, Identity, Token};
use crate::clock::Clock;
use crate::exchange::Line;
use crate::metrics::Transport;
use crate::session::{Arrival, Served, Session, new_client_id};

/// What a client says when it connects. The rest of it is the application's.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    token: Value,
    pid: Value,
    offset: Value,
}

/// Why a client is not in a namespace.
struct NotIn {
    message: String,
    /// For programs; none where Socket.IO has words of its own.
    code: Option<String>,
}

impl Connection {
    pub(super) async fn connect(&mut self, namespace: ByteString, auth: Option<ByteString>) {
        let auth = auth.and_then(|auth| serde_json::from_str(&auth).ok()).unwrap_or_default();
        match Box::pin(self.enter(&namespace, auth)).await {
            Ok(socket) => {
                self.forget_deadline();
                self.sockets.push(socket);
            }
            Err(NotIn { message, code }) => {
                let data = code.map(|code| serde_json::json!({ "code": code }).to_string());
                let text = packet::connect_error(&namespace, &message, data.as_deref());
                // Where the connection has ended nobody is there to be told.
                let _ = self.outlet.send(&[Message::Text(text)]);
            }
        }
    }

    async fn enter(&self, namespace: &str, auth: Auth) -> Result<(Arc<Socket>, u64), NotIn> {
        let set = self.node.operator.doors.namespace(namespace);
        let set = set.ok_or_else(|| NotIn { message: "Invalid namespace".into(), code: None })?;
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
                Err(NotIn { message: ending.reason, code: None })
            }
        }
    }

    /// Whose token it shows: the one that it says, or that of its request.
    async fn identity(&self, auth: &Auth) -> Result<Option<Identity>, NotIn> {
        let identity = match auth.token.as_str().filter(|token| !token.is_empty()) {
            Some(token) => {
                let verified =
                    self.node.verifier.verify(&Token::new(token), Clock::wall_seconds()).await;
                self.node.metrics.authenticated(verified.is_ok());
                verified.map(Some)
            }
            None => self.visitor.identity.clone(),
        };
        match identity.map_err(|error| NotIn::not_authenticated(&error))? {
            None if self.node.needs_token() => Err(NotIn::not_authenticated(&AuthError::Missing)),
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

impl NotIn {
    fn refused(refusal: &Refusal) -> Self {
        Self { message: refusal.message().to_owned(), code: Some(refusal.code().to_owned()) }
    }

    fn not_authenticated(error: &AuthError) -> Self {
        let code = ErrorCode::from_str_or_internal(error.code());
        Self { message: error.message(), code: Some(code.as_str().to_owned()) }
    }
}
