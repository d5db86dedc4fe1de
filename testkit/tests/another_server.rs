//! The checker against a server that is not Openline: one in this process, that keeps a list for each
//! channel. Lines go over sockets, so that they can be cut; what is said goes past them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openline_check::faults::{BrokerKind, Selection};
use openline_check::history::{self, Entry, Place};
use openline_check::run::{RunOptions, run_against};
use openline_check::seed::Seed;
use openline_check::subject::{Doing, Heard, Line, Message, Outcome, Pen, Stored, Subject};
use openline_check::verdict::{Rule, Verdict, judge};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    None,
    /// Passes over one message in a hundred.
    Drops,
    /// Publishes again what is sent again.
    ForgetsKeys,
    /// Takes any position for one of its own.
    BelievesPositions,
}

struct Server {
    bug: Bug,
    channels: Mutex<HashMap<String, Vec<Kept>>>,
    changed: watch::Sender<u64>,
}

#[derive(Clone)]
struct Kept {
    value: String,
    key: String,
}

/// The tag of an entry, which is told from its offset here.
fn tag(channel: &str, offset: u64) -> u64 {
    Seed::new(offset).part(channel).number()
}

fn place(channel: &str, offset: usize) -> Place {
    Place { epoch: 1, offset: offset as u64, tag: tag(channel, offset as u64) }
}

impl Server {
    fn new(bug: Bug) -> Arc<Self> {
        let (channels, changed) = (Mutex::new(HashMap::new()), watch::Sender::new(0));
        Arc::new(Self { bug, channels, changed })
    }

    fn take(&self, message: &Message) -> Outcome {
        let mut channels = self.channels.lock().unwrap();
        let kept = channels.entry(message.channel.clone()).or_default();
        let known = kept.iter().position(|kept| kept.key == message.key);
        let index = match known.filter(|_| self.bug != Bug::ForgetsKeys) {
            Some(index) if kept[index].value != message.value => {
                return Outcome::Refused("conflict".to_owned());
            }
            Some(index) => index,
            None => {
                kept.push(Kept { value: message.value.clone(), key: message.key.clone() });
                kept.len() - 1
            }
        };
        self.changed.send_modify(|changes| *changes += 1);
        let position = Some(place(&message.channel, index + 1).to_string());
        Outcome::Published {
            position,
            level: Some("memory".to_owned()),
            duplicate: known.is_some(),
        }
    }
}

/// A reader's line, or a publisher's.
struct Client {
    server: Arc<Server>,
    changed: watch::Receiver<u64>,
    socket: TcpStream,
    /// How many messages of each channel were given.
    given: HashMap<String, usize>,
    waiting: VecDeque<Heard>,
}

impl Client {
    async fn connect(server: Arc<Server>, address: SocketAddr) -> Result<Self, String> {
        let socket = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let changed = server.changed.subscribe();
        Ok(Self { server, changed, socket, given: HashMap::new(), waiting: VecDeque::new() })
    }

    fn join(&mut self, channel: &str, position: Option<&str>) {
        let head = self.server.channels.lock().unwrap().get(channel).map_or(0, Vec::len);
        let asked = position.map(|text| text.parse::<Place>().unwrap());
        let is_known = |asked: &Place| {
            self.server.bug == Bug::BelievesPositions
                || *asked == place(channel, asked.offset as usize)
        };
        let known = asked.filter(is_known).filter(|asked| asked.offset <= head as u64);
        let from = known.map_or(head, |asked| asked.offset as usize);
        self.given.insert(channel.to_owned(), from);
        self.waiting.push_back(Heard::Subscribed {
            channel: channel.to_owned(),
            position: Some(place(channel, head).to_string()),
            recovered: asked.map(|_| known.is_some()),
            reason: asked.filter(|_| known.is_none()).map(|_| "fork".to_owned()),
        });
    }

    fn fetch(&mut self) {
        let channels = self.server.channels.lock().unwrap();
        for (channel, given) in &mut self.given {
            let Some(kept) = channels.get(channel) else { continue };
            for kept in kept.iter().skip(*given) {
                *given += 1;
                let position = Some(place(channel, *given).to_string());
                if self.server.bug == Bug::Drops && *given % 100 == 99 {
                    continue;
                }
                let (channel, value) = (channel.clone(), kept.value.clone());
                self.waiting.push_back(Heard::Message { channel, value, position });
            }
        }
    }
}

impl Line for Client {
    fn comes_back(&self) -> bool {
        false
    }

    fn subscribe<'a>(
        &'a mut self,
        channel: &'a str,
        position: Option<&'a str>,
    ) -> Doing<'a, Result<(), String>> {
        self.join(channel, position);
        Box::pin(std::future::ready(Ok(())))
    }

    fn unsubscribe<'a>(&'a mut self, channel: &'a str) -> Doing<'a, Result<(), String>> {
        self.given.remove(channel);
        self.waiting.push_back(Heard::Left { channel: channel.to_owned() });
        Box::pin(std::future::ready(Ok(())))
    }

    fn heard(&mut self) -> Doing<'_, Result<Heard, String>> {
        Box::pin(async move {
            loop {
                if let Some(heard) = self.waiting.pop_front() {
                    return Ok(heard);
                }
                self.fetch();
                if self.waiting.is_empty() {
                    tokio::select! {
                        _ = self.changed.changed() => {}
                        _ = self.socket.read_u8() => return Err("the socket was closed".to_owned()),
                    }
                }
            }
        })
    }
}

impl Pen for Client {
    fn publish<'a>(&'a mut self, message: &'a Message) -> Doing<'a, Outcome> {
        Box::pin(std::future::ready(self.server.take(message)))
    }
}

struct Memory(Arc<Server>);

impl Subject for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn clients(&self) -> Vec<String> {
        vec!["direct".to_owned()]
    }

    fn is_contiguous(&self) -> bool {
        true
    }

    fn recovery_max(&self) -> u64 {
        u64::MAX
    }

    fn place(&self, position: &str) -> Option<Place> {
        position.parse().ok()
    }

    fn forged(&self, position: &str, seed: &mut Seed) -> Option<String> {
        let place = self.place(position)?;
        Some(Place { tag: seed.number(), ..place }.to_string())
    }

    fn connect<'a>(
        &'a self,
        _: &'a str,
        address: SocketAddr,
    ) -> Doing<'a, Result<Box<dyn Line>, String>> {
        let client = Client::connect(self.0.clone(), address);
        Box::pin(async { Ok(Box::new(client.await?) as Box<dyn Line>) })
    }

    fn connect_publisher(&self, address: SocketAddr) -> Doing<'_, Result<Box<dyn Pen>, String>> {
        let client = Client::connect(self.0.clone(), address);
        Box::pin(async { Ok(Box::new(client.await?) as Box<dyn Pen>) })
    }

    fn publish<'a>(&'a self, _: SocketAddr, message: &'a Message) -> Doing<'a, Outcome> {
        Box::pin(std::future::ready(self.0.take(message)))
    }

    fn stored<'a>(&'a self, _: SocketAddr, channel: &'a str) -> Doing<'a, Stored> {
        let channels = self.0.channels.lock().unwrap();
        let kept = channels.get(channel).map(Vec::as_slice).unwrap_or_default();
        let entry = |(index, kept): (usize, &Kept)| Entry {
            place: place(channel, index + 1),
            value: kept.value.clone(),
        };
        let entries = kept.iter().enumerate().map(entry).collect();
        Box::pin(std::future::ready(Ok((Some(place(channel, kept.len())), entries))))
    }
}

/// What the checker says after some seconds with this server.
async fn checked(bug: Bug) -> Verdict {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let holding = tokio::spawn(async move {
        let mut sockets = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            sockets.push(socket);
        }
    });
    let out = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("another-server-{bug:?}"));
    let options = RunOptions {
        broker: BrokerKind::Embedded,
        nodes: 1,
        seed: 1,
        length: Duration::from_secs(5),
        catch_up: Duration::from_secs(5),
        faults: Selection::None,
        faults_text: "none".to_owned(),
        bin: PathBuf::new(),
        out,
        clients: Vec::new(),
        sdk: None,
        config: String::new(),
        env: Vec::new(),
    };
    let history = run_against(&options, Arc::new(Memory(Server::new(bug))), vec![address]).await;
    holding.abort();
    judge(&history::read(&history.unwrap()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_server_that_keeps_the_promise_is_clean() {
    let verdict = checked(Bug::None).await;
    assert!(verdict.is_clean(), "{:#?}", verdict.findings);
    let counts = verdict.counts;
    assert!(counts.seen > 500 && counts.lost > 20 && counts.retried > 50, "{counts:?}");
    assert!(counts.signals.contains_key("fork"), "forged positions are refused: {counts:?}");
}

#[tokio::test]
async fn a_server_that_drops_messages_is_found_out() {
    assert!(checked(Bug::Drops).await.broken.contains_key(&Rule::Gap));
}

#[tokio::test]
async fn a_server_that_forgets_keys_is_found_out() {
    assert!(checked(Bug::ForgetsKeys).await.broken.contains_key(&Rule::Key));
}

#[tokio::test]
async fn a_server_that_believes_any_position_is_found_out() {
    assert!(checked(Bug::BelievesPositions).await.broken.contains_key(&Rule::Recovery));
}
