//! Calls of the application that become messages.

use std::sync::Arc;
use std::time::Duration;

use openline_protocol::limits::MESSAGE_BYTES_MAX;
use openline_protocol::{Command, Data, Format, Id, Message, Request};
use tokio::sync::{Notify, oneshot};

use super::queue::Item;
use super::{Core, Frame};
use crate::error::Error;
use crate::options::Overflow;

/// A message of the application.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) command: Command,
    /// Whether it goes out again on the next line if it was not answered.
    pub(crate) again: bool,
    /// How long its answer may take; for a publish, what the queue says.
    pub(crate) timeout: Option<Duration>,
    /// Whether it is to be refused where it would have to wait for a line.
    pub(crate) volatile: bool,
    /// Whether it waits for room, whatever the queue says.
    pub(crate) patient: bool,
}

/// What becomes of it.
pub(crate) enum Admission {
    /// Its answer comes here.
    Taken(oneshot::Receiver<Result<Message, Error>>),
    /// There is no room; try again when this is told.
    Full(Arc<Notify>),
}

impl Core {
    /// Takes a message of the application.
    pub(crate) fn submit(&mut self, now: u64, message: &Outgoing) -> Result<Admission, Error> {
        if let Some(stopped) = self.stopped() {
            return Err(stopped);
        }
        if message.volatile && !self.is_ready {
            return Err(Error::ConnectionLost);
        }
        let id = self.id();
        let request = Request::new(Some(Id::from(id)), message.command.clone());
        // Bytes of files go as they are. The server reads a message by the kind of its frame.
        let is_chunk = matches!(request.command, Command::Chunk(_));
        let format = if is_chunk { Format::MessagePack } else { self.format };
        let frame = Frame::encode(format, &request);
        if frame.len() > MESSAGE_BYTES_MAX {
            return Err(Error::TooLarge { bytes: frame.len() });
        }
        if !self.queue.has_room(frame.len()) {
            match self.queue.overflow() {
                _ if message.patient => return Ok(Admission::Full(self.queue.room.clone())),
                Overflow::Wait => return Ok(Admission::Full(self.queue.room.clone())),
                Overflow::DropOldest if self.queue.drop_oldest(frame.len()) => {}
                Overflow::DropOldest | Overflow::Reject => return Err(Error::QueueFull),
            }
        }
        let timeout = message.timeout.unwrap_or(self.queue.ttl());
        let expires_at = now.saturating_add(timeout.as_millis() as u64);
        let (reply, answer) = oneshot::channel();
        self.queue.push(id, Item::new(frame, message.again, expires_at, reply));
        self.line.control.wake.notify_one();
        Ok(Admission::Taken(answer))
    }

    /// Sends a message without an answer, if there is a line.
    pub(crate) fn tell(&mut self, command: Command) {
        if self.is_ready {
            self.control(None, command);
        }
    }

    /// Answers a request of the server's.
    pub(crate) fn answer_server(&mut self, id: Id, kind: &str, data: Data) {
        if self.is_ready {
            self.control(Some(id), Command::Other { kind: kind.into(), data: Some(data) });
        }
    }
}
