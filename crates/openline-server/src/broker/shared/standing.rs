//! [`Standing`]: how the broker stands, as its thread says and others ask.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use openline_protocol::ChannelName;

/// What the broker's thread tells the others.
#[derive(Debug)]
pub(super) struct Standing {
    shown: String,
    /// Channels whose publications reach the tail.
    heard: RwLock<HashSet<ChannelName>>,
    /// Channels that a look was asked for, and not made.
    looks: Mutex<HashSet<ChannelName>>,
    /// Why there is no link, if there is none.
    down: Mutex<Option<String>>,
    /// Whether the store answers, as far as is known.
    answers: AtomicU8,
    channels: AtomicUsize,
}

const YES: u8 = 0;
/// Something was not answered in time, which may have been too much to answer.
const DOUBTED: u8 = 1;
const NO: u8 = 2;

impl Standing {
    pub(super) fn new(shown: String) -> Self {
        Self {
            shown,
            heard: RwLock::default(),
            looks: Mutex::default(),
            down: Mutex::new(Some("it is not connected yet".to_owned())),
            answers: AtomicU8::new(YES),
            channels: AtomicUsize::new(0),
        }
    }

    pub(super) fn is_heard(&self, channel: &ChannelName) -> bool {
        self.heard.read().unwrap_or_else(PoisonError::into_inner).contains(channel)
    }

    /// Asks for a look at a channel; returns whether none is due already.
    pub(super) fn note_look(&self, channel: &ChannelName) -> bool {
        self.looks().insert(channel.clone())
    }

    /// The look is made now: what changes from here on needs another.
    pub(super) fn begin_look(&self, channel: &ChannelName) {
        self.looks().remove(channel);
    }

    pub(super) fn set_heard(&self, channel: &ChannelName, heard: bool) {
        let mut set = self.heard.write().unwrap_or_else(PoisonError::into_inner);
        if heard {
            set.insert(channel.clone());
        } else {
            set.remove(channel);
        }
    }

    pub(super) fn set_up(&self) {
        self.answers.store(YES, Ordering::Relaxed);
        *self.down() = None;
    }

    /// Nothing is heard from here on.
    pub(super) fn set_down(&self, why: String) {
        self.heard.write().unwrap_or_else(PoisonError::into_inner).clear();
        *self.down() = Some(why);
    }

    /// Whether the store answered in time what it was asked.
    pub(super) fn note_answer(&self, answered: bool) {
        if answered {
            self.answers.store(YES, Ordering::Relaxed);
        } else {
            let order = Ordering::Relaxed;
            let _ = self.answers.compare_exchange(YES, DOUBTED, order, order);
        }
    }

    /// Whether it answered what is answered in no time.
    pub(super) fn set_answers(&self, answers: bool) {
        self.answers.store(if answers { YES } else { NO }, Ordering::Relaxed);
    }

    /// Whether it is known to answer.
    pub(super) fn is_certain(&self) -> bool {
        self.answers.load(Ordering::Relaxed) == YES
    }

    pub(super) fn set_channels(&self, channels: usize) {
        self.channels.store(channels, Ordering::Relaxed);
    }

    pub(super) fn channels(&self) -> usize {
        self.channels.load(Ordering::Relaxed)
    }

    /// Why nothing can be published, if so.
    pub(super) fn ailment(&self) -> Option<String> {
        let down = self.down().clone();
        let hangs = self.answers.load(Ordering::Relaxed) == NO;
        let why = down.or_else(|| hangs.then(|| "it hangs".to_owned()))?;
        Some(format!("{} does not answer: {why}", self.shown))
    }

    fn looks(&self) -> MutexGuard<'_, HashSet<ChannelName>> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn down(&self) -> MutexGuard<'_, Option<String>> {
        self.down.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
