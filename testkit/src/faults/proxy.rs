//! [`Proxy`]: stands between two that talk over TCP, and spoils what they say.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::seed::Seed;

/// Connections at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 4096;
/// Pieces on their way in one direction of a connection, and their size.
const PIECES_MAX: usize = 64;
const PIECE_BYTES: usize = 16 << 10;
/// So often a slow direction moves something.
const SLOW_STEPS: u64 = 10;

/// How what passes is treated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Weather {
    /// Everything takes so many milliseconds, with as many more by chance.
    pub(super) delay_ms: Option<(u64, u64)>,
    /// Nothing passes. It is not lost: TCP repeats what did not get through.
    pub(super) stopped: bool,
    /// New connections are closed at once.
    pub(super) refuses: bool,
    /// So much passes towards those who connected, in a second.
    pub(super) bytes_per_second: Option<u64>,
}

/// How connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Reset on both sides.
    Whole,
    /// Who connected sees the end; the other side does not.
    Half,
}

/// A listening socket, all of whose connections go on to one address. Dropping it ends them.
pub(super) struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    endings: broadcast::Sender<Ending>,
    listening: JoinHandle<()>,
}

/// What the tasks of a proxy share.
#[derive(Clone)]
struct Shared {
    weather: watch::Receiver<Weather>,
    endings: broadcast::Sender<Ending>,
    target: SocketAddr,
}

impl Proxy {
    /// Listens on a free port of this address.
    pub(super) async fn start(at: IpAddr, target: SocketAddr, seed: Seed) -> io::Result<Self> {
        let listener = TcpListener::bind((at, 0)).await?;
        let address = listener.local_addr()?;
        let (weather, weather_seen) = watch::channel(Weather::default());
        let (endings, _) = broadcast::channel(16);
        let shared = Shared { weather: weather_seen, endings: endings.clone(), target };
        let listening = tokio::spawn(listen(listener, shared, seed));
        Ok(Self { address, weather, endings, listening })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Treats all that passes from now on like this.
    pub(super) fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Resets all connections.
    pub(super) fn cut(&self) {
        // Nobody listens where there is no connection.
        let _ = self.endings.send(Ending::Whole);
    }

    /// Ends all connections for those who made them alone.
    pub(super) fn half_close(&self) {
        let _ = self.endings.send(Ending::Half);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn listen(listener: TcpListener, shared: Shared, mut seed: Seed) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (shared, seed) = (shared.clone(), Seed::new(seed.number()));
        tokio::spawn(async move {
            let _place = place;
            // Nobody else is told of a connection that breaks.
            let _ = connection(stream, shared, seed).await;
        });
    }
}

async fn connection(near: TcpStream, mut shared: Shared, seed: Seed) -> io::Result<()> {
    let endings = shared.endings.subscribe();
    passable(&mut shared.weather).await;
    if shared.weather.borrow().refuses {
        return near.set_zero_linger();
    }
    let far = TcpStream::connect(shared.target).await?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    let (mut near, mut far) = (near.into_split(), far.into_split());
    let result = converse(&mut near, &mut far, endings, &shared.weather, &seed).await;
    if result.is_err() {
        // What the one side resets the other is not to take for an orderly end, as it would if a half
        // were dropped by itself.
        for (read, write) in [near, far] {
            if let Ok(stream) = read.reunite(write) {
                stream.set_zero_linger()?;
            }
        }
    }
    result
}

type Halves = (OwnedReadHalf, OwnedWriteHalf);

/// Carries what both sides say until both have ended; an error when they are cut off.
async fn converse(
    near: &mut Halves,
    far: &mut Halves,
    mut endings: broadcast::Receiver<Ending>,
    weather: &watch::Receiver<Weather>,
    seed: &Seed,
) -> io::Result<()> {
    let up = pass(&mut near.0, &mut far.1, weather.clone(), false, seed.part("up"));
    let mut up = std::pin::pin!(up);
    let mut up_goes_on = true;
    {
        let down = pass(&mut far.0, &mut near.1, weather.clone(), true, seed.part("down"));
        let mut down = std::pin::pin!(down);
        let mut down_goes_on = true;
        while up_goes_on || down_goes_on {
            tokio::select! {
                ended = &mut up, if up_goes_on => {
                    ended?;
                    up_goes_on = false;
                }
                ended = &mut down, if down_goes_on => {
                    ended?;
                    down_goes_on = false;
                }
                ending = endings.recv() => match ending {
                    Ok(Ending::Half) => break,
                    _ => return Err(io::ErrorKind::ConnectionReset.into()),
                },
            }
        }
    }
    near.1.shutdown().await?;
    if !up_goes_on {
        return Ok(());
    }
    loop {
        tokio::select! {
            ended = &mut up => return ended,
            ending = endings.recv() => {
                if ending != Ok(Ending::Half) {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
            }
        }
    }
}

/// Carries one direction to its end.
async fn pass(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut weather: watch::Receiver<Weather>,
    slows: bool,
    mut seed: Seed,
) -> io::Result<()> {
    let (pieces, mut arriving) = mpsc::channel::<(Instant, Bytes)>(PIECES_MAX);
    let mut weather_there = weather.clone();
    let reading = async move {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut last = Instant::now();
        loop {
            passable(&mut weather).await;
            let rate = weather.borrow().bytes_per_second.filter(|_| slows);
            let step = rate.map_or(PIECE_BYTES, |rate| (rate / SLOW_STEPS).max(1) as usize);
            let count = from.read(&mut buffer[..step.min(PIECE_BYTES)]).await?;
            if count == 0 {
                return Ok(());
            }
            let delay = weather.borrow().delay_ms.map_or(0, |(least, more)| {
                least + if more == 0 { 0 } else { seed.between(0, more) }
            });
            // Nothing overtakes what was said before it.
            last = last.max(Instant::now() + Duration::from_millis(delay));
            if pieces.send((last, Bytes::copy_from_slice(&buffer[..count]))).await.is_err() {
                return Ok(());
            }
            if rate.is_some() {
                sleep(Duration::from_millis(1000 / SLOW_STEPS)).await;
            }
        }
    };
    let writing = async {
        while let Some((due, bytes)) = arriving.recv().await {
            sleep_until(due).await;
            passable(&mut weather_there).await;
            to.write_all(&bytes).await?;
        }
        passable(&mut weather_there).await;
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(|_: ((), ())| ())
}

/// Ready when something can pass.
async fn passable(weather: &mut watch::Receiver<Weather>) {
    if weather.wait_for(|weather| !weather.stopped).await.is_err() {
        // The proxy is gone, and with it in a moment this connection.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::net::Ipv4Addr;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);
    const NOT_NOW: Duration = Duration::from_millis(200);

    /// A proxy with a connection through it: the client's end and the server's.
    async fn line() -> (Proxy, TcpStream, TcpStream) {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let target = server.local_addr().unwrap();
        let proxy = Proxy::start(Ipv4Addr::LOCALHOST.into(), target, Seed::new(1)).await.unwrap();
        let near = TcpStream::connect(proxy.address()).await.unwrap();
        let (far, _) = server.accept().await.unwrap();
        (proxy, near, far)
    }

    async fn say(from: &mut TcpStream, to: &mut TcpStream, text: &str) {
        from.write_all(text.as_bytes()).await.unwrap();
        assert_eq!(hear(to, text.len()).await, text);
    }

    async fn hear(at: &mut TcpStream, length: usize) -> String {
        let mut heard = vec![0; length];
        timeout(SOON, at.read_exact(&mut heard)).await.unwrap().unwrap();
        String::from_utf8(heard).unwrap()
    }

    #[tokio::test]
    async fn what_is_said_passes_both_ways_to_the_end() {
        let (_proxy, mut near, mut far) = line().await;
        say(&mut near, &mut far, "there").await;
        say(&mut far, &mut near, "and back").await;
        near.shutdown().await.unwrap();
        assert_eq!(far.read(&mut [0; 8]).await.unwrap(), 0);
        say(&mut far, &mut near, "more").await;
    }

    #[tokio::test]
    async fn a_delay_comes_before_everything_and_keeps_the_order() {
        let (proxy, mut near, mut far) = line().await;
        proxy.set(Weather { delay_ms: Some((80, 40)), ..Weather::default() });
        let began = Instant::now();
        for piece in ["a", "b", "c"] {
            near.write_all(piece.as_bytes()).await.unwrap();
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(hear(&mut far, 3).await, "abc");
        assert!(began.elapsed() >= Duration::from_millis(80));
    }

    #[tokio::test]
    async fn a_cut_resets_both_sides_and_what_comes_then_is_refused() {
        let (proxy, mut near, mut far) = line().await;
        say(&mut near, &mut far, "x").await;
        proxy.set(Weather { refuses: true, ..Weather::default() });
        proxy.cut();
        for end in [&mut near, &mut far] {
            let read = timeout(SOON, end.read(&mut [0; 8])).await.unwrap();
            assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        }
        let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(timeout(SOON, refused.read(&mut [0; 8])).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_half_close_is_seen_by_the_client_alone() {
        let (proxy, mut near, mut far) = line().await;
        say(&mut far, &mut near, "x").await;
        proxy.half_close();
        assert_eq!(timeout(SOON, near.read(&mut [0; 8])).await.unwrap().unwrap(), 0);
        far.write_all(b"into nothing").await.unwrap();
        say(&mut near, &mut far, "still heard").await;
    }

    #[tokio::test]
    async fn a_blackhole_holds_everything_and_then_lets_it_through() {
        let (proxy, mut near, mut far) = line().await;
        proxy.set(Weather { stopped: true, ..Weather::default() });
        near.write_all(b"late").await.unwrap();
        let mut nothing = [0; 1];
        assert!(timeout(NOT_NOW, far.read(&mut nothing)).await.is_err());
        proxy.set(Weather::default());
        assert_eq!(hear(&mut far, 4).await, "late");
    }

    #[tokio::test]
    async fn a_slow_reader_takes_so_much_and_no_more() {
        let (proxy, mut near, mut far) = line().await;
        proxy.set(Weather { bytes_per_second: Some(10_000), ..Weather::default() });
        let began = Instant::now();
        far.write_all(&[7; 4000]).await.unwrap();
        hear_bytes(&mut near, 4000).await;
        assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
    }

    async fn hear_bytes(at: &mut TcpStream, length: usize) {
        let mut heard = vec![0; length];
        timeout(SOON, at.read_exact(&mut heard)).await.unwrap().unwrap();
    }
}
