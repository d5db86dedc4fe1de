//! Many clients in one process, which are cut off at once and come back: the load behind
//! `bench/run.py --workloads storm` and the tests of overload.
//!
//! ```text
//! storm HOST:PORT CLIENTS CHANNELS PER_SECOND
//! ```
//!
//! Each client is one of this crate, with what it does by itself: so many are opened each second, and
//! each subscribes to one of the channels `storm:0`, `storm:1`, … Publications are to be
//! `{"n":1,"at":1767225600000}`: counted for each channel, with the time in milliseconds since 1970.
//!
//! Commands are lines of standard input: `cut` resets all connections (RST, on both sides), `mark`
//! begins to count anew without that. Each half second a line of JSON says how many clients are open,
//! how many have recovered since, what they missed and how late live publications were. The end of
//! standard input ends it.

use std::error::Error;
use std::io::{self, BufRead as _};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use openline_client::{ChannelEvent, Client, Publication};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

const REPORT_EVERY: Duration = Duration::from_millis(500);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, clients, channels, per_second] = &words[..] else {
        return Err("storm HOST:PORT CLIENTS CHANNELS PER_SECOND".into());
    };
    let (clients, channels): (u64, u64) = (clients.parse()?, channels.parse()?);
    let pause = Duration::from_secs_f64(1.0 / per_second.parse::<f64>()?);
    let crowd = Arc::new(Crowd {
        address: address.parse()?,
        cut: watch::Sender::new(0),
        seen: Seen::default(),
    });
    let opening = crowd.clone();
    tokio::spawn(async move {
        let mut turns = tokio::time::interval(pause);
        for number in 0..clients {
            turns.tick().await;
            tokio::spawn(opening.clone().follow(format!("storm:{}", number % channels)));
        }
    });
    crowd.report(commands()).await;
    Ok(())
}

/// Lines of standard input.
fn commands() -> mpsc::Receiver<String> {
    let (sender, commands) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    commands
}

/// What all clients share.
struct Crowd {
    address: SocketAddr,
    /// Changes when all connections are to be reset.
    cut: watch::Sender<u64>,
    seen: Seen,
}

/// What they have seen since the last mark.
#[derive(Default)]
struct Seen {
    /// Online now.
    open: AtomicU64,
    /// Subscribed for the first time.
    subscribed: AtomicU64,
    recovered: AtomicU64,
    gaps: AtomicU64,
    /// Publications that are not the ones after those before, and nobody said so.
    silent_gaps: AtomicU64,
    live: AtomicU64,
    replayed: AtomicU64,
    failed: AtomicU64,
    /// Of live publications since the last report, in milliseconds.
    late_ms: Mutex<Vec<u64>>,
}

impl Crowd {
    /// Lives as one client for as long as the program.
    async fn follow(self: Arc<Self>, channel: String) {
        if let Err(error) = self.try_follow(&channel).await {
            eprintln!("storm: {error}");
            self.seen.failed.fetch_add(1, Relaxed);
        }
    }

    async fn try_follow(self: &Arc<Self>, channel: &str) -> Result<(), Box<dyn Error>> {
        let (address, crowd) = (self.address, self.clone());
        let open = move || {
            let cut = crowd.cut.subscribe();
            async move { Cuttable::connect(address, cut).await }
        };
        let client = Client::builder(&format!("ws://{address}/ws"))?.over(open).build()?;
        let mut status = client.status();
        client.connect().await?;
        // One that is refused is let in when it is told to come again.
        let subscribing = client.channel(channel).timeout(Duration::from_secs(600));
        let mut events = subscribing.subscribe().await?;
        self.seen.subscribed.fetch_add(1, Relaxed);
        let mut is_open = false;
        let mut last = None;
        loop {
            let now_open = status.borrow_and_update().is_online();
            match (is_open, now_open) {
                (false, true) => self.seen.open.fetch_add(1, Relaxed),
                (true, false) => self.seen.open.fetch_sub(1, Relaxed),
                _ => 0,
            };
            is_open = now_open;
            let event = tokio::select! {
                event = events.next() => event.ok_or("the subscription is over")?,
                changed = status.changed() => {
                    changed?;
                    continue;
                }
            };
            self.seen.handle_event(&event, &mut last)?;
        }
    }

    /// Says what was seen, and does what is asked, until nothing can be asked any more.
    async fn report(&self, mut commands: mpsc::Receiver<String>) {
        let mut turns = tokio::time::interval(REPORT_EVERY);
        let mut marked = Instant::now();
        loop {
            tokio::select! {
                _ = turns.tick() => println!("{}", self.seen.report(marked.elapsed())),
                command = commands.recv() => match command.as_deref() {
                    None => return,
                    Some("cut") => {
                        marked = self.seen.mark();
                        self.cut.send_modify(|cuts| *cuts += 1);
                    }
                    Some("mark") => marked = self.seen.mark(),
                    Some(other) => eprintln!("storm: {other}? cut or mark"),
                },
            }
        }
    }
}

impl Seen {
    fn handle_event(
        &self,
        event: &ChannelEvent,
        last: &mut Option<u64>,
    ) -> Result<(), Box<dyn Error>> {
        match event {
            ChannelEvent::Publication(publication) => self.handle_publication(publication, last)?,
            ChannelEvent::Recovered { .. } => {
                self.recovered.fetch_add(1, Relaxed);
            }
            ChannelEvent::Gap { .. } => {
                self.gaps.fetch_add(1, Relaxed);
                *last = None;
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_publication(
        &self,
        publication: &Publication,
        last: &mut Option<u64>,
    ) -> Result<(), Box<dyn Error>> {
        let data: serde_json::Value = publication.json()?;
        let number = |name: &str| data[name].as_u64().ok_or("a publication without a number");
        let n = number("n")?;
        if last.is_some_and(|last| n != last + 1) {
            self.silent_gaps.fetch_add(1, Relaxed);
        }
        *last = Some(n);
        if publication.replayed {
            self.replayed.fetch_add(1, Relaxed);
            return Ok(());
        }
        self.live.fetch_add(1, Relaxed);
        let late_ms = now_ms().saturating_sub(number("at")?);
        self.late_ms.lock().unwrap_or_else(PoisonError::into_inner).push(late_ms);
        Ok(())
    }

    fn mark(&self) -> Instant {
        let counts = [&self.recovered, &self.gaps, &self.silent_gaps, &self.live, &self.replayed];
        counts.iter().for_each(|count| count.store(0, Relaxed));
        self.late_ms.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Instant::now()
    }

    fn report(&self, since_mark: Duration) -> String {
        let mut late_ms =
            std::mem::take(&mut *self.late_ms.lock().unwrap_or_else(PoisonError::into_inner));
        late_ms.sort_unstable();
        let share = |share: f64| late_ms.get((late_ms.len() as f64 * share) as usize).copied();
        let count = |count: &AtomicU64| count.load(Relaxed);
        json!({
            "ms": u64::try_from(since_mark.as_millis()).unwrap_or(u64::MAX),
            "open": count(&self.open),
            "subscribed": count(&self.subscribed),
            "recovered": count(&self.recovered),
            "gaps": count(&self.gaps),
            "silentGaps": count(&self.silent_gaps),
            "live": count(&self.live),
            "replayed": count(&self.replayed),
            "failed": count(&self.failed),
            "p50": share(0.5),
            "p99": share(0.99),
        })
        .to_string()
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A connection that is reset by a word, and whenever it ends.
struct Cuttable {
    stream: TcpStream,
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Cuttable {
    async fn connect(address: SocketAddr, mut cut: watch::Receiver<u64>) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        stream.set_zero_linger()?;
        let cut = Box::pin(async move {
            let _ = cut.changed().await;
        });
        Ok(Self { stream, cut })
    }
}

impl AsyncRead for Cuttable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.cut.as_mut().poll(cx).is_ready() {
            self.cut = Box::pin(async {});
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Cuttable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
