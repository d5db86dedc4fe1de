//! The sessions of a thread, by number, by client and by user.

use std::collections::HashMap;
use std::sync::Arc;

use slab::Slab;

use super::Encoding;

/// Names a session of a thread. A key that is kept beyond the session's end names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionKey {
    index: u32,
    generation: u32,
}

/// Names a subscription of a session. A key that is kept beyond the subscription's end names nothing,
/// even if the session subscribes to the channel again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SubscriptionKey {
    pub(super) session: SessionKey,
    pub(super) channel: u32,
    pub(super) number: u32,
}

impl SubscriptionKey {
    /// Whose it is.
    pub fn session(&self) -> SessionKey {
        self.session
    }
}

#[derive(Debug)]
pub(super) struct Session<L> {
    pub(super) line: L,
    pub(super) client: Arc<str>,
    pub(super) user: Option<Arc<str>>,
    pub(super) encoding: Encoding,
    generation: u32,
    pub(super) subscriptions: Vec<Subscription>,
}

/// A session's place in a channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscription {
    pub(super) channel: u32,
    /// Where in the channel's list.
    pub(super) member: u32,
}

impl<L> Session<L> {
    pub(super) fn subscription(&self, channel: u32) -> Option<Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.channel == channel).copied()
    }
}

#[derive(Debug)]
pub(super) struct Sessions<L> {
    slots: Slab<Session<L>>,
    clients: HashMap<Arc<str>, SessionKey>,
    users: HashMap<Arc<str>, Vec<SessionKey>>,
    opened: u32,
}

impl<L> Default for Sessions<L> {
    fn default() -> Self {
        Self { slots: Slab::new(), clients: HashMap::new(), users: HashMap::new(), opened: 0 }
    }
}

impl<L> Sessions<L> {
    pub(super) fn open(&mut self, line: L, client: Arc<str>, encoding: Encoding) -> SessionKey {
        self.opened = self.opened.wrapping_add(1);
        let generation = self.opened;
        let session = Session {
            line,
            client: client.clone(),
            user: None,
            encoding,
            generation,
            subscriptions: Vec::new(),
        };
        let index = self.slots.insert(session);
        let index = u32::try_from(index).expect("no thread holds four thousand million lines");
        let key = SessionKey { index, generation };
        self.clients.insert(client, key);
        key
    }

    pub(super) fn close(&mut self, key: SessionKey) -> Option<Session<L>> {
        self.find(key)?;
        self.set_user(key, None);
        let session = self.slots.remove(key.index as usize);
        if self.clients.get(&session.client) == Some(&key) {
            self.clients.remove(&session.client);
        }
        Some(session)
    }

    pub(super) fn find(&self, key: SessionKey) -> Option<&Session<L>> {
        let session = self.slots.get(key.index as usize)?;
        (session.generation == key.generation).then_some(session)
    }

    pub(super) fn find_mut(&mut self, key: SessionKey) -> Option<&mut Session<L>> {
        let session = self.slots.get_mut(key.index as usize)?;
        (session.generation == key.generation).then_some(session)
    }

    pub(super) fn set_user(&mut self, key: SessionKey, user: Option<Arc<str>>) {
        let Some(session) = self.find_mut(key) else { return };
        let before = std::mem::replace(&mut session.user, user.clone());
        if let Some(before) = before
            && let Some(keys) = self.users.get_mut(&before)
        {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.users.remove(&before);
            }
        }
        if let Some(user) = user {
            self.users.entry(user).or_default().push(key);
        }
    }

    pub(super) fn by_client(&self, client: &str) -> Option<SessionKey> {
        self.clients.get(client).copied()
    }

    pub(super) fn by_user(&self, user: &str) -> &[SessionKey] {
        self.users.get(user).map_or(&[], Vec::as_slice)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SessionKey, &L)> {
        self.slots.iter().map(|(index, session)| {
            let index = u32::try_from(index).expect("it was given out as one");
            (SessionKey { index, generation: session.generation }, &session.line)
        })
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }
}
