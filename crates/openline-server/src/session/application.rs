//! The server's own handlers: what they are asked before the server does what it does by itself.

use std::net::IpAddr;
use std::sync::Arc;

use bytestring::ByteString;
use openline_protocol::{Command, Data, Fault, Format, Id, Reply, Request, close};

use super::{Served, Session};
use crate::app::{self, Answer, Goodbye, Handshake, Payload, Refusal, unknown_event};
use crate::exchange::Line;

/// How the ids of the server's own requests begin (PROTOCOL, "Types of the application").
const OWN_ID: &str = "s-";

impl Session {
    /// Lets handlers know it.
    pub(super) fn hand_to(&mut self, served: Served, address: IpAddr) {
        let Served { set, parameter } = served;
        let handshake = Handshake { address, transport: self.transport, parameter };
        let client = app::Client::new(self.place(), self.line.clone(), set, handshake);
        let client = Arc::new(client);
        if let Some(seat) = self.shard.hub().line_mut(self.key) {
            seat.app = Some(client.clone());
        }
        self.app = Some(client);
    }

    /// The session as handlers know it.
    pub(crate) fn app(&self) -> Option<&Arc<app::Client>> {
        self.app.as_ref()
    }

    /// Asks the handlers whether it may come.
    pub(crate) async fn connect(&self) {
        let Some(app) = &self.app else { return };
        if let Err(refusal) = app.connect().await {
            app.note(Err(refusal.clone()));
            self.line.close(close::POLICY_VIOLATION, refusal.message());
        }
    }

    /// Lets a socket of Socket.IO in: subscribes to what its token names, and asks the handlers.
    pub(crate) async fn enter_namespace(&mut self) -> Result<(), Refusal> {
        self.subscribe_by_token().await;
        match &self.app {
            Some(app) => app.connect().await,
            None => Ok(()),
        }
    }

    /// Whether one more event of a socket is taken. One that does not heed the limits is closed.
    pub(crate) fn take_event(&mut self, event: &ByteString) -> Result<(), Refusal> {
        let command = Command::Other { kind: event.clone(), data: None };
        self.node.metrics.command(&command, 0);
        let settings = self.node.settings();
        self.check_speed(&command, &settings).map_err(|fault| {
            self.refuse_speed(fault.clone());
            Refusal::of_fault(fault)
        })
    }

    /// The handlers, where they have taken this built-in type over.
    pub(super) fn handler_before(&self, command: &Command) -> Option<&Arc<app::Client>> {
        let is_built_in = !matches!(command, Command::Other { .. });
        self.app.as_ref().filter(|app| is_built_in && app.set.own(command.kind()).is_some())
    }

    /// Has a built-in type handled. Returns the command where the server is to do what it does by
    /// itself.
    pub(super) async fn ask_handler(
        &self,
        app: &Arc<app::Client>,
        command: Command,
        id: Option<&Id>,
    ) -> Option<Command> {
        let kind = ByteString::from(command.kind());
        let mut text = Vec::new();
        let request = Request { id: None, command, unknown_fields: 0 };
        request.encode(Format::Json, &mut text);
        let text = ByteString::try_from(text).unwrap_or_default();
        let answer = app.dispatch_and_wait(kind.clone(), Payload::one(Data::Json(text))).await;
        if let Ok(Answer::BuiltIn) = answer {
            return Some(request.command);
        }
        answer_to((app, &self.line), &kind, id, self.is_answered(id), answer);
        None
    }

    /// A type that is not built in: a handler answers, or the backend, where there is one.
    pub(super) async fn ask_application(
        &self,
        kind: ByteString,
        data: Option<Data>,
        id: Option<&Id>,
    ) -> Result<(), Fault> {
        let Some(app) = &self.app else { return self.ask_backend(&kind, data, id).await };
        let payload = data.map_or_else(Payload::none, Payload::one);
        if let Some(number) = id.and_then(own_number) {
            // One that nobody waits for any more came too late.
            app.asked.answer(number, payload);
            return Ok(());
        }
        if !app.set.knows(&kind) {
            return self.ask_backend(&kind, data_of(payload), id).await;
        }
        let is_wanted = self.is_answered(id);
        if self.is_alone {
            // It ends with its request.
            let answer = app.dispatch_and_wait(kind.clone(), payload).await;
            answer_to((app, &self.line), &kind, id, is_wanted, answer);
            return Ok(());
        }
        // By requests of its own the answer goes where that of the request goes.
        let (client, line) = (app.clone(), self.line.clone());
        let (id, event) = (id.cloned(), kind.clone());
        let respond =
            move |answer| answer_to((&client, &line), &event, id.as_ref(), is_wanted, answer);
        app.dispatch(kind, payload, is_wanted, Box::new(respond)).await;
        Ok(())
    }

    /// Says why it is about to end, for those who want to know.
    pub(crate) fn will_go(&self, code: Option<u16>, reason: &str) {
        if let Some(app) = &self.app {
            app.will_go(Goodbye { code, reason: reason.to_owned() });
        }
    }
}

fn data_of(payload: Payload) -> Option<Data> {
    match payload.arity() {
        app::Arity::None => None,
        _ => Some(payload.to_data()),
    }
}

/// The number of a request of the server's.
pub(super) fn own_number(id: &Id) -> Option<u64> {
    match id {
        Id::Text(text) => text.strip_prefix(OWN_ID)?.parse().ok(),
        Id::Number(_) => None,
    }
}

/// What a client is told that came of its message.
pub(crate) fn answer_to(
    (client, line): (&app::Client, &Line),
    kind: &ByteString,
    id: Option<&Id>,
    is_wanted: bool,
    answer: Result<Answer, Refusal>,
) {
    let answer = match answer {
        Ok(Answer::BuiltIn) => Err(unknown_event(kind)),
        answer => answer,
    };
    match answer {
        Ok(Answer::Reply(payload)) if is_wanted => {
            let kind = payload.answer_type(kind);
            line.reply(&Reply::Answer { id, kind, data: &payload.to_data() });
        }
        Ok(_) => {}
        Err(refusal) => {
            client.refuse(line, id, &refusal);
            client.note(Err(refusal));
        }
    }
}
