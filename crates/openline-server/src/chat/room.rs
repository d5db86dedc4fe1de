//! Rooms: who is in, what was said, and the one order in which everybody hears it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use openline_ws::{Prepared, Sender};
use serde_json::{Value, json};

use super::command::TEXT_BYTES_MAX;
use super::reply;
use crate::shard::{Delivery, Shard};

/// Chat messages that a room remembers.
const HISTORY_MAX: usize = 100;
/// Bytes of text that a room remembers, as JSON. A history holds them twice and is to stay below the
/// 1 MiB that many clients take as one message.
const HISTORY_BYTES_MAX: usize = TEXT_BYTES_MAX;
/// Rooms that are remembered while nobody is in them: with [`HISTORY_BYTES_MAX`], 64 MiB at most.
const EMPTY_ROOMS_MAX: usize = 256;
/// Users named in one list; the count counts all.
const LISTED_MAX: usize = 200;
/// Comings and goings are announced by name up to this many people in a room. Beyond it each would
/// cost every line a message, and the list says the same.
const ANNOUNCED_MAX: usize = 100;
/// How long changes of the user list are gathered before everybody gets the new one: the first in a
/// room of at most [`ANNOUNCED_MAX`], the second in a larger one, where a list is long and goes to
/// many. Everybody is to know within a second.
const LIST_DELAYS: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(800)];

/// All rooms of the server.
#[derive(Debug)]
pub(crate) struct Rooms {
    shards: Arc<[Arc<Shard>]>,
    rooms: Mutex<Directory>,
    /// The last number given to a member or a room.
    numbers: AtomicU64,
}

/// *Invariant:* a room that somebody is in is in `by_name` and not in `empty`; members come and go
/// under the directory's lock.
#[derive(Debug, Default)]
struct Directory {
    by_name: HashMap<Arc<str>, Arc<Room>>,
    /// Those without members, the longest empty first.
    empty: VecDeque<Arc<str>>,
}

/// One room.
#[derive(Debug)]
pub(super) struct Room {
    /// No other room has it, not even one that takes the name once this is forgotten.
    pub(super) id: u64,
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
    /// The number of the last publication of any kind.
    offset: u64,
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
    pub(crate) fn new(shards: Arc<[Arc<Shard>]>) -> Self {
        Self { shards, rooms: Mutex::default(), numbers: AtomicU64::new(0) }
    }

    /// A number that no other member and no room has.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Puts a user into a room, which comes into being if need be.
    pub(super) fn enter(&self, name: &str, member: u64, user: User) -> Arc<Room> {
        let mut directory = self.directory();
        let room = match directory.by_name.get(name) {
            Some(room) => room.clone(),
            None => {
                let room =
                    Arc::new(Room::new(self.next_number(), name.into(), self.shards.clone()));
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
        let mut users = room.users();
        let was_in = users.by_member.remove(&member).is_some();
        if !was_in || !users.by_member.is_empty() {
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
    fn new(id: u64, name: Arc<str>, shards: Arc<[Arc<Shard>]>) -> Self {
        Self { id, name, shards, users: Mutex::default(), history: tokio::sync::Mutex::default() }
    }

    /// Tells a line of `shard`, the present thread's, what was before, and has it hear what comes
    /// after: nothing is left out and nothing comes twice.
    pub(super) async fn subscribe(&self, shard: &Shard, member: u64, line: &Sender) {
        let history = self.history.lock().await;
        // No await from here on, so that the shard delivers nothing between the parts. What is on its
        // way to the shard is in this history already; the offset tells.
        let _ = line.try_send(reply::message("history", None, &history.json(None)));
        let _ = line.try_send(self.user_list());
        shard.members.join(self.id, member, line.clone(), history.offset);
    }

    /// Sends a message to everybody in the room but `except`.
    pub(super) async fn publish(&self, message: String, except: Option<u64>) {
        let mut history = self.history.lock().await;
        self.hand_over(&mut history, message, except).await;
    }

    /// Says something in the room, and remembers it.
    pub(super) async fn say(&self, from: &User, text: String, except: Option<u64>) {
        let mut history = self.history.lock().await;
        let timestamp = reply::timestamp();
        let fields = json!({
            "from": from.client_id,
            "username": from.username,
            "sender": from.username,
            "text": text,
            "timestamp": timestamp,
        });
        history.remember(Said { username: from.username.clone(), text, timestamp });
        self.hand_over(&mut history, reply::message("chat", None, &fields), except).await;
    }

    async fn hand_over(&self, history: &mut History, message: String, except: Option<u64>) {
        history.offset += 1;
        let (room, offset, message) = (self.id, history.offset, Prepared::text(message));
        for shard in self.shards.iter() {
            shard.members.post(Delivery { room, offset, message: message.clone(), except }).await;
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
        let delay = {
            let mut users = self.users();
            if std::mem::replace(&mut users.list_due, true) {
                return;
            }
            LIST_DELAYS[usize::from(users.by_member.len() > ANNOUNCED_MAX)]
        };
        let room = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            // Written under the lock: a list that waits for it would be older than its place.
            let mut history = room.history.lock().await;
            room.users().list_due = false;
            let (users, presence) = (room.user_list(), room.presence());
            room.hand_over(&mut history, users, None).await;
            room.hand_over(&mut history, presence, None).await;
        });
    }

    /// The `userList` message.
    pub(super) fn user_list(&self) -> String {
        let users = self.users();
        let fields = json!({ "count": users.by_member.len(), "users": users.listed() });
        reply::message("userList", None, &fields)
    }

    fn presence(&self) -> String {
        reply::message("presence", None, &json!({ "list": self.users().listed() }))
    }

    /// What was said last, as `messages`.
    pub(super) async fn history(&self, limit: Option<usize>) -> Value {
        self.history.lock().await.json(limit)
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

impl Users {
    fn listed(&self) -> Vec<Value> {
        self.by_member.values().take(LISTED_MAX).map(User::json).collect()
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
        self.bytes += reply::json_len(&said.text);
        self.messages.push_back(said);
        while (self.messages.len() > HISTORY_MAX || self.bytes > HISTORY_BYTES_MAX)
            && let Some(oldest) = self.messages.pop_front()
        {
            self.bytes -= reply::json_len(&oldest.text);
        }
    }

    fn json(&self, limit: Option<usize>) -> Value {
        let skipped = self.messages.len().saturating_sub(limit.unwrap_or(HISTORY_MAX));
        let messages: Vec<Value> = self.messages.iter().skip(skipped).map(Said::json).collect();
        json!({ "messages": messages })
    }
}

impl Said {
    fn json(&self) -> Value {
        json!({ "username": self.username, "text": self.text, "timestamp": self.timestamp })
    }
}
