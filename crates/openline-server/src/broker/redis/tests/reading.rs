//! What readers get, compared with the engine's own streams, and what is heard.

use openline_engine::Stream;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::*;

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_is_published_is_read_and_heard_as_it_was() {
    let server = RedisServer::start(Keeping::Nothing);
    let mut node = Node::open(&server).await;
    let hostile = "}a{%:ü";
    node.backend.subscribe(&[name(hostile)]).await.unwrap();
    let mut whole = with_key(hostile, "x", "} {");
    whole.event = Some("said".into());
    whole.from = Some(openline_protocol::Sender { client_id: "c".into(), user: Some("u".into()) });
    let mut bytes = draft(hostile, "x");
    bytes.data = Data::Binary(Bytes::from_static(&[0, 255, 13, 10]));
    let passing = Draft { history: History { size: 0, ttl_ms: 0 }, ..draft(hostile, "passes") };
    for (draft, except) in [(whole, Some(Arc::from("me"))), (bytes, None), (passing, None)] {
        let published = node.backend.publish(draft.clone(), except.clone()).await.unwrap();
        let Report::Published { publication, except: left_out } = node.next().await else {
            panic!("it was published")
        };
        assert_eq!(left_out, except);
        let heard = (&publication.channel, &publication.event, &publication.data);
        assert_eq!(heard, (&draft.channel, &draft.event, &draft.data));
        assert_eq!((&publication.from, publication.timestamp), (&draft.from, published.timestamp));
        assert_eq!(publication.position, published.position);
        if published.position.is_some() {
            assert_eq!(*node.all(hostile).await.publications.last().unwrap(), publication);
        }
    }
    assert_eq!(node.all(hostile).await.publications.len(), 2);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn answers_are_those_of_a_stream_in_memory() {
    let server = RedisServer::start(Keeping::Nothing);
    let node = Node::open(&server).await;
    for seed in 0..8 {
        let mut random = SmallRng::seed_from_u64(seed);
        let channel = format!("room:{seed}");
        let history = History { size: random.random_range(1..60), ..HISTORY };
        let published = together((0..random.random_range(0..80)).map(|_| {
            let text = "x".repeat(random.random_range(0..30));
            node.backend.publish(Draft { history, ..draft(&channel, &text) }, None)
        }));
        assert!(published.await.iter().all(Result::is_ok));
        let all = node.all(&channel).await;
        let mut stream = Stream::new(all.head.epoch);
        for publication in &all.publications {
            let sequence = publication.position.unwrap().offset;
            assert!(stream.restore(publication.clone(), sequence).is_empty());
        }
        assert_eq!(stream.head(), all.head);
        for _ in 0..200 {
            let (query, limits) = question(&mut random, &all);
            let ours = node.backend.query(&name(&channel), &query, &limits).await.unwrap();
            let theirs = stream.query(&query, &limits);
            let seen = |page: Result<Page, Reason>| {
                page.map(|page| (page.publications, page.head, page.more))
            };
            assert_eq!(seen(ours), seen(theirs), "seed {seed}: {query:?} {limits:?}");
            let Some(since) = query.since else { continue };
            let ours = node.backend.recover(&name(&channel), since, &limits).await.unwrap();
            let theirs = stream.recover(since, &limits);
            assert_eq!((ours.missed, ours.head), (theirs.missed, theirs.head), "seed {seed}");
        }
    }
}

/// Something to ask, which may make no sense.
fn question(random: &mut SmallRng, all: &Page) -> (Query, PageLimits) {
    let position = |random: &mut SmallRng| {
        let known = all.publications.len();
        let at = match random.random_range(0..4) {
            0 => Position { offset: random.random_range(0..90), ..all.head },
            1 => Position { tag: 0, offset: 0, ..all.head },
            _ if known == 0 => all.head,
            _ => all.publications[random.random_range(0..known)].position.unwrap(),
        };
        match random.random_range(0..12) {
            0 => Position { tag: at.tag ^ 1, ..at },
            1 => Position { epoch: at.epoch ^ 1, ..at },
            2 => Position { offset: u64::MAX, ..at },
            _ => at,
        }
    };
    let since = random.random_bool(0.5).then(|| position(random));
    let before = random.random_bool(0.3).then(|| position(random));
    let times: Vec<_> = all.publications.iter().map(|it| it.timestamp).collect();
    let time = times.get(random.random_range(0..times.len().max(1))).copied().unwrap_or(5);
    let query = Query {
        since,
        before,
        since_time: random.random_bool(0.3).then(|| time + random.random_range(0..2)),
        limit: random.random_bool(0.5).then(|| random.random_range(0..100)),
        reverse: random.random_bool(0.5),
    };
    let publications_max = random.random_range(1..100);
    (query, PageLimits { publications_max, bytes_max: random.random_range(1..1000) })
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn heads_and_extents_tell_what_there_is() {
    let server = RedisServer::start(Keeping::Nothing);
    let node = Node::open(&server).await;
    let beginning = node.all("empty").await.head;
    let acked = node.put_numbers("room", 0..3).await;
    let channels = ["room", "empty", "never-used"].map(name);
    let heads = node.backend.heads(&channels).await.unwrap();
    assert_eq!(heads, [Some(acked[2]), None, None]);
    assert_eq!(node.backend.extent(&channels[2]).await, Ok(None));
    let empty = node.backend.extent(&channels[1]).await.unwrap().unwrap();
    assert_eq!((empty.entries, empty.head, empty.newest_ms), (0, beginning, None));
    let extent = node.backend.extent(&channels[0]).await.unwrap().unwrap();
    assert_eq!((extent.entries, extent.head), (3, acked[2]));
    let newest = node.all("room").await.publications[2].timestamp;
    assert!(extent.bytes > 100 && extent.newest_ms == Some(newest), "{extent:?}");
    node.backend.clear(&channels[0]).await.unwrap();
    assert_eq!(node.missed("room", acked[2]).await, Ok(Vec::new()), "nothing was missed");
    assert_eq!(node.missed("room", acked[0]).await, Err(Reason::Trimmed));
    assert_eq!(node.backend.extent(&channels[0]).await.unwrap().unwrap().entries, 0);
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn nodes_hear_each_other_and_not_themselves() {
    let server = RedisServer::start(Keeping::Nothing);
    let (mut one, mut two) = (Node::open(&server).await, Node::open(&server).await);
    two.backend.subscribe(&[name("room")]).await.unwrap();
    one.backend.subscribe(&[name("room")]).await.unwrap();
    let said = |text: &'static str| Bytes::from_static(text.as_bytes());
    one.backend.emit(&name("room"), said("emitted")).await;
    one.backend.emit(&name("another"), said("unheard")).await;
    one.backend.cast(said("cast")).await;
    one.backend.tell(two.backend.node, said("told")).await;
    one.backend.tell(NodeId(7), said("to another")).await;
    one.put("room", "end").await;
    let from = one.backend.node;
    let told = |report: Report| match report {
        Report::Emitted { from, channel, said } => (from, channel.to_string(), said),
        Report::Told { from, said } => (from, String::new(), said),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(two.next().await), (from, "room".to_owned(), said("emitted")));
    assert_eq!(told(two.next().await), (from, String::new(), said("cast")));
    assert_eq!(told(two.next().await), (from, String::new(), said("told")));
    assert_eq!(text(&*two.hear().await), "end");
    let own = one.next().await;
    assert!(matches!(own, Report::Published { .. }), "{own:?}");
    two.backend.unsubscribe(&[name("room")]).await;
    one.put("room", "unheard").await;
    one.backend.cast(said("last")).await;
    assert_eq!(told(two.next().await).2, said("last"));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_is_old_goes_and_the_channel_is_remembered() {
    let server = RedisServer::start(Keeping::Nothing);
    let node = Node::open(&server).await;
    let history = History { size: 100, ttl_ms: 1000 };
    let publish = async |text: &str| {
        let draft = Draft { history, ..draft("room", text) };
        node.backend.publish(draft, None).await.unwrap().position.unwrap()
    };
    let early = [publish("0").await, publish("1").await];
    tokio::time::sleep(Duration::from_millis(600)).await;
    let late = publish("2").await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(node.missed("room", early[0]).await, Err(Reason::Expired));
    assert_eq!(node.missed("room", early[1]).await, Ok(vec!["2".to_owned()]));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(node.missed("room", early[1]).await, Err(Reason::Expired));
    assert_eq!(node.missed("room", late).await, Ok(Vec::new()));
    let day = 24 * 3600 * 1000;
    let left = |key: &str| server.ask(&["PTTL", key]).parse::<i64>().unwrap();
    assert!(left("openline:{room}:m") > day, "the head outlives the entries by a day");
    assert!((1..120_000).contains(&left("openline:{room}:s")));
    node.all("another").await;
    assert!((day - 60_000..=day).contains(&left("openline:{another}:m")));
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn a_key_is_forgotten_after_its_window_and_not_before() {
    let server = RedisServer::start(Keeping::Nothing);
    let node = Node::with_window(&server, 1500).await;
    let publish =
        async |text: &str| node.backend.publish(with_key("room", text, "key"), None).await;
    let first = publish("a").await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let Err(BrokerError::Conflict { key, age_ms }) = publish("b").await else { panic!() };
    assert!(key == "key" && (800..1500).contains(&age_ms), "{age_ms}");
    // A retry does not make it last longer.
    assert_eq!(publish("a").await, Ok(Published { duplicate: true, ..first.clone() }));
    tokio::time::sleep(Duration::from_millis(800)).await;
    let second = publish("b").await.unwrap();
    assert!(!second.duplicate && second.position != first.position);
    // By when they were published, with what has no entry of its time in between.
    for (since_time, expected) in [(first.timestamp, "ab"), (first.timestamp + 1, "b")] {
        let query = Query { since_time: Some(since_time), ..Query::default() };
        let page = node.backend.query(&name("room"), &query, &LIMITS).await.unwrap().unwrap();
        assert_eq!(texts(&page.publications).concat(), expected);
    }
}
