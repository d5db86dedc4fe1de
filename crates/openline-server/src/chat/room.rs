//! Rooms: who is in, what was said, and the one order in which everybody hears it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_ws::Prepared;
use serde_json::{Value, json};

use super::reply;
use crate::shard::{Delivery, Shard};

/// Chat messages that a room remembers.
const HISTORY_MAX: usize = 100;
/// Bytes of text that a room remembers.
const HISTORY_BYTES_MAX: usize = 1 << 20;
/// Rooms that are remembered while nobody is in them.
const EMPTY_ROOMS_MAX: usize = 1000;
/// Users named in one list; the count counts all.
const LISTED_MAX: usize = 1000;
/// Comings and goings are announced by name up to this many people in a room. Beyond it each would
/// cost every line a message, and the list says the same.
const ANNOUNCED_MAX: usize = 100;
/// How long changes of the user list are gathered before everybody gets the new one.
const LIST_DELAY: Duration = Duration::from_millis(250);

/// All rooms of the server.
#[derive(Debug)]
pub(crate) struct Rooms {
    shards: Arc<[Arc<Shard>]>,
    rooms: Mutex<Directory>,
    members: AtomicU64,
}

#[derive(Debug, Default)]
struct Directory {
    by_name: HashMap<Arc<str>, Arc<Room>>,
    /// Those without members, the longest empty first.
    empty: VecDeque<Arc<str>>,
}

/// One room.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: Arc<str>,
    shards: Arc<[Arc<Shard>]>,
    users: Mutex<Users>,
    /// Held while a publication is handed to the shards: this is the room's order.
    history: tokio::sync::Mutex<History>,
}

#[derive(Debug, Default)]
struct Users {
    by_member: BTreeMap<u64, User>,
    list_due: bool,
}

/// Somebody in a room.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) client_id: Arc<str>,
    pub(super) username: String,
    pub(super) status: String,
    pub(super) joined_at: u64,
}

#[derive(Debug, Default)]
struct History {
    messages: VecDeque<Said>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Said {
    username: String,
    text: String,
    timestamp: u64,
}

impl Rooms {
    pub(crate) fn new(shards: Vec<Arc<Shard>>) -> Self {
        Self { shards: shards.into(), rooms: Mutex::default(), members: AtomicU64::new(1) }
    }

    /// A number that no other member has.
    pub(super) fn next_member(&self) -> u64 {
        self.members.fetch_add(1, Ordering::Relaxed)
    }

    /// Puts a user into a room, which comes into being if need be.
    pub(super) fn enter(&self, name: &str, member: u64, user: User) -> Arc<Room> {
        let mut directory = self.directory();
        let room = match directory.by_name.get(name) {
            Some(room) => room.clone(),
            None => {
                let room = Arc::new(Room::new(name.into(), self.shards.clone()));
                directory.by_name.insert(room.name.clone(), room.clone());
                room
            }
        };
        directory.empty.retain(|empty| *empty != room.name);
        room.users().by_member.insert(member, user);
        room
    }

    /// Takes a user out of a room. The room is remembered for a while, with what was said in it.
    pub(super) fn exit(&self, room: &Room, member: u64) {
        let mut directory = self.directory();
        room.users().by_member.remove(&member);
        if !room.users().by_member.is_empty() || directory.empty.contains(&room.name) {
            return;
        }
        directory.empty.push_back(room.name.clone());
        if directory.empty.len() > EMPTY_ROOMS_MAX
            && let Some(oldest) = directory.empty.pop_front()
        {
            directory.by_name.remove(&oldest);
        }
    }

    /// A room that exists.
    pub(super) fn find(&self, name: &str) -> Option<Arc<Room>> {
        self.directory().by_name.get(name).cloned()
    }

    fn directory(&self) -> MutexGuard<'_, Directory> {
        self.rooms.lock().expect("nothing under this lock panics")
    }
}

impl Room {
    fn new(name: Arc<str>, shards: Arc<[Arc<Shard>]>) -> Self {
        Self { name, shards, users: Mutex::default(), history: tokio::sync::Mutex::default() }
    }

    /// Sends a message to everybody in the room but `except`.
    pub(super) async fn publish(&self, message: String, except: Option<u64>) {
        let _order = self.history.lock().await;
        self.hand_over(message, except).await;
    }

    /// Says something in the room, and remembers it.
    pub(super) async fn say(&self, from: &User, text: String, except: Option<u64>) {
        let timestamp = reply::timestamp();
        let message = reply::message(
            "chat",
            None,
            json!({
                "from": from.client_id,
                "username": from.username,
                "sender": from.username,
                "text": text,
                "timestamp": timestamp,
            }),
        );
        let mut history = self.history.lock().await;
        history.remember(Said { username: from.username.clone(), text, timestamp });
        self.hand_over(message, except).await;
    }

    async fn hand_over(&self, message: String, except: Option<u64>) {
        let delivery =
            Delivery { room: self.name.clone(), message: Prepared::text(message), except };
        for shard in self.shards.iter() {
            shard.post(delivery.clone()).await;
        }
    }

    /// Says who came or went, if the room is small enough for that.
    pub(super) async fn announce(&self, text: &str, except: Option<u64>) {
        if self.users().by_member.len() <= ANNOUNCED_MAX {
            self.publish(reply::system(text), except).await;
        }
    }

    /// Has everybody told who is here, soon: many changes make one list.
    pub(super) fn list_changed(self: &Arc<Self>) {
        if std::mem::replace(&mut self.users().list_due, true) {
            return;
        }
        let room = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(LIST_DELAY).await;
            room.users().list_due = false;
            let (users, presence) = (room.user_list(), room.presence());
            room.publish(users, None).await;
            room.publish(presence, None).await;
        });
    }

    /// The `userList` message.
    pub(super) fn user_list(&self) -> String {
        let users = self.users();
        let listed: Vec<Value> =
            users.by_member.values().take(LISTED_MAX).map(User::json).collect();
        reply::message("userList", None, json!({ "count": users.by_member.len(), "users": listed }))
    }

    fn presence(&self) -> String {
        let users = self.users();
        let listed: Vec<Value> =
            users.by_member.values().take(LISTED_MAX).map(User::json).collect();
        reply::message("presence", None, json!({ "list": listed }))
    }

    /// What was said last, as `messages`.
    pub(super) async fn history(&self, limit: Option<usize>) -> Value {
        let history = self.history.lock().await;
        let skipped = history.messages.len().saturating_sub(limit.unwrap_or(HISTORY_MAX));
        let messages: Vec<Value> = history.messages.iter().skip(skipped).map(Said::json).collect();
        json!({ "messages": messages })
    }

    /// Changes what is known of a user.
    pub(super) fn update(&self, member: u64, change: impl FnOnce(&mut User)) {
        if let Some(user) = self.users().by_member.get_mut(&member) {
            change(user);
        }
    }

    /// A user of this room by client id or name.
    pub(super) fn find_user(&self, id: &str) -> Option<User> {
        let users = self.users();
        users.by_member.values().find(|user| &*user.client_id == id || user.username == id).cloned()
    }

    fn users(&self) -> MutexGuard<'_, Users> {
        self.users.lock().expect("nothing under this lock panics")
    }
}

impl User {
    pub(super) fn json(&self) -> Value {
        json!({
            "userId": self.client_id,
            "username": self.username,
            "status": self.status,
            "joinedAt": self.joined_at,
        })
    }
}

impl History {
    fn remember(&mut self, said: Said) {
        self.bytes += said.text.len();
        self.messages.push_back(said);
        while (self.messages.len() > HISTORY_MAX || self.bytes > HISTORY_BYTES_MAX)
            && let Some(oldest) = self.messages.pop_front()
        {
            self.bytes -= oldest.text.len();
        }
    }
}

impl Said {
    fn json(&self) -> Value {
        json!({ "username": self.username, "text": self.text, "timestamp": self.timestamp })
    }
}
