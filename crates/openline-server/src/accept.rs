//! Accepting: one thread takes the connections and deals them out to the shards in turn.
//!
//! Were each shard to accept for itself, the one that happens to be idle would take most of a burst,
//! and lines stay where they began. `SO_REUSEPORT` would spread them by chance, and would let a
//! second server share the port unnoticed.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::log::Log;

/// Out of descriptors or memory: connections wait in the backlog, and so do we.
const BACK_OFF: Duration = Duration::from_millis(50);

/// Accepts until `stop` turns true.
pub(crate) async fn run(
    listener: TcpListener,
    shards: Vec<mpsc::Sender<TcpStream>>,
    log: Log,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut dealer = Dealer { shards, next: 0 };
    let accept = async {
        loop {
            match listener.accept().await.and_then(|(stream, _)| stream.into_std()) {
                Ok(stream) => dealer.deal(stream).await,
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log.accept_failed(&error);
                    tokio::time::sleep(BACK_OFF).await;
                }
            }
        }
    };
    tokio::select! {
        () = accept => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    Ok(())
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
    use std::net::Ipv4Addr;

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
        let stop = watch::Sender::new(false);
        let accepting = tokio::spawn(run(listener, dealer.shards, Log::quiet(), stop.subscribe()));
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
        stop.send_replace(true);
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
