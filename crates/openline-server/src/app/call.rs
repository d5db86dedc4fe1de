//! [`Call`]: a message on its way to its handler; [`Ack`]: the way of its answer.

use std::fmt;
use std::sync::{Arc, Mutex};

use bytestring::ByteString;
use serde::Serialize;

use super::context::Context;
use super::payload::Payload;
use super::reply::{Answer, Refusal};

/// What is done with the answer of a call.
pub(crate) type Respond = Box<dyn FnOnce(Result<Answer, Refusal>) + Send>;

/// A message on its way to its handler, as middleware sees it.
#[derive(Debug, Clone)]
pub struct Call {
    context: Context,
    event: ByteString,
    payload: Payload,
    ack: Ack,
}

impl Call {
    pub(crate) fn new(
        context: Context,
        event: ByteString,
        payload: Payload,
        responder: Arc<Responder>,
    ) -> Self {
        Self { context, event, payload, ack: Ack(responder) }
    }

    /// Whose message it is.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// What the message is called.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// What it carries.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Puts something else in place of what it carries.
    pub fn set_payload(&mut self, payload: Payload) {
        self.payload = payload;
    }

    /// To answer before the handler returns.
    pub fn ack(&self) -> Ack {
        self.ack.clone()
    }
}

/// Answers a message before its handler returns, or after, in a task of [`Context::spawn`]. The first
/// answer counts; a handler that took this and returns nothing leaves it open until its deadline.
#[derive(Debug, Clone)]
pub struct Ack(Arc<Responder>);

impl Ack {
    /// Whether the client waits for an answer.
    pub fn is_wanted(&self) -> bool {
        self.0.is_wanted
    }

    /// Answers.
    ///
    /// # Errors
    /// When the value cannot be written.
    pub fn send<T: Serialize + ?Sized>(&self, value: &T) -> Result<(), Refusal> {
        self.0.respond(Ok(Answer::Reply(Payload::new(value)?)));
        Ok(())
    }

    /// As [`Ack::send`], with what is written already.
    pub fn send_payload(&self, payload: Payload) {
        self.0.respond(Ok(Answer::Reply(payload)));
    }

    /// Says no.
    pub fn refuse(&self, refusal: Refusal) {
        self.0.respond(Err(refusal));
    }
}

/// Where the answer of a call goes, once.
pub(crate) struct Responder {
    respond: Mutex<Option<Respond>>,
    is_wanted: bool,
}

impl Responder {
    pub(crate) fn new(is_wanted: bool, respond: Respond) -> Self {
        Self { respond: Mutex::new(Some(respond)), is_wanted }
    }

    /// Answers, unless that was done.
    pub(crate) fn respond(&self, result: Result<Answer, Refusal>) {
        let respond = self.respond.lock().expect("nothing under this lock panics").take();
        if let Some(respond) = respond {
            respond(result);
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.respond.lock().expect("nothing under this lock panics").is_none()
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").field("is_done", &self.is_done()).finish_non_exhaustive()
    }
}
