//! [`Door`]: what a client connects to instead of a node, so that its connections can be cut and moved.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::plan::Cut;

/// How long the server believes in a line that its client has lost.
const GHOST: Duration = Duration::from_millis(700);
/// How long both believe in a line that carries nothing.
const SILENCE: Duration = Duration::from_millis(2_500);

/// A listener that passes connections on to a node.
pub(super) struct Door {
    address: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    leads: Mutex<Leads>,
    cuts: watch::Sender<Option<Cut>>,
}

#[derive(Clone, Copy)]
struct Leads {
    to: SocketAddr,
    shut_until: Instant,
}

impl Door {
    /// Opens one that leads to this node.
    pub(super) async fn open(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let leads = Mutex::new(Leads { to, shut_until: Instant::now() });
        let state = Arc::new(State { leads, cuts: watch::Sender::new(None) });
        let accepting = tokio::spawn(accept(listener, state.clone()));
        Ok(Self { address, state, accepting })
    }

    /// Where to connect.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts what goes through; for some time nothing gets in, then it leads to that node.
    pub(super) fn cut(&self, how: Cut, to: SocketAddr, away: Duration) {
        let leads = Leads { to, shut_until: Instant::now() + away };
        *self.state.leads.lock().unwrap_or_else(PoisonError::into_inner) = leads;
        self.state.cuts.send_replace(Some(how));
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.accepting.abort();
        self.state.cuts.send_replace(Some(Cut::Reset));
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    loop {
        let Ok((near, _)) = listener.accept().await else {
            // Too many open files, most likely; some will be closed.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let leads = *state.leads.lock().unwrap_or_else(PoisonError::into_inner);
        if leads.shut_until <= Instant::now() {
            tokio::spawn(carry(near, leads.to, state.cuts.subscribe()));
        }
    }
}

async fn carry(mut near: TcpStream, to: SocketAddr, mut cuts: watch::Receiver<Option<Cut>>) {
    let Ok(mut far) = TcpStream::connect(to).await else { return };
    // Without it the connection is only slower.
    let _ = near.set_nodelay(true).and_then(|()| far.set_nodelay(true));
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        _ = cuts.changed() => {
            let how = *cuts.borrow();
            match how {
                Some(Cut::Ghost) => {
                    drop(near);
                    sleep(GHOST).await;
                }
                Some(Cut::Silent) => sleep(SILENCE).await,
                Some(Cut::Reset) | None => {}
            }
        }
    }
}
