//! [`Inbox`]: what waits for a thread.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use tokio::sync::Notify;

use super::ShardMessage;

/// Room for so many messages is kept when they are gone.
const KEPT_MESSAGES: usize = 1024;

/// Messages to a thread, from any thread. What is put in together is there as a whole before the
/// reader wakes. Bounded by those who put in: see [`Inbox::waiting`].
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    messages: Mutex<VecDeque<ShardMessage>>,
    /// How many, for those who do not hold the lock.
    waiting: AtomicUsize,
    news: Notify,
}

impl Inbox {
    /// Hands something over. Never waits: who publishes looks at [`Inbox::waiting`] first.
    pub(crate) fn put(&self, more: impl IntoIterator<Item = ShardMessage>) {
        let mut messages = self.messages();
        let was_empty = messages.is_empty();
        messages.extend(more);
        let is_empty = messages.is_empty();
        self.waiting.store(messages.len(), Ordering::Relaxed);
        drop(messages);
        // Where something waited already, the reader is on its way.
        if was_empty && !is_empty {
            self.news.notify_one();
        }
    }

    /// Messages that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits until there is something and takes the oldest of it, at most `most`. For one reader.
    pub(super) async fn take(&self, taken: &mut Vec<ShardMessage>, most: usize) {
        while !self.try_take(taken, most) {
            self.news.notified().await;
        }
    }

    fn try_take(&self, taken: &mut Vec<ShardMessage>, most: usize) -> bool {
        let mut messages = self.messages();
        let count = messages.len().min(most);
        taken.extend(messages.drain(..count));
        if messages.is_empty() {
            messages.shrink_to(KEPT_MESSAGES);
        }
        self.waiting.store(messages.len(), Ordering::Relaxed);
        count > 0
    }

    fn messages(&self) -> MutexGuard<'_, VecDeque<ShardMessage>> {
        self.messages.lock().expect("nothing under this lock panics")
    }
}
