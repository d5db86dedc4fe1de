//! Accepting: one thread takes the connections and deals them out to the shards in turn.
//!
//! Were each shard to accept for itself, the one that happens to be idle would take most of a burst,
//! and lines stay where they began. `SO_REUSEPORT` would spread them by chance, and would let a
//! second server share the port unnoticed.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::mpsc;

use crate::node::Node;

/// How long to wait before the first further try, …
const BACK_OFF_FIRST: Duration = Duration::from_millis(10);

/// … and at most.
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

/// Accepts until `closed`. Out of descriptors or memory, connections wait in the system's backlog, and
/// so do we.
pub(crate) async fn run(
    listener: TcpListener,
    shards: Vec<mpsc::Sender<TcpStream>>,
    node: Arc<Node>,
    closed: impl Future<Output = ()>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut dealer = Dealer { shards, next: 0 };
    let mut back_off = BackOff::new();
    let accept = async {
        loop {
            match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => {
                    back_off = BackOff::new();
                    dealer.deal(stream).await;
                }
                Err(error) => {
                    let why = AcceptError::of(&error);
                    node.metrics.accept_failed(why);
                    // Its client changed its mind. That is nothing of ours, and the next waits already.
                    if why != AcceptError::Aborted {
                        node.log.accept_failed(&error);
                        tokio::time::sleep(back_off.handle_failure()).await;
                    }
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        () = closed => {}
    }
    Ok(())
}

/// Why a connection was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AcceptError {
    /// It ended before it was.
    Aborted,
    /// There are as many files open as may be.
    Descriptors,
    Memory,
    Other,
}

impl AcceptError {
    fn of(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::CONNABORTED) => Self::Aborted,
            Some(Errno::MFILE | Errno::NFILE) => Self::Descriptors,
            Some(Errno::NOMEM | Errno::NOBUFS) => Self::Memory,
            _ => Self::Other,
        }
    }
}

/// How long to wait: twice as long after each failure.
struct BackOff {
    next: Duration,
}

impl BackOff {
    fn new() -> Self {
        Self { next: BACK_OFF_FIRST }
    }

    fn handle_failure(&mut self) -> Duration {
        let now = self.next;
        self.next = (now * 2).min(BACK_OFF_MAX);
        now
    }
}

/// Whose turn it is.
struct Dealer {
    shards: Vec<mpsc::Sender<TcpStream>>,
    next: usize,
}

impl Dealer {
    /// Hands a connection to the shard whose turn it is; if too many wait there, to the next that
    /// takes it, so that one busy shard does not keep the others' clients waiting.
    async fn deal(&mut self, mut stream: TcpStream) {
        let count = self.shards.len();
        let first = self.next;
        self.next = (first + 1) % count;
        for index in (first..first + count).map(|index| index % count) {
            match self.shards[index].try_send(stream) {
                Ok(()) => return,
                Err(refused) => stream = refused.into_inner(),
            }
        }
        // A shard that is gone serves nobody: the connection ends.
        let _ = self.shards[first].send(stream).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::lifecycle::{Lifecycle, Terms};
    use std::net::Ipv4Addr;
    use std::num::NonZeroUsize;

    use crate::{node, shard};

    fn quiet_node() -> Arc<Node> {
        let shards = shard::inputs(NonZeroUsize::MIN).into_iter().map(|input| input.shard);
        Arc::new(node::for_test(shards.collect()))
    }

    #[test]
    fn the_wait_grows_from_10_ms_to_a_second_and_no_further() {
        let mut back_off = BackOff::new();
        let waits: Vec<u128> = (0..10).map(|_| back_off.handle_failure().as_millis()).collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000]);
    }

    #[test]
    fn errors_are_told_apart() {
        for (errno, expected) in [
            (Errno::MFILE, AcceptError::Descriptors),
            (Errno::NFILE, AcceptError::Descriptors),
            (Errno::NOMEM, AcceptError::Memory),
            (Errno::NOBUFS, AcceptError::Memory),
            (Errno::CONNABORTED, AcceptError::Aborted),
            (Errno::PERM, AcceptError::Other),
        ] {
            assert_eq!(AcceptError::of(&errno.into()), expected);
        }
        assert_eq!(AcceptError::of(&io::Error::other("?")), AcceptError::Other);
    }

    fn doors(shards: usize, waiting_max: usize) -> (Dealer, Vec<mpsc::Receiver<TcpStream>>) {
        let (shards, receivers) = (0..shards).map(|_| mpsc::channel(waiting_max)).unzip();
        (Dealer { shards, next: 0 }, receivers)
    }

    fn connection(listener: &TcpListener) -> TcpStream {
        TcpStream::connect(listener.local_addr().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn each_shard_gets_as_many_connections_as_the_others() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let (dealer, mut receivers) = doors(2, 200);
        let lifecycle = Lifecycle::new(Terms::of(&Config::default()));
        let accepting =
            tokio::spawn(run(listener, dealer.shards, quiet_node(), lifecycle.stopped()));
        let mut clients = Vec::new();
        for _ in 0..200 {
            clients.push(tokio::net::TcpStream::connect(address).await.unwrap());
        }
        for receiver in &mut receivers {
            for _ in 0..100 {
                assert!(receiver.recv().await.is_some());
            }
            assert!(receiver.try_recv().is_err(), "one more than its share");
        }
        lifecycle.stop();
        accepting.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_shard_that_takes_none_does_not_hold_up_the_others() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (mut dealer, mut receivers) = doors(2, 1);
        dealer.deal(connection(&listener)).await;
        for _ in 0..5 {
            dealer.deal(connection(&listener)).await;
            assert!(receivers[1].recv().await.is_some());
        }
        assert!(receivers[0].recv().await.is_some());
    }
}
