//! [`Inbox`]: what other nodes said and what is not dealt with yet.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

use super::message::Message;
use crate::broker::NodeId;
use openline_protocol::ChannelName;

/// Bytes that may wait, as they came.
const BYTES_MAX: usize = 64 << 20;

/// What a message takes beside its bytes.
const OVERHEAD_BYTES: usize = 512;

/// What was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// By those who listen to a channel.
    Emitted(NodeId, ChannelName, Message),
    Told(NodeId, Message),
}

/// What was heard, in its order. What is beyond its bound is gone, and so is all that waits then: it
/// is as if the link had been interrupted.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    heard: VecDeque<(Heard, usize)>,
    bytes: usize,
    interrupted: bool,
}

impl Inbox {
    /// Takes something in that took so many bytes.
    pub(super) fn put(&self, heard: Heard, bytes: usize) {
        let bytes = bytes + OVERHEAD_BYTES;
        let mut waiting = self.waiting();
        if waiting.bytes + bytes > BYTES_MAX {
            *waiting = Waiting { interrupted: true, ..Waiting::default() };
        } else {
            waiting.bytes += bytes;
            waiting.heard.push_back((heard, bytes));
        }
        drop(waiting);
        self.news.notify_one();
    }

    /// Something may have been missed.
    pub(super) fn interrupt(&self) {
        self.waiting().interrupted = true;
        self.news.notify_one();
    }

    /// Waits for something. For one reader.
    pub(super) async fn wait(&self) {
        loop {
            let news = self.news.notified();
            {
                let waiting = self.waiting();
                if waiting.interrupted || !waiting.heard.is_empty() {
                    return;
                }
            }
            news.await;
        }
    }

    /// The oldest.
    pub(super) fn take(&self) -> Option<Heard> {
        let mut waiting = self.waiting();
        let (heard, bytes) = waiting.heard.pop_front()?;
        waiting.bytes -= bytes;
        Some(heard)
    }

    /// Whether something was missed since this was last asked.
    pub(super) fn take_interrupted(&self) -> bool {
        std::mem::take(&mut self.waiting().interrupted)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing under this lock panics")
    }
}
