//! What the core and the task of a line tell each other.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytestring::ByteString;
use openline_protocol::{ChannelName, Format, Position, Request};
use openline_ws::Message;
use tokio::sync::Notify;

use super::{Core, UnderWay};
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

/// What the core knows of one line.
#[derive(Default)]
pub(super) struct Link {
    pub(super) generation: u64,
    pub(super) control: Arc<LineControl>,
    pub(super) welcomed: bool,
    /// The server's name for it, and whom the server knows on it.
    pub(super) client_id: Option<ByteString>,
    pub(super) user: Option<ByteString>,
    /// What belongs to it alone, and goes before the queue.
    pub(super) frames: VecDeque<Frame>,
    /// What the answers to that are for.
    pub(super) under_way: HashMap<u64, UnderWay>,
    /// Channels that the server subscribed it to by itself.
    pub(super) given: HashMap<ChannelName, Option<Position>>,
}

impl Link {
    pub(super) fn new(generation: u64) -> Self {
        Self { generation, ..Self::default() }
    }

    pub(super) fn send(&mut self, frame: Frame) {
        self.frames.push_back(frame);
        self.control.wake.notify_one();
    }

    /// Closes it; nobody listens to it any more.
    pub(super) fn abandon(&mut self, code: u16) {
        self.frames.clear();
        self.under_way.clear();
        self.control.abandon(code);
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
    /// The next message for the line of this generation.
    pub(crate) fn poll_transmit(&mut self, generation: u64) -> Option<Message> {
        let is_in_use = self.is_ready && generation == self.line.generation;
        let frame = match self.link(generation)?.frames.pop_front() {
            Some(frame) => frame,
            None if is_in_use => self.queue.next()?,
            None => return None,
        };
        Some(frame.0)
    }

    /// The line of this generation, if it is listened to: the one in use, or the one beside it.
    pub(super) fn link(&mut self, generation: u64) -> Option<&mut Link> {
        let links = [Some(&mut self.line), self.beside.as_mut()];
        links.into_iter().flatten().find(|link| link.generation == generation)
    }

    /// The line opened.
    pub(crate) fn handle_opened(&mut self, now: u64, generation: u64) {
        self.handle_input(now, Input::Opened { generation });
    }

    /// The line ended by itself.
    pub(crate) fn handle_closed(&mut self, now: u64, generation: u64, code: u16, reason: String) {
        if self.left.as_ref().is_some_and(|left| left.generation == generation) {
            return self.end_left();
        }
        if self.beside.as_ref().is_some_and(|beside| beside.generation == generation) {
            self.beside = None;
        } else if generation == self.line.generation
            && let Some(beside) = self.beside.take()
        {
            // It is the one that is being opened now, unless the machine does not want it any more.
            self.line = beside;
        }
        self.handle_input(now, Input::Closed { generation, code, reason });
    }
}
