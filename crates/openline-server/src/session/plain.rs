//! What clients say at endpoints with a vocabulary of their own.

use std::sync::Arc;

use openline_protocol::{Command, Fault, close};
use openline_ws::Message;

use super::Session;
use super::application::{answer_to, own_number};
use crate::app::{Client, Payload};
use crate::exchange::Line;
use crate::metrics::Metrics;
use crate::plain::{Form, Incoming, Unreadable};

impl Session {
    /// A message of a plain or raw line.
    pub(super) async fn receive_plain(&mut self, message: Message) {
        let (Line::Plain { form, .. }, Some(app)) = (&self.line, self.app.clone()) else { return };
        let form = *form;
        self.node.metrics.received(match &message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        });
        match form {
            Form::Plain(_) => self.receive_object(&app, message).await,
            Form::Raw => self.receive_raw(&app, message, false).await,
        }
    }

    async fn receive_object(&mut self, app: &Arc<Client>, message: Message) {
        let read = match message {
            Message::Text(text) => Incoming::read(text),
            Message::Binary(_) => Err(Incoming::binary()),
        };
        let Incoming { event, id, data } = match read {
            Ok(incoming) => incoming,
            Err(Unreadable { id, code, refusal }) => {
                self.node.metrics.refused(code);
                self.node.log.request_refused(&self.client, code, refusal.message());
                app.refuse(&self.line, id.as_ref(), &refusal);
                return self.count_unreadable();
            }
        };
        let command = Command::Other { kind: event.clone(), data: None };
        if let Err(fault) = self.take_note(&command) {
            return self.refuse_speed(fault.with_id(id));
        }
        let payload = Payload::one(data);
        if let Some(number) = id.as_ref().and_then(own_number).filter(|n| app.asked.knows(*n)) {
            // One that nobody waits for any more came too late.
            app.asked.answer(number, payload);
            return;
        }
        let (client, line, is_wanted, kind) =
            (app.clone(), self.line.clone(), id.is_some(), event.clone());
        let respond =
            move |answer| answer_to((&client, &line), &kind, id.as_ref(), is_wanted, answer);
        app.dispatch(event, payload, is_wanted, Box::new(respond)).await;
    }

    /// A message of a raw endpoint over Engine.IO. Its client may ask for what it is answered with by
    /// its next request, so the handler is waited for.
    pub(crate) async fn receive_and_wait(&mut self, message: Message) {
        let Some(app) = self.app.clone() else { return };
        self.node.metrics.received(match &message {
            Message::Text(text) => text.len(),
            Message::Binary(bytes) => bytes.len(),
        });
        self.receive_raw(&app, message, true).await;
    }

    async fn receive_raw(&mut self, app: &Arc<Client>, message: Message, waits: bool) {
        let command = Command::Other { kind: "message".into(), data: None };
        if let Err(fault) = self.take_note(&command) {
            return self.refuse_speed(fault);
        }
        let hooks = &app.set.hooks;
        let refused = match message {
            Message::Text(text) => match &hooks.text {
                Some(hook) => return app.raw(hook, text.into(), waits).await,
                None => "binary messages only",
            },
            Message::Binary(bytes) => match &hooks.binary {
                Some(hook) => return app.raw(hook, bytes, waits).await,
                None => "text messages only",
            },
        };
        self.line.close(close::UNSUPPORTED_DATA, refused);
    }

    /// Counts a message, and says whether it is one too many.
    fn take_note(&mut self, command: &Command) -> Result<(), Fault> {
        self.node.metrics.command(command, 0);
        self.node.log.command(&self.client, Metrics::kind(command));
        let settings = self.node.settings();
        self.check_speed(command, &settings)
    }
}
