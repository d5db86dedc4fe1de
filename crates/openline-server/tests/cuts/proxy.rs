//! [`Proxy`]: stands between a client and the server, and breaks what is between them.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// What a link does with what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Pass,
    /// Passes what the server sends by [`DRIP_BYTES`] at a time.
    Drip,
    /// Passes nothing either way, and neither end is told: a half-open connection.
    Stall,
    /// Both ends get an RST.
    Reset,
}

/// Of one client; it has one link at a time that is not stalled.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// The newest link's.
    mode: Arc<Mutex<watch::Sender<Mode>>>,
}

const DRIP_BYTES: usize = 64;
const DRIP_EVERY: Duration = Duration::from_millis(4);

/// How long a stalled link is held before its ends get an RST.
const STALLED: Duration = Duration::from_secs(2);

/// What the system holds between server and proxy. A small segment makes for a small send buffer:
/// otherwise megabytes of it would pass before the server's own queue sees a slow reader.
const RECEIVE_BUFFER_BYTES: u32 = 16 << 10;
const SEGMENT_BYTES: u32 = 536;

impl Proxy {
    pub(crate) async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = Arc::new(Mutex::new(watch::Sender::new(Mode::Pass)));
        tokio::spawn(accept(listener, server, mode.clone()));
        Self { address, mode }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    /// Has the newest link do this from now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.mode.lock().unwrap().send_replace(mode);
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    newest: Arc<Mutex<watch::Sender<Mode>>>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = connect(server).await else { continue };
        let (mode, modes) = watch::channel(Mode::Pass);
        *newest.lock().unwrap() = mode.clone();
        tokio::spawn(async move {
            // Kept, so that a link whose client has another one does not see the end of its modes.
            let _mode = mode;
            let _ = carry(client, server, modes).await;
        });
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    // The system remembers how fast an address was, and makes the send buffer larger for it. None
    // has this one but by chance; where it cannot be had, any will do.
    let [a, b, c]: [u8; 3] = rand::random();
    let _ = socket.bind(SocketAddr::from(([127, a | 1, b, c | 1], 0)));
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    SockRef::from(&socket).set_tcp_mss(SEGMENT_BYTES)?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Carries bytes until one end is gone.
async fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    mut modes: watch::Receiver<Mode>,
) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
    loop {
        let mode = *modes.borrow_and_update();
        let most = if mode == Mode::Drip { DRIP_BYTES } else { down.len() };
        match mode {
            Mode::Reset => return reset(&client, &server),
            Mode::Stall => {
                let _ = tokio::time::timeout(STALLED, modes.changed()).await;
                return reset(&client, &server);
            }
            Mode::Pass | Mode::Drip => tokio::select! {
                _ = modes.changed() => {}
                read = client.read(&mut up) => match read? {
                    0 => return Ok(()),
                    len => server.write_all(&up[..len]).await?,
                },
                read = server.read(&mut down[..most]) => match read? {
                    0 => return Ok(()),
                    len => {
                        client.write_all(&down[..len]).await?;
                        if mode == Mode::Drip {
                            tokio::time::sleep(DRIP_EVERY).await;
                        }
                    }
                },
            },
        }
    }
}

/// What is dropped after this is not closed but reset.
fn reset(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    for stream in [client, server] {
        SockRef::from(stream).set_linger(Some(Duration::ZERO))?;
    }
    Ok(())
}
