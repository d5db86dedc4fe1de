//! [`Pulse`]: whether the threads of a server still take their turns.

use std::fmt;
use std::sync::Arc;

use crate::shard::{self, Shard};

/// Feels whether a server lives: see [`Server::pulse`](crate::Server::pulse).
pub struct Pulse {
    shards: Arc<[Arc<Shard>]>,
}

impl fmt::Debug for Pulse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulse").field("threads", &self.shards.len()).finish()
    }
}

impl Pulse {
    pub(crate) fn new(shards: Arc<[Arc<Shard>]>) -> Self {
        Self { shards }
    }

    /// Waits until every thread that serves lines has had a turn since the call.
    ///
    /// There is no time limit: before [`Server::run`](crate::Server::run), after it has returned, and
    /// while one of the threads hangs, this waits on. It may be dropped; each call leaves one small
    /// question with each thread until that has its turn, so call it again only when the last has ended.
    pub async fn beat(&self) {
        shard::turn(&self.shards).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use tokio::time::timeout;

    use crate::{Config, Server};

    const LONG: Duration = Duration::from_secs(20);

    fn server() -> Server {
        let config = Config::load(
            None,
            std::iter::empty(),
            [("listen", "127.0.0.1:0"), ("ephemeral", "true"), ("threads", "2")]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        Server::bind(config.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn there_is_a_beat_while_every_thread_takes_turns_and_at_no_other_time() {
        let server = server();
        let (pulse, handle) = (server.pulse(), server.handle());
        let moment = Duration::from_millis(50);
        assert!(timeout(moment, pulse.beat()).await.is_err(), "it does not run yet");
        let running = thread::spawn(move || server.run());
        for _ in 0..3 {
            timeout(LONG, pulse.beat()).await.unwrap();
        }
        // One thread that hangs is enough, whatever the other does.
        let hanging = pulse.shards[1].clone();
        let (hangs, has_hung) = mpsc::channel();
        let (release, released) = mpsc::channel();
        thread::spawn(move || {
            let _held = hanging.hub();
            hangs.send(()).unwrap();
            let _ = released.recv();
        });
        has_hung.recv().unwrap();
        assert!(timeout(moment, pulse.beat()).await.is_err(), "a thread hangs");
        release.send(()).unwrap();
        timeout(LONG, pulse.beat()).await.unwrap();

        handle.stop();
        tokio::task::spawn_blocking(move || running.join().unwrap()).await.unwrap().unwrap();
        assert!(timeout(moment, pulse.beat()).await.is_err(), "it does not run any more");
    }
}
