//! What channels promise, by the backend alone.

use super::*;

#[tokio::test]
#[ignore = "needs nats-server"]
async fn what_is_published_is_heard_and_read_in_its_order() {
    let server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    let beginning = trial.head("room").await;
    trial.subscribe("room").await;
    let acked = trial.put_numbers("room", 0..20).await;
    let all = trial.all("room").await;
    assert_eq!(texts(&all.publications), numbers(0..20));
    assert_chained(&all.publications);
    assert_eq!((all.head, all.publications[0].prev_tag), (acked[19], beginning.tag));
    for publication in &all.publications {
        assert_eq!(&trial.next_publication().await, publication);
    }
    for (index, since) in acked.iter().enumerate() {
        assert_eq!(trial.missed("room", *since).await, Ok(numbers(index + 1..20)));
    }
    assert_eq!(trial.missed("room", beginning).await, Ok(numbers(0..20)));
    let heads = trial.backend.heads(&[name("room"), name("never")]).await.unwrap();
    assert_eq!(heads, [Some(acked[19]), None]);
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn what_is_published_together_has_the_order_of_the_calls() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    let mut published = tokio::task::JoinSet::new();
    for number in 0..500 {
        let (backend, draft) = (trial.backend.clone(), draft("room", &number.to_string()));
        // A runtime of one thread polls them first in the order in which they were spawned.
        published.spawn(async move { (number, backend.publish(draft, None).await.unwrap()) });
    }
    while let Some(done) = published.join_next().await {
        let (number, published) = done.unwrap();
        assert_eq!(published.position.unwrap().offset, number + 1);
    }
    let all = trial.all("room").await.publications;
    assert_eq!(texts(&all), numbers(0..500));
    assert_chained(&all);
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn what_is_not_kept_is_heard_and_leaves_the_chain_whole() {
    let server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    trial.subscribe("room").await;
    let first = trial.put("room", "0").await;
    let passing = Draft { history: History { size: 0, ttl_ms: 0 }, ..draft("room", "passes by") };
    assert_eq!(trial.publish(passing).await.position, None);
    trial.put("room", "1").await;
    let mut heard = Vec::new();
    for _ in 0..3 {
        heard.push(trial.next_text().await);
    }
    assert_eq!(heard, ["0", "passes by", "1"]);
    assert_eq!(trial.missed("room", first).await, Ok(numbers(1..2)));
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn what_is_beyond_size_or_time_is_gone_and_it_is_told_why() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    let history = History { size: 3, ttl_ms: 1000 };
    let mut acked = Vec::new();
    for number in numbers(0..6) {
        let draft = Draft { history, ..draft("room", &number) };
        acked.push(trial.publish(draft).await.position.unwrap());
    }
    assert_eq!(texts(&trial.all("room").await.publications), numbers(3..6));
    assert_eq!(trial.missed("room", acked[1]).await, Err(Reason::Trimmed));
    assert_eq!(trial.missed("room", acked[2]).await, Ok(numbers(3..6)));
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(trial.missed("room", acked[2]).await, Err(Reason::Expired));
    assert_eq!(trial.missed("room", acked[5]).await, Ok(Vec::new()), "nothing was missed");
    let late = trial.publish(Draft { history, ..draft("room", "late") }).await;
    assert_eq!(trial.missed("room", acked[4]).await, Err(Reason::Expired));
    assert_eq!(trial.missed("room", acked[5]).await, Ok(vec!["late".to_owned()]));
    let all = trial.all("room").await;
    assert_eq!(
        (texts(&all.publications), Some(all.head)),
        (vec!["late".to_owned()], late.position)
    );
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn positions_of_another_history_or_incarnation_are_told_apart() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    let beginning = trial.head("room").await;
    let acked = trial.put_numbers("room", 0..3).await;
    let other = |at: Position| Position { tag: at.tag ^ 1, ..at };
    let ahead = Position { offset: acked[2].offset + 5, ..acked[2] };
    for at in [other(beginning), other(acked[0]), other(acked[2]), ahead] {
        assert_eq!(trial.missed("room", at).await, Err(Reason::Fork), "{at:?}");
        for before in [true, false] {
            let mut query = Query { since: Some(at), ..Query::default() };
            if before && at.offset > 0 {
                query = Query { before: Some(at), ..Query::default() };
            }
            assert_eq!(trial.query("room", query).await.unwrap_err(), Reason::Fork, "{at:?}");
        }
    }
    for channel in ["room", "never"] {
        let at = Position { epoch: acked[1].epoch.wrapping_add(1), ..acked[1] };
        assert_eq!(trial.missed(channel, at).await, Err(Reason::Epoch));
    }
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_long_history_is_read_in_pages_from_both_ends_and_from_a_time_on() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    let beginning = trial.head("room").await;
    let mut acked = Vec::new();
    for number in 0..60 {
        acked.push(trial.put("room", &number.to_string()).await);
        // So that its messages are not evenly spread over the stream.
        if number % 20 == 7 {
            trial.put_numbers("other", 0..50).await;
        }
    }
    for since in [0, 1, 20, 41, 58] {
        let query = Query { since: Some(acked[since]), limit: Some(7), ..Query::default() };
        let page = trial.query("room", query).await.unwrap();
        let last = (since + 8).min(60);
        assert_eq!((texts(&page.publications), page.more), (numbers(since + 1..last), last < 60));
        let query = Query { before: Some(acked[since]), limit: Some(7), ..Query::default() };
        let page = trial.query("room", query).await.unwrap();
        let first = since.saturating_sub(7);
        assert_eq!((texts(&page.publications), page.more), (numbers(first..since), first > 0));
        let (since, before) = (Some(acked[since]), Some(acked[59]));
        let query = Query { since, before, reverse: true, limit: Some(3), ..Query::default() };
        let page = trial.query("room", query).await.unwrap();
        let all = numbers(since.unwrap().offset as usize..59);
        let newest: Vec<_> = all.iter().rev().take(3).cloned().collect();
        assert_eq!((texts(&page.publications), page.more), (newest, all.len() > 3));
    }
    assert_eq!(trial.missed("room", beginning).await, Ok(numbers(0..60)));
    let (few, room) = (PageLimits { publications_max: 10, ..LIMITS }, name("room"));
    let recover = |since| trial.backend.recover(&room, since, &few);
    assert_eq!(recover(acked[48]).await.unwrap().missed.unwrap_err(), Reason::Limit);
    assert_eq!(texts(&recover(acked[49]).await.unwrap().missed.unwrap()), numbers(50..60));
    let all = trial.all("room").await.publications;
    for from in [0, 25, 59] {
        let query = Query { since_time: Some(all[from].timestamp), ..Query::default() };
        let page = trial.query("room", query).await.unwrap();
        let first = all.iter().position(|other| other.timestamp == all[from].timestamp).unwrap();
        assert_eq!(texts(&page.publications), numbers(first..60));
    }
    let extent = trial.backend.extent(&name("room")).await.unwrap().unwrap();
    assert_eq!((extent.entries, extent.head), (60, acked[59]));
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_history_of_many_messages_is_read_whole() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    let beginning = trial.head("room").await;
    // One by one, so that each is a message of its own.
    let acked = trial.put_numbers("room", 0..700).await;
    assert_eq!(trial.missed("room", beginning).await, Ok(numbers(0..700)));
    assert_eq!(trial.missed("room", acked[499]).await, Ok(numbers(500..700)));
    let all = trial.all("room").await.publications;
    assert_eq!(texts(&all), numbers(0..700));
    assert_chained(&all);
    let query = Query { limit: Some(300), ..Query::default() };
    let page = trial.query("room", query).await.unwrap();
    assert_eq!((texts(&page.publications), page.more), (numbers(400..700), true));
    let before = Some(acked[400]);
    let query = Query { before, limit: Some(300), reverse: true, ..Query::default() };
    let page = trial.query("room", query).await.unwrap();
    let expected: Vec<_> = numbers(100..400).into_iter().rev().collect();
    assert_eq!((texts(&page.publications), page.more), (expected, true));
    let extent = trial.backend.extent(&name("room")).await.unwrap().unwrap();
    assert_eq!(extent.entries, 700);
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_channel_that_is_cleared_begins_anew() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    let acked = trial.put_numbers("room", 0..3).await;
    let other = trial.put_numbers("other", 0..2).await;
    trial.backend.clear(&name("room")).await.unwrap();
    trial.backend.clear(&name("never")).await.unwrap();
    assert!(trial.all("room").await.publications.is_empty());
    let head = trial.head("room").await;
    for at in [acked[0], acked[2]] {
        assert_eq!(trial.missed("room", at).await, Err(Reason::Epoch));
    }
    // Another node knows of it only by what is stored.
    let second = Trial::on(&server).await;
    second.put_numbers("room", 0..3).await;
    trial.put("room", "3").await;
    assert_eq!(trial.missed("room", head).await, Ok(numbers(0..4)));
    assert_eq!(trial.missed("other", other[0]).await, Ok(numbers(1..2)), "others stay");
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn more_is_kept_when_a_namespace_keeps_more() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    let small = History { size: 2, ttl_ms: 60_000 };
    for number in numbers(0..5) {
        trial.publish(Draft { history: small, ..draft("chat:1", &number) }).await;
    }
    assert_eq!(texts(&trial.all("chat:1").await.publications), numbers(3..5));
    trial.put_numbers("chat:1", 5..20).await;
    assert_eq!(texts(&trial.all("chat:1").await.publications)[2..], numbers(5..20));
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn names_of_channels_may_hold_what_subjects_may_not() {
    let server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    let long = "\u{1f600}".repeat(63);
    for channel in ["a.b.c", "*", ">", "a*", "größe:日本", "$SYS.x", "chat:{{wildcard(1)}}", &long]
    {
        trial.subscribe(channel).await;
        let acked = trial.put(channel, "x").await;
        let heard = trial.next_publication().await;
        assert_eq!((heard.channel.as_str(), heard.position), (channel, Some(acked)));
        assert_eq!(trial.all(channel).await.publications, [heard]);
    }
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn what_is_unsubscribed_is_not_heard() {
    let server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    for channel in ["a", "b"] {
        trial.subscribe(channel).await;
        // Also when it is asked for again.
        trial.subscribe(channel).await;
    }
    trial.backend.unsubscribe(&[name("a")]).await;
    trial.put("a", "not heard").await;
    trial.put("b", "heard").await;
    assert_eq!(trial.next_text().await, "heard");
    trial.subscribe("a").await;
    trial.put("a", "heard again").await;
    assert_eq!(trial.next_text().await, "heard again");
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn what_nats_cannot_take_is_refused_with_a_reason() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    trial.put("room", "0").await;
    let answer = trial.backend.publish(draft("room", &"x".repeat(2 << 20)), None).await;
    let Err(BrokerError::StorageFailed(why)) = answer else { panic!("{answer:?}") };
    assert!(why.contains("max_payload"), "{why}");
    trial.put("room", "1").await;
    assert_eq!(texts(&trial.all("room").await.publications), numbers(0..2));
}
