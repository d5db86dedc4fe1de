//! [`Reads`]: the same question of many at the same time is asked once.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use openline_engine::PageLimits;
use openline_protocol::ChannelName;

use super::queue::Waiter;
use crate::broker::BrokerError;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question<Q> {
    pub(super) channel: ChannelName,
    pub(super) asked: Q,
    pub(super) limits: PageLimits,
}

/// A question, and who asks it.
pub(super) struct Asked<Q, T> {
    pub(super) question: Question<Q>,
    pub(super) waiter: Waiter<T>,
}

/// Questions of one kind. Who asks while the same question is under way waits for the next time it
/// is asked: the answer that is under way may be of a time before something that it knows of.
pub(super) struct Reads<Q, T> {
    waiting: HashMap<Question<Q>, Vec<Waiter<T>>>,
    running: HashSet<Question<Q>>,
    /// Questions that came since [`Reads::begin`] was called last, in their order.
    fresh: Vec<Question<Q>>,
}

impl<Q: Clone + Eq + Hash, T: Clone> Reads<Q, T> {
    pub(super) fn new() -> Self {
        Self { waiting: HashMap::new(), running: HashSet::new(), fresh: Vec::new() }
    }

    pub(super) fn add(&mut self, Asked { question, waiter }: Asked<Q, T>) {
        let waiters = self.waiting.entry(question.clone()).or_default();
        waiters.push(waiter);
        if waiters.len() == 1 {
            self.fresh.push(question);
        }
    }

    /// What is to be asked now, each with those who wait for it; [`Reads::end`] is owed for each.
    pub(super) fn begin(&mut self) -> Vec<(Question<Q>, Vec<Waiter<T>>)> {
        let mut begun = Vec::new();
        for question in std::mem::take(&mut self.fresh) {
            if self.running.contains(&question) {
                continue;
            }
            if let Some(waiters) = self.waiting.remove(&question) {
                self.running.insert(question.clone());
                begun.push((question, waiters));
            }
        }
        begun
    }

    /// A question was answered; it is asked again if somebody waits for that.
    pub(super) fn end(&mut self, question: Question<Q>) {
        self.running.remove(&question);
        if self.waiting.contains_key(&question) {
            self.fresh.push(question);
        }
    }
}

/// Tells all who wait.
pub(super) fn answer_all<T: Clone>(waiters: Vec<Waiter<T>>, result: &Result<T, BrokerError>) {
    for waiter in waiters {
        waiter.answer(result.clone());
    }
}
