//! A server with an endpoint that sends back what it gets, and clients of it over sockets.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod ending;
mod handshake;
mod heartbeat;
mod messages;
mod upgrade;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{Arrival, Batch, Ended, Message, Mount, Mounts, NotTaken, Options, Outlet, Upper};
use crate::config::Config;
use crate::server::{Handle, Server};
use crate::transport::Visitor;

/// When a test gives up; nothing takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(60);

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("it comes in time")
}

/// What the endpoint tells the test.
type News = mpsc::UnboundedReceiver<(Ended, usize)>;

struct TestServer {
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<io::Result<()>>>,
    news: News,
}

impl TestServer {
    fn start() -> Self {
        Self::with(Options::default(), Config::default())
    }

    /// As quick as the official suite wants it.
    fn quick() -> Self {
        Self::with(quick(), Config::default())
    }

    fn with(options: Options, mut config: Config) -> Self {
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.ephemeral = true;
        config.threads = NonZeroUsize::new(2);
        let (told, news) = mpsc::unbounded_channel();
        let mut mounts = Mounts::default();
        mounts.add("/engine.io/", options, &config, Arc::new(Echo { told }));
        let server = Server::bind_with(config, mounts).unwrap();
        let (address, handle) = (server.local_addr(), server.handle());
        Self { address, handle, thread: Some(thread::spawn(|| server.run())), news }
    }

    /// Why the next connection ended.
    async fn ended(&mut self) -> Ended {
        soon(self.news.recv()).await.unwrap().0
    }

    fn stop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !thread::panicking() {
                ended.unwrap().unwrap();
            }
        }
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop();
    }
}

fn quick() -> Options {
    Options {
        ping_interval: Duration::from_millis(300),
        ping_timeout: Duration::from_millis(200),
        ..Options::default()
    }
}

/// Sends back what it gets, and does what some words say.
struct Echo {
    told: mpsc::UnboundedSender<(Ended, usize)>,
}

struct Echoing {
    outlet: Arc<Outlet>,
    told: mpsc::UnboundedSender<(Ended, usize)>,
    received: usize,
    _visitor: Visitor,
}

impl Mount for Echo {
    fn open(&self, arrival: Arrival) -> Box<dyn Upper> {
        let Arrival { outlet, visitor, request, .. } = arrival;
        if request.headers().contains_key("x-greet") {
            outlet.send(&[Message::Text("welcome".into())]).unwrap();
        }
        if request.headers().contains_key("x-refuse") {
            outlet.send(&[Message::Text("no".into())]).unwrap();
            outlet.close(4005, "kicked");
        }
        Box::new(Echoing { outlet, told: self.told.clone(), received: 0, _visitor: visitor })
    }
}

impl Upper for Echoing {
    fn receive<'a>(
        &'a mut self,
        message: Message,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            self.received += 1;
            let word = match &message {
                Message::Text(text) => &**text,
                Message::Binary(_) => "",
            };
            match word {
                "kick" => self.outlet.close(4005, "kicked"),
                "panic" => panic!("on purpose"),
                "slow" => tokio::time::sleep(Duration::from_millis(1500)).await,
                "later" => {
                    let outlet = self.outlet.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        outlet.send(&[Message::Text("later".into())]).unwrap();
                    });
                }
                "batch" => {
                    let messages = [message.clone(), Message::Binary((&[1, 2][..]).into())];
                    let batch = Batch::new(&messages);
                    assert_eq!(batch.len(), 2);
                    self.outlet.send_batch(&batch, false);
                    self.outlet.send_batch(&batch, true);
                }
                // As a handler, which answers from another thread.
                word if word.starts_with("work") => {
                    let work = self.outlet.begin_work(word.len());
                    let outlet = self.outlet.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        if outlet.send(&[message]).is_err() {
                            outlet.close(4006, "slow consumer");
                        }
                        drop(work);
                    });
                }
                "flood" => {
                    let large = Message::Text("x".repeat(100_000).into());
                    let mut taken = 0;
                    let refused = loop {
                        match self.outlet.send(std::slice::from_ref(&large)) {
                            Ok(()) => taken += 1,
                            Err(refused) => break refused,
                        }
                    };
                    assert_eq!(refused, NotTaken::Full);
                    assert!(taken < 1000 && self.outlet.queued_bytes() >= 100_000);
                    self.outlet.close(4006, "slow consumer");
                }
                _ => self.outlet.send(std::slice::from_ref(&message)).unwrap(),
            }
        })
    }

    fn closed(&mut self, reason: Ended) {
        assert_eq!(self.outlet.send(&[Message::Text("x".into())]), Err(NotTaken::Closed));
        assert!(!self.outlet.is_writable());
        let _ = self.told.send((reason, self.received));
    }
}
