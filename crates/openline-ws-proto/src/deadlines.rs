//! The deadlines that can be running on a connection.

use std::time::Duration;

use crate::config::Timestamp;

/// A deadline that is not set.
pub(crate) const NEVER: Timestamp = Timestamp(u64::MAX);

/// What has to have happened in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadline {
    /// The transport has ended after our close frame was queued.
    Close,
    /// The transport has taken something of what waits.
    Write,
    /// Something came after the keepalive's ping.
    Pong,
    /// The message under way is complete.
    Message,
}

/// The order in which deadlines act that have passed together.
const ALL: [Deadline; 4] = [Deadline::Close, Deadline::Write, Deadline::Pong, Deadline::Message];

/// The running deadlines. A line that is idle has none but the next ping, which is not kept here, so
/// it holds no memory for them.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(Option<Box<[Timestamp; ALL.len()]>>);

impl Deadlines {
    /// Starts a deadline; none if there is no timeout.
    pub(crate) fn set(&mut self, deadline: Deadline, now: Timestamp, timeout: Option<Duration>) {
        if let Some(timeout) = timeout {
            let all = self.0.get_or_insert_with(|| Box::new([NEVER; ALL.len()]));
            all[deadline as usize] = now.after(timeout);
        }
    }

    pub(crate) fn clear(&mut self, deadline: Deadline) {
        if let Some(all) = &mut self.0 {
            all[deadline as usize] = NEVER;
            if **all == [NEVER; ALL.len()] {
                self.0 = None;
            }
        }
    }

    pub(crate) fn is_set(&self, deadline: Deadline) -> bool {
        self.0.as_ref().is_some_and(|all| all[deadline as usize] != NEVER)
    }

    /// The first that will pass.
    pub(crate) fn next(&self) -> Timestamp {
        self.0.as_ref().and_then(|all| all.iter().min()).map_or(NEVER, |next| *next)
    }

    /// One that has passed.
    pub(crate) fn passed(&self, now: Timestamp) -> Option<Deadline> {
        let all = self.0.as_ref()?;
        ALL.into_iter().find(|deadline| now >= all[*deadline as usize])
    }
}
