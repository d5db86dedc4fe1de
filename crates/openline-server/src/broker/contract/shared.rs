//! What brokers promise that several nodes share.

use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::places::shared_options;
use super::*;
use crate::broker::shared::testing::{Leak, Leaky};
use crate::broker::{Backend, Ear, NodeId, SharedBroker, SharedOptions};

/// What the broker of one more node is made with.
pub(super) struct Joining {
    pub(super) node: NodeId,
    options: SharedOptions,
    leak: Leak,
    tail: Arc<dyn Tail>,
    ear: Arc<dyn Ear>,
}

impl Joining {
    pub(super) fn on(self, backend: impl Backend) -> SharedBroker {
        let Self { options, leak, tail, ear, .. } = self;
        SharedBroker::new(Leaky::new(backend, leak), options, tail, ear)
    }
}

/// A store that nodes share.
pub(super) trait Site: Send + Sync {
    /// Opens the broker of one more node; its reports go by the leak.
    fn join(&self, joining: Joining) -> SharedBroker;

    /// Breaks the connections of a node, which does not get others until [`Site::mend`].
    fn cut(&self, node: NodeId);

    fn mend(&self, node: NodeId);

    /// Remembers what the store has now.
    fn snapshot(&self);

    /// Has the store begin anew with what was remembered.
    fn roll_back(&self);
}

/// Nodes that share a store.
pub(super) struct Nodes {
    site: Box<dyn Site>,
}

struct Node {
    id: NodeId,
    broker: SharedBroker,
    tail: Arc<Recorder>,
    ear: Arc<Notes>,
    leak: Leak,
}

/// An ear that remembers.
#[derive(Default)]
struct Notes {
    heard: Mutex<Vec<(NodeId, String)>>,
    interruptions: Mutex<usize>,
}

impl Ear for Notes {
    fn emitted(&self, from: NodeId, channel: ChannelName, said: Bytes) {
        let said = format!("{channel}: {}", String::from_utf8_lossy(&said));
        self.heard.lock().unwrap().push((from, said));
    }

    fn told(&self, from: NodeId, said: Bytes) {
        self.heard.lock().unwrap().push((from, String::from_utf8_lossy(&said).into_owned()));
    }

    fn interrupted(&self) {
        *self.interruptions.lock().unwrap() += 1;
    }
}

impl Nodes {
    pub(super) fn new(site: impl Site + 'static) -> Self {
        Self { site: Box::new(site) }
    }

    /// One more node, which looks at the heads so rarely that no test waits for it.
    fn join(&self) -> Node {
        self.join_with(Duration::from_secs(3600))
    }

    fn join_with(&self, probe_interval: Duration) -> Node {
        let id = NodeId(rand::random());
        let options = SharedOptions { probe_interval, ..shared_options() };
        let (tail, ear) = (Arc::<Recorder>::default(), Arc::<Notes>::default());
        let leak = Leak::default();
        let broker = self.site.join(Joining {
            node: id,
            options,
            leak: leak.clone(),
            tail: tail.clone(),
            ear: ear.clone(),
        });
        let node = Node { id, broker, tail, ear, leak };
        node.wait_until("it is connected", || node.interruptions() == 1);
        node
    }

    /// One more node, which listens to `room`.
    async fn join_listening(&self) -> Node {
        let node = self.join();
        node.listen("room").await;
        node
    }
}

impl Node {
    async fn listen(&self, channel: &str) {
        self.tail.hear(channel);
        soon(self.broker.listen(&name(channel))).await.unwrap();
    }

    /// The last listener leaves.
    fn unlisten(&self, channel: &str) {
        self.tail.heard.lock().unwrap().remove(&name(channel));
        self.broker.unlisten(&name(channel));
    }

    async fn put(&self, channel: &str, text: &str) -> Position {
        soon(self.broker.publish(draft(channel, text), None)).await.unwrap().position.unwrap()
    }

    async fn all(&self, channel: &str) -> Page {
        let answer = self.broker.query(&name(channel), &Query::default(), &LIMITS);
        soon(answer).await.unwrap().unwrap()
    }

    /// Waits until so many entries came of a channel.
    fn got(&self, channel: &str, count: usize) -> Vec<String> {
        texts(&self.tail.wait_for(channel, count))
    }

    fn lost(&self) -> Vec<(ChannelName, usize)> {
        self.tail.lost.lock().unwrap().clone()
    }

    fn interruptions(&self) -> usize {
        *self.ear.interruptions.lock().unwrap()
    }

    fn heard(&self) -> Vec<(NodeId, String)> {
        self.ear.heard.lock().unwrap().clone()
    }

    #[track_caller]
    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let until = Instant::now() + PATIENCE;
        while !is_so() {
            assert!(Instant::now() < until, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

pub(super) async fn an_entry_reaches_the_listeners_of_every_node_once_and_in_order(nodes: Nodes) {
    let (one, other) = (nodes.join_listening().await, nodes.join_listening().await);
    let mut answers = Vec::new();
    for number in 0..200 {
        let node = if number % 3 == 0 { &one } else { &other };
        answers.push(node.broker.publish(draft("room", &number.to_string()), None));
    }
    for answer in answers {
        soon(answer).await.unwrap();
    }
    let all = one.all("room").await.publications;
    assert_eq!(all.len(), 200);
    assert_chained(&all);
    for node in [&one, &other] {
        assert_eq!(node.tail.wait_for("room", 200), all, "every field of every entry");
    }
    one.put("room", "last").await;
    for node in [one, other] {
        assert_eq!(node.got("room", 201).len(), 201);
        assert_eq!(node.lost(), []);
    }
}

pub(super) async fn who_listens_and_then_reads_misses_nothing(nodes: Nodes) {
    let (publisher, done) = (nodes.join(), AtomicBool::new(false));
    let history = History { size: 100_000, ..HISTORY };
    let (reader, at) = (nodes.join(), AtomicBool::new(false));
    let (head, published) = std::thread::scope(|scope| {
        let publishing = scope.spawn(|| {
            let mut published = 0;
            while !done.load(Ordering::SeqCst) {
                let draft = Draft { history, ..draft("room", &published.to_string()) };
                wait(publisher.broker.publish(draft, None)).unwrap();
                published += 1;
                at.store(true, Ordering::SeqCst);
            }
            published
        });
        reader.wait_until("something is published", || at.load(Ordering::SeqCst));
        reader.tail.hear("room");
        wait(reader.broker.listen(&name("room"))).unwrap();
        let query = Query { limit: Some(1), ..Query::default() };
        let head = wait(reader.broker.query(&name("room"), &query, &LIMITS)).unwrap().unwrap().head;
        let came = reader.tail.len();
        reader.wait_until("more is published", || reader.tail.len() >= came + 20);
        done.store(true, Ordering::SeqCst);
        (head, publishing.join().unwrap())
    });
    let last = |node: &Node| node.tail.of("room", 0).last().and_then(|last| last.position);
    reader.wait_until("all came", || last(&reader).is_some_and(|at| at.offset == published));
    let came = reader.tail.of("room", 0);
    assert_chained(&came);
    assert_eq!(came.len() as u64, published + 1 - came[0].position.unwrap().offset);
    assert!(came[0].position.unwrap().offset <= head.offset + 1, "it joins what was read");
}

pub(super) async fn what_is_acked_at_one_node_is_read_at_the_other(nodes: Nodes) {
    let (one, other) = (nodes.join(), nodes.join());
    let beginning = one.all("room").await.head;
    for number in 0..20 {
        let position = one.put("room", &number.to_string()).await;
        assert_eq!(other.all("room").await.head, position);
    }
    let recovery = soon(other.broker.recover(&name("room"), beginning, &LIMITS)).await.unwrap();
    assert_eq!(texts(&recovery.missed.unwrap()), numbers(0..20));
}

pub(super) async fn retries_at_two_nodes_are_one_publication(nodes: Nodes) {
    let (one, other) = (nodes.join_listening().await, nodes.join_listening().await);
    for round in 0..10 {
        let keyed = || with_key("room", "same", &round.to_string());
        let answers = [&one, &other, &one].map(|node| node.broker.publish(keyed(), None));
        let mut published = Vec::new();
        for answer in answers {
            published.push(soon(answer).await.unwrap());
        }
        assert_eq!(published.iter().filter(|published| !published.duplicate).count(), 1);
        assert!(published.iter().all(|retry| retry.position == published[0].position));
    }
    one.put("room", "last").await;
    for node in [one, other] {
        assert_eq!(node.got("room", 11).len(), 11);
    }
}

pub(super) async fn a_node_gets_what_it_listens_to_and_nothing_else(nodes: Nodes) {
    let (one, other) = (nodes.join_listening().await, nodes.join());
    other.listen("other").await;
    for channel in ["room", "other", "neither"] {
        one.put(channel, channel).await;
    }
    one.listen("last").await;
    other.listen("last").await;
    one.put("last", "last").await;
    for (node, channel) in [(one, "room"), (other, "other")] {
        node.got("last", 1);
        assert_eq!(node.got(channel, 1), [channel]);
        assert_eq!(node.tail.len(), 2);
    }
}

pub(super) async fn nothing_is_heard_after_unlisten(nodes: Nodes) {
    let (one, other) = (nodes.join_listening().await, nodes.join_listening().await);
    one.put("room", "a").await;
    other.got("room", 1);
    other.unlisten("room");
    // What is asked after it is done after it.
    other.listen("mark").await;
    one.put("room", "b").await;
    one.put("mark", "1").await;
    other.got("mark", 1);
    other.listen("room").await;
    one.put("room", "c").await;
    assert_eq!(other.got("room", 2), ["a", "c"], "it listens from the head on");
    assert_eq!(other.lost(), []);
    assert_eq!(one.got("room", 3), ["a", "b", "c"]);
}

pub(super) async fn a_channel_that_is_heard_still_stays(nodes: Nodes) {
    let (one, other) = (nodes.join(), nodes.join_listening().await);
    for number in 0..20 {
        // One leaves as another comes: the tail says how it is.
        other.broker.unlisten(&name("room"));
        soon(other.broker.listen(&name("room"))).await.unwrap();
        one.put("room", &number.to_string()).await;
    }
    assert_eq!(other.got("room", 20), numbers(0..20));
}

pub(super) async fn a_node_whose_link_was_cut_catches_up(nodes: Nodes) {
    let (one, other) = (nodes.join_listening().await, nodes.join_listening().await);
    other.listen("quiet").await;
    one.put("room", "0").await;
    other.got("room", 1);
    nodes.site.cut(other.id);
    other.wait_until("it says so", || other.broker.health().ailment.is_some());
    for number in numbers(1..50) {
        one.put("room", &number).await;
    }
    nodes.site.mend(other.id);
    assert_eq!(other.got("room", 50), numbers(0..50));
    assert_eq!(other.lost(), [], "nothing was");
    other.wait_until("it says so", || other.broker.health().ailment.is_none());
    other.wait_until("what was said may have been missed", || other.interruptions() == 2);
    for channel in ["room", "quiet"] {
        one.put(channel, "live").await;
    }
    assert_eq!(other.got("room", 51)[50], "live");
    assert_eq!(other.got("quiet", 1), ["live"]);
}

pub(super) async fn a_lost_report_is_found_by_the_next_entry(nodes: Nodes) {
    let (one, other) = (nodes.join(), nodes.join_listening().await);
    one.put("room", "0").await;
    other.got("room", 1);
    other.leak.lose_next(3);
    for number in numbers(1..4) {
        one.put("room", &number).await;
    }
    other.wait_until("they are lost", || other.leak.left() == 0);
    assert_eq!(other.got("room", 1), ["0"]);
    one.put("room", "4").await;
    assert_eq!(other.got("room", 5), numbers(0..5));
    assert_eq!(other.lost(), []);
}

pub(super) async fn a_lost_report_that_nothing_follows_is_found_by_the_probe(nodes: Nodes) {
    let (one, other) = (nodes.join(), nodes.join_with(Duration::from_millis(200)));
    other.listen("room").await;
    other.leak.lose_next(3);
    for number in numbers(0..3) {
        one.put("room", &number).await;
    }
    assert_eq!(other.got("room", 3), numbers(0..3));
    assert_eq!((other.lost(), other.leak.left()), (Vec::new(), 0));
}

pub(super) async fn what_a_store_that_was_rolled_back_does_not_have_is_lost(nodes: Nodes) {
    let (one, other) = (nodes.join_listening().await, nodes.join_listening().await);
    for number in numbers(0..3) {
        one.put("room", &number).await;
    }
    nodes.site.snapshot();
    let mut reader = one.put("room", "3").await;
    for number in numbers(4..6) {
        reader = one.put("room", &number).await;
    }
    one.got("room", 6);
    other.got("room", 6);
    nodes.site.roll_back();
    // More than was lost, so that nothing but the tags tells.
    let until = Instant::now() + PATIENCE;
    let mut after = Vec::new();
    while after.len() < 6 {
        let text = format!("after {}", after.len());
        match soon(one.broker.publish(with_key("room", &text, &text), None)).await {
            Ok(published) => after.push((text, published.position.unwrap())),
            Err(error) => assert_eq!(error, BrokerError::Unavailable),
        }
        assert!(Instant::now() < until);
    }
    for node in [&one, &other] {
        node.wait_until("it is lost", || !node.lost().is_empty());
        assert_eq!(node.lost()[0], (name("room"), 6), "once six were handed on");
        node.put("room", "last").await;
        let last = |node: &Node| node.tail.of("room", 6).last().is_some_and(|p| text(p) == "last");
        node.wait_until("it goes on", || last(node));
    }
    let recovery = soon(other.broker.recover(&name("room"), reader, &LIMITS)).await.unwrap();
    assert_eq!(recovery.missed.unwrap_err(), Reason::Fork);
    for node in [&one, &other] {
        assert_chained(&node.tail.of("room", 6));
    }
}

pub(super) async fn what_is_said_reaches_others_and_not_oneself(nodes: Nodes) {
    let (one, other) = (nodes.join_listening().await, nodes.join_listening().await);
    let third = nodes.join();
    let link = one.broker.link().unwrap();
    link.emit(&name("room"), "emitted".into());
    link.cast("cast".into());
    link.tell(other.id, "told".into());
    // Each says something last, behind which nothing comes.
    for node in [&other, &third] {
        let expected = if node.id == other.id { 3 } else { 1 };
        node.wait_until("it is heard", || node.heard().len() >= expected);
        node.broker.link().unwrap().tell(one.id, "heard".into());
    }
    one.wait_until("they say so", || one.heard().len() == 2);
    let said = |said: &[&str]| said.iter().map(|s| (one.id, (*s).to_owned())).collect::<Vec<_>>();
    let sorted = |node: &Node| {
        let mut heard = node.heard();
        heard.sort();
        heard
    };
    assert_eq!(sorted(&other), said(&["cast", "room: emitted", "told"]));
    assert_eq!(sorted(&third), said(&["cast"]));
    assert!(one.heard().iter().all(|(from, said)| *from != one.id && said == "heard"));
}

pub(super) async fn what_is_said_stays_in_order(nodes: Nodes) {
    let (one, other) = (nodes.join_listening().await, nodes.join_listening().await);
    let link = one.broker.link().unwrap();
    for number in numbers(0..100) {
        link.emit(&name("room"), number.into());
    }
    other.wait_until("all is heard", || other.heard().len() >= 100);
    let said = |number| (one.id, format!("room: {number}"));
    assert_eq!(other.heard(), (0..100).map(said).collect::<Vec<_>>());
}
