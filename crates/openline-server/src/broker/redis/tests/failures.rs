//! What becomes of channels when Redis dies, hangs, forgets or is replaced.

use super::*;
use crate::broker::{Broker as _, Ear, SharedBroker, SharedOptions, Tail};

/// What a subscriber that checks the chain can see of what it is handed.
fn follows(publication: &Publication, before: Position) -> bool {
    let at = publication.position.unwrap();
    at.epoch == before.epoch && publication.prev_tag == before.tag
}

/// With another node that publishes all the time, so that nothing is quiet while something breaks.
struct Load {
    task: tokio::task::JoinHandle<Vec<Position>>,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

impl Load {
    fn start(node: Node) -> Self {
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut acked = Vec::new();
            while !stopped.load(std::sync::atomic::Ordering::SeqCst) {
                let number = acked.len().to_string();
                acked.push(node.insist("room", &number).await.position.unwrap());
            }
            acked
        });
        Self { task, stop }
    }

    /// Where what was published stands.
    async fn end(self) -> Vec<Position> {
        self.stop.store(true, std::sync::atomic::Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_redis_that_went_back_to_a_snapshot_is_told_from_one_that_did_not() {
    let mut server = RedisServer::start(Keeping::Snapshots);
    let mut node = Node::open(&server).await;
    node.backend.subscribe(&[name("room")]).await.unwrap();
    let kept = node.put_numbers("room", 0..5).await;
    server.save();
    let lost = node.put_numbers("room", 5..10).await;
    for _ in 0..10 {
        node.hear().await;
    }
    server.restart();
    node.wait_for_up().await;
    node.backend.subscribe(&[name("room")]).await.unwrap();
    assert_eq!(node.head("room").await, Some(kept[4]), "the probe finds it before any message");
    // In the same place as before, so that offset and epoch alone say that nothing is missing.
    let again = node.put_numbers("room", 10..16).await;
    assert_eq!((again[4].epoch, again[4].offset), (lost[4].epoch, lost[4].offset));
    assert_eq!(node.missed("room", lost[4]).await, Err(Reason::Fork));
    assert_eq!(node.missed("room", lost[0]).await, Err(Reason::Fork));
    assert_eq!(node.missed("room", kept[4]).await, Ok(numbers(10..16)));
    // Who heard the lost ones sees that what comes now does not follow on them.
    assert!(!follows(&*node.hear().await, lost[4]));
}

/// What was handed on, and where it broke off.
#[derive(Default)]
struct Witness(Mutex<Vec<Witnessed>>);

#[derive(Debug, PartialEq, Eq)]
enum Witnessed {
    Entry(String),
    Lost,
}

impl Tail for Witness {
    fn publish(&self, publication: Arc<Publication>, _: Option<Arc<str>>) {
        lock(&self.0).push(Witnessed::Entry(text(&publication)));
    }

    fn lost(&self, _: &ChannelName, _: Position) {
        lock(&self.0).push(Witnessed::Lost);
    }

    fn is_heard(&self, _: &ChannelName) -> bool {
        true
    }
}

struct Deaf;

impl Ear for Deaf {
    fn emitted(&self, _: NodeId, _: ChannelName, _: Bytes) {}
    fn told(&self, _: NodeId, _: Bytes) {}
    fn interrupted(&self) {}
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn who_listened_when_redis_went_back_is_told_so() {
    let mut server = RedisServer::start(Keeping::Snapshots);
    let node = Node::open(&server).await;
    let id = NodeId(rand::random());
    let backend = RedisBackend::new(&settings(&server.url()), id, WINDOW_MS).unwrap();
    let (second, often) = (Duration::from_secs(1), Duration::from_millis(200));
    let options = SharedOptions::new(server.url(), second, often);
    let witness = Arc::new(Witness::default());
    let broker = SharedBroker::new(backend, options, witness.clone(), Arc::new(Deaf));
    while broker.listen(&name("room")).await.is_err() {}
    node.put_numbers("room", 0..5).await;
    server.save();
    node.put_numbers("room", 5..10).await;
    let entries = |of| numbers(of).into_iter().map(Witnessed::Entry);
    let wait_for = async |count: usize| {
        let until = Instant::now() + PATIENCE;
        while lock(&witness.0).len() < count {
            assert!(Instant::now() < until, "{:?}", lock(&witness.0));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    wait_for(10).await;
    server.restart();
    for number in numbers(10..16) {
        node.insist("room", &number).await;
    }
    wait_for(11).await;
    let mut witnessed = std::mem::take(&mut *lock(&witness.0));
    assert!(witnessed[..10].iter().eq(&entries(0..10).collect::<Vec<_>>()), "{witnessed:?}");
    assert_eq!(witnessed[10], Witnessed::Lost, "before anything that does not follow");
    witnessed.drain(..11);
    // From there on all is handed on again.
    let last = with_key("room", "last", "last");
    node.backend.publish(last, None).await.unwrap();
    let until = Instant::now() + PATIENCE;
    while witnessed.last() != Some(&Witnessed::Entry("last".to_owned())) {
        assert!(Instant::now() < until, "{witnessed:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
        witnessed.append(&mut lock(&witness.0));
    }
    assert!(!witnessed.contains(&Witnessed::Lost), "{witnessed:?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_redis_with_a_log_loses_nothing_when_it_is_killed() {
    let mut server = RedisServer::start(Keeping::Log);
    let node = Node::open(&server).await;
    let mut watching = Node::open(&server).await;
    let beginning = node.all("room").await.head;
    let load = Load::start(Node::open(&server).await);
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.restart();
        watching.wait_for_up().await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let acked = load.end().await;
    let limits = PageLimits { publications_max: 1_000_000, bytes_max: 1 << 30 };
    let read = watching.backend.recover(&name("room"), beginning, &limits).await.unwrap();
    let kept: Vec<_> = read.missed.unwrap().iter().map(|it| it.position.unwrap()).collect();
    assert!(acked.len() > 10);
    assert_eq!(acked, kept, "each once, in order");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_retry_across_a_restart_is_a_duplicate() {
    let mut server = RedisServer::start(Keeping::Log);
    let mut node = Node::open(&server).await;
    let first = node.backend.publish(with_key("room", "a", "key"), None).await.unwrap();
    server.restart();
    node.wait_for_up().await;
    let again = node.backend.publish(with_key("room", "a", "key"), None).await.unwrap();
    assert_eq!(again, Published { duplicate: true, ..first });
    let other = node.backend.publish(with_key("room", "b", "key"), None).await;
    assert!(matches!(other, Err(BrokerError::Conflict { .. })), "{other:?}");
    assert_eq!(texts(&node.all("room").await.publications), ["a"]);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_link_for_topics_that_is_killed_under_load_loses_nothing() {
    let server = RedisServer::start(Keeping::Nothing);
    let mut node = Node::open(&server).await;
    let mut place = node.all("room").await.head;
    let load = Load::start(Node::open(&server).await);
    let mut seen = Vec::new();
    for _ in 0..4 {
        node.backend.subscribe(&[name("room")]).await.unwrap();
        // First subscribe, then read, then go on with what is heard.
        let limits = PageLimits { publications_max: 1_000_000, bytes_max: 1 << 30 };
        let read = node.backend.recover(&name("room"), place, &limits).await.unwrap();
        for publication in read.missed.unwrap() {
            place = publication.position.unwrap();
            seen.push(place);
        }
        let heard = seen.len() + 50;
        while seen.len() < heard {
            let publication = node.hear().await;
            let at = publication.position.unwrap();
            if at.offset > place.offset {
                assert!(follows(&publication, place), "{at:?} after {place:?}");
                place = at;
                seen.push(at);
            }
        }
        let killed = server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        assert!(killed.parse::<u32>().unwrap() >= 1);
        let why = node.wait_for_down().await;
        assert!(!why.is_empty());
        node.wait_for_up().await;
    }
    let acked = load.end().await;
    assert!(seen.len() >= 200);
    assert_eq!(seen, acked[..seen.len()]);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn commands_on_their_way_are_answered_when_only_the_topics_break() {
    let server = RedisServer::start(Keeping::Nothing);
    let mut node = Node::open(&server).await;
    for round in 0..5 {
        let publish =
            |number: usize| node.backend.publish(draft("room", &format!("{round} {number}")), None);
        let killed = async {
            server.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]);
            Ok(None)
        };
        let publish = |number| {
            let published = publish(number);
            async { published.await.map(Some) }
        };
        let mut all: Vec<std::pin::Pin<Box<dyn Future<Output = _>>>> = Vec::new();
        for number in 0..200 {
            all.push(Box::pin(publish(number)));
        }
        all.insert(100, Box::pin(killed));
        for published in together(all).await {
            published.unwrap();
        }
        node.wait_for_up().await;
    }
    assert_eq!(node.head("room").await.unwrap().offset, 1000);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_redis_that_hangs_is_unavailable_in_time_and_heals() {
    let server = RedisServer::start(Keeping::Nothing);
    let mut node = Node::open(&server).await;
    let first = node.put("room", "before").await;
    server.stop();
    let since = Instant::now();
    let asked = together((0..50).map(|number| {
        node.backend.publish(with_key("room", &number.to_string(), &number.to_string()), None)
    }));
    for answer in asked.await {
        assert_eq!(answer, Err(BrokerError::Unavailable));
    }
    let took = since.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}, twice the timeout");
    assert!(node.wait_for_down().await.contains("did not answer"));
    // While it is away nothing waits longer either.
    let since = Instant::now();
    let query = node.backend.query(&name("room"), &Query::default(), &LIMITS).await;
    assert_eq!(query.unwrap_err(), BrokerError::Unavailable);
    assert!(since.elapsed() < Duration::from_secs(2));
    server.go_on();
    node.wait_for_up().await;
    // The keys tell which of them Redis did after all.
    for number in 0..50 {
        node.insist("room", &number.to_string()).await;
    }
    let mut all = texts(&node.all("room").await.publications);
    all.sort_by_key(|text| text.parse::<i64>().unwrap_or(-1));
    assert_eq!(all[0], "before");
    assert_eq!(all[1..], numbers(0..50), "each once");
    assert_eq!(node.missed("room", first).await.unwrap().len(), 50);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_node_that_only_listens_notices_that_redis_hangs() {
    let server = RedisServer::start(Keeping::Nothing);
    let mut node = Node::open(&server).await;
    server.stop();
    assert!(node.wait_for_down().await.contains("did not answer"));
    server.go_on();
    node.wait_for_up().await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_redis_evicts_is_never_missed_in_silence() {
    let memory = ["--maxmemory", "5mb", "--maxmemory-policy", "allkeys-lru"];
    let server = RedisServer::with(Keeping::Nothing, &memory);
    let node = Node::open(&server).await;
    assert!(node.backend.warnings().iter().any(|warning| warning.contains("allkeys-lru")));
    let mut places = Vec::new();
    for room in 0..60 {
        let room = format!("room:{room}");
        places.push((node.put_numbers(&room, 0..3).await, room));
    }
    let filling = "x".repeat(20_000);
    for number in 0..400 {
        node.put(&format!("fill:{number}"), &filling).await;
    }
    let evicted = server.ask(&["INFO", "stats"]);
    let evicted = evicted.lines().find_map(|line| line.strip_prefix("evicted_keys:")).unwrap();
    assert!(evicted.trim().parse::<u32>().unwrap() > 100, "{evicted}");
    let mut reasons = std::collections::BTreeMap::new();
    for (acked, room) in &places {
        match node.missed(room, acked[0]).await {
            Ok(missed) => assert_eq!(missed, numbers(1..3)),
            Err(reason) => *reasons.entry(reason.as_str()).or_insert(0) += 1,
        }
        // What comes next says itself that it does not follow on what was there.
        let at = node.put(room, "next").await;
        let all = node.all(room).await.publications;
        let next = all.iter().find(|it| it.position == Some(at)).unwrap();
        assert!(follows(next, acked[2]) || at.epoch != acked[2].epoch);
        if at.epoch != acked[2].epoch {
            assert_eq!(node.missed(room, acked[2]).await, Err(Reason::Epoch));
        }
    }
    assert!(!reasons.is_empty());
    assert!(reasons.keys().all(|reason| ["epoch", "trimmed"].contains(reason)), "{reasons:?}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_stream_that_is_gone_without_its_meta_is_trimmed_and_goes_on() {
    let server = RedisServer::start(Keeping::Nothing);
    let node = Node::open(&server).await;
    let acked = node.put_numbers("room", 0..5).await;
    assert_eq!(server.ask(&["DEL", "openline:{room}:s"]), "1");
    assert_eq!(node.missed("room", acked[0]).await, Err(Reason::Trimmed));
    assert_eq!(node.missed("room", acked[4]).await, Ok(Vec::new()));
    node.put("room", "next").await;
    assert_eq!(node.missed("room", acked[4]).await, Ok(vec!["next".to_owned()]));
    assert_eq!(node.missed("room", acked[2]).await, Err(Reason::Trimmed));
    // The other way round there is nothing to go on from.
    assert_eq!(server.ask(&["DEL", "openline:{room}:m"]), "1");
    assert_eq!(node.missed("room", acked[4]).await, Err(Reason::Epoch));
    assert!(node.all("room").await.publications.is_empty());
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_replica_that_lagged_and_was_promoted_is_a_fork() {
    let primary = RedisServer::start(Keeping::Nothing);
    let port = primary.port.to_string();
    let replica = RedisServer::with(Keeping::Nothing, &["--replicaof", "127.0.0.1", &port]);
    let node = Node::open(&primary).await;
    let kept = node.put_numbers("room", 0..5).await;
    assert_eq!(primary.ask(&["WAIT", "1", "10000"]), "1");
    replica.stop();
    let lost = node.put_numbers("room", 5..10).await;
    drop(primary);
    replica.go_on();
    // Before it is promoted it is refused: it would not take what is published.
    let mut promoted = Node::begin(&settings(&replica.url()));
    let why = promoted.wait_for_down().await;
    assert!(why.contains("it is a replica of 127.0.0.1"), "{why}");
    assert_eq!(replica.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
    promoted.wait_for_up().await;
    promoted.put_numbers("room", 10..16).await;
    for at in [lost[4], lost[0]] {
        let missed = promoted.missed("room", at).await;
        let was_kept = promoted.missed("room", kept[4]).await;
        // What had reached it when it was stopped may be there still.
        assert!(missed == Err(Reason::Fork) || was_kept == Ok(numbers(5..16)), "{missed:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_primary_that_becomes_a_replica_is_left_until_it_is_one_again() {
    let (server, other) =
        (RedisServer::start(Keeping::Nothing), RedisServer::start(Keeping::Nothing));
    let mut node = Node::open(&server).await;
    node.put("room", "x").await;
    let port = other.port.to_string();
    assert_eq!(server.ask(&["REPLICAOF", "127.0.0.1", &port]), "OK");
    let refused = node.backend.publish(draft("room", "y"), None).await;
    assert_eq!(refused, Err(BrokerError::Unavailable));
    while !node.wait_for_down().await.contains("it is a replica of") {}
    assert_eq!(server.ask(&["REPLICAOF", "NO", "ONE"]), "OK");
    node.wait_for_up().await;
    node.put("room", "z").await;
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_redis_without_memory_refuses_and_changes_nothing() {
    let server = RedisServer::with(Keeping::Nothing, &["--maxmemory-policy", "noeviction"]);
    let node = Node::open(&server).await;
    let acked = node.put_numbers("room", 0..3).await;
    server.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    for channel in ["room", "new"] {
        let refused = node.backend.publish(with_key(channel, "refused", "key"), None).await;
        assert_eq!(refused, Err(BrokerError::StorageFull), "{channel}");
    }
    assert_eq!(node.missed("room", acked[0]).await, Ok(numbers(1..3)), "reading goes on");
    server.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    let published = node.backend.publish(with_key("room", "refused", "key"), None).await.unwrap();
    assert!(!published.duplicate, "what was refused was not published");
    assert_eq!(node.missed("room", acked[2]).await, Ok(vec!["refused".to_owned()]));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn scripts_that_redis_forgot_are_told_again_and_nothing_is_overtaken() {
    let server = RedisServer::start(Keeping::Nothing);
    let node = Node::open(&server).await;
    for round in 0..5 {
        server.ask(&["SCRIPT", "FLUSH"]);
        let publish = |number| node.backend.publish(draft("room", number), None);
        let all = numbers(round * 300..(round + 1) * 300);
        for published in together(all.iter().map(|number| publish(number))).await {
            published.unwrap();
        }
    }
    let read = Query { since_time: Some(0), ..Query::default() };
    let all = node.backend.query(&name("room"), &read, &LIMITS).await.unwrap().unwrap();
    assert_eq!(texts(&all.publications), numbers(500..1500), "in the order of the calls");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_redis_that_comes_later_is_waited_for() {
    let port = testing::free_port();
    let mut node = Node::begin(&settings(&format!("redis://127.0.0.1:{port}")));
    node.wait_for_down().await;
    let waiting = node.backend.publish(draft("room", "x"), None).await;
    assert_eq!(waiting, Err(BrokerError::Unavailable));
    let server = RedisServer::at(port);
    node.wait_for_up().await;
    node.put("room", "x").await;
    drop(server);
}
