//! What the core and the task of a line tell each other.

use std::sync::atomic::{AtomicU16, Ordering};

use bytestring::ByteString;
use openline_protocol::{Format, Request};
use openline_ws::Message;
use tokio::sync::Notify;

use super::Core;
use crate::machine::Input;

/// A message as it goes on the line.
#[derive(Debug, Clone)]
pub(crate) struct Frame(Message);

impl Frame {
    pub(crate) fn encode(format: Format, request: &Request) -> Self {
        let mut out = Vec::new();
        request.encode(format, &mut out);
        Self(match format {
            // JSON is written from text alone.
            Format::Json => Message::Text(ByteString::try_from(out).unwrap_or_default()),
            Format::MessagePack => Message::Binary(out.into()),
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_bytes().len()
    }
}

/// How the core reaches the task of a line.
#[derive(Debug, Default)]
pub(crate) struct LineControl {
    /// There is something to send, or the line was abandoned.
    pub(crate) wake: Notify,
    /// 0, or the code that the line was abandoned with.
    code: AtomicU16,
}

impl LineControl {
    pub(super) fn abandon(&self, code: u16) {
        self.code.store(code, Ordering::Release);
        self.wake.notify_one();
    }

    /// The code to close the line with, if nobody listens to it any more.
    pub(crate) fn abandoned(&self) -> Option<u16> {
        Some(self.code.load(Ordering::Acquire)).filter(|code| *code != 0)
    }
}

impl Core {
    /// The next message for the line.
    pub(crate) fn poll_transmit(&mut self) -> Option<Message> {
        let frame = match self.control.pop_front() {
            Some(frame) => frame,
            None if self.is_ready => self.queue.next()?,
            None => return None,
        };
        Some(frame.0)
    }

    /// The line opened.
    pub(crate) fn handle_opened(&mut self, now: u64, generation: u64) {
        self.handle_input(now, Input::Opened { generation });
    }

    /// The line ended by itself.
    pub(crate) fn handle_closed(&mut self, now: u64, generation: u64, code: u16, reason: String) {
        self.handle_input(now, Input::Closed { generation, code, reason });
    }
}
