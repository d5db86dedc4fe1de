//! [`Rooms`]: who is in which room by way of `/chat`.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};

/// Users named in one list; the count counts all.
const LISTED_MAX: usize = 200;
/// Comings and goings are announced by name up to this many people in a room. Beyond it each would
/// cost every line a message, and the list says the same.
pub(super) const ANNOUNCED_MAX: usize = 100;
/// How long changes of the user list are gathered before everybody gets the new one: the first in a
/// room of at most [`ANNOUNCED_MAX`], the second in a larger one, where a list is long and goes to
/// many. Everybody is to know within a second.
const LIST_DELAYS: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(800)];

/// Who is in which room. A room is here while somebody is in it.
#[derive(Debug, Default)]
pub(super) struct Rooms {
    by_name: Mutex<HashMap<String, Users>>,
    /// The last number given to a member.
    numbers: AtomicU64,
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

impl Rooms {
    /// A number that no other member has.
    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Puts a user into a room, or takes note of how the user is now.
    pub(super) fn put(&self, room: &str, member: u64, user: User) {
        self.rooms().entry(room.to_owned()).or_default().by_member.insert(member, user);
    }

    /// Takes a user out of a room.
    pub(super) fn take(&self, room: &str, member: u64) {
        let mut rooms = self.rooms();
        if let Some(users) = rooms.get_mut(room) {
            users.by_member.remove(&member);
            if users.by_member.is_empty() {
                rooms.remove(room);
            }
        }
    }

    /// How many are in a room.
    pub(super) fn count(&self, room: &str) -> usize {
        self.rooms().get(room).map_or(0, |users| users.by_member.len())
    }

    /// The list changed: returns after how long everybody is to be told, unless that is under way.
    pub(super) fn list_changed(&self, room: &str) -> Option<Duration> {
        let mut rooms = self.rooms();
        let users = rooms.get_mut(room)?;
        let was_due = std::mem::replace(&mut users.list_due, true);
        let delay = LIST_DELAYS[usize::from(users.by_member.len() > ANNOUNCED_MAX)];
        (!was_due).then_some(delay)
    }

    /// The list that everybody is to be told now: changes from here on are for the next.
    pub(super) fn take_list(&self, room: &str) -> Option<List> {
        let mut rooms = self.rooms();
        let users = rooms.get_mut(room)?;
        users.list_due = false;
        Some(users.list())
    }

    /// The list as it is.
    pub(super) fn list(&self, room: &str) -> List {
        self.rooms().get(room).map_or_else(List::default, Users::list)
    }

    /// A user of a room, by client id or name.
    pub(super) fn find(&self, room: &str, id: &str) -> Option<User> {
        let rooms = self.rooms();
        let users = rooms.get(room)?.by_member.values();
        let mut found = users.filter(|user| &*user.client_id == id || user.username == id);
        found.next().cloned()
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Users>> {
        self.by_name.lock().expect("nothing under this lock panics")
    }
}

/// Who is in a room.
#[derive(Debug, Default)]
pub(super) struct List {
    count: usize,
    users: Vec<Value>,
}

impl List {
    /// As `userList`.
    pub(super) fn user_list(&self) -> Value {
        json!({ "count": self.count, "users": self.users })
    }

    /// As `presence`.
    pub(super) fn presence(&self) -> Value {
        json!({ "list": self.users })
    }
}

impl Users {
    fn list(&self) -> List {
        let users = self.by_member.values().take(LISTED_MAX).map(User::json).collect();
        List { count: self.by_member.len(), users }
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
