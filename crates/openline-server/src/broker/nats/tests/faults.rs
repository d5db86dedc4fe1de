//! What becomes of it all when the server is killed, hangs, forgets or cuts.

use super::*;

const SHORT: Duration = Duration::from_millis(400);

#[tokio::test]
#[ignore = "needs nats-server"]
async fn what_was_acked_outlives_a_killed_server() {
    let mut server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    trial.subscribe("room").await;
    let beginning = trial.head("room").await;
    let mut acked = trial.put_numbers("room", 0..200).await;
    server.kill();
    trial.until_down().await;
    server.run();
    trial.until_up().await;
    assert_eq!(trial.missed("room", beginning).await, Ok(numbers(0..200)));
    assert_eq!(trial.missed("room", acked[99]).await, Ok(numbers(100..200)));
    // Subscriptions are made anew by who has them.
    trial.subscribe("room").await;
    acked.push(trial.put("room", "200").await);
    let all = trial.all("room").await.publications;
    assert_chained(&all);
    assert_eq!(all.len(), 201);
    assert_eq!(trial.next_publication().await.position, Some(acked[200]));
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_server_that_comes_back_with_an_older_history_is_found_out() {
    let mut server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    let kept = trial.put_numbers("room", 0..5).await;
    server.stop();
    server.save();
    server.go_on();
    let mut forgotten = Vec::new();
    for number in numbers(5..10) {
        forgotten.push(trial.publish_at_last(draft("room", &number)).await.position.unwrap());
    }
    server.kill();
    server.roll_back();
    server.run();
    trial.until_up().await;
    for at in &forgotten {
        assert_eq!(trial.missed("room", *at).await, Err(Reason::Fork), "{at:?}");
    }
    // Others take the places of what is gone: offsets alone would not show it.
    let mut others = Vec::new();
    for number in 0..8 {
        others.push(trial.put("room", &format!("other {number}")).await);
    }
    assert_eq!(others[0].offset, forgotten[0].offset);
    for at in &forgotten {
        assert_eq!(trial.missed("room", *at).await, Err(Reason::Fork), "{at:?}");
    }
    assert_eq!(trial.recover("room", kept[4]).await.missed.unwrap().len(), 8);
    assert_chained(&trial.all("room").await.publications);
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_server_that_hangs_is_unavailable_and_all_heals_when_it_goes_on() {
    let server = NatsServer::start();
    let mut trial = Trial::with(&server.url(), |options| options.timeout = SHORT).await;
    trial.put_numbers("room", 0..3).await;
    server.stop();
    let began = Instant::now();
    let publish = |text| trial.backend.publish(draft("room", text), None);
    let (a, b, c) = tokio::join!(publish("a"), publish("b"), publish("c"));
    assert_eq!([a, b, c], [const { Err(BrokerError::Unavailable) }; 3]);
    let (room, nowhere) = (name("room"), Position { epoch: 0, offset: 0, tag: 0 });
    let recovered = trial.backend.recover(&room, nowhere, &LIMITS).await;
    assert_eq!(recovered.unwrap_err(), BrokerError::Unavailable);
    assert!(began.elapsed() < 20 * SHORT, "{:?}", began.elapsed());
    trial.until_down().await;
    server.go_on();
    trial.until_up().await;
    trial.publish_at_last(draft("room", "after")).await;
    let all = trial.all("room").await.publications;
    assert_chained(&all);
    let said = texts(&all);
    // What was answered as unavailable may be there, or not, but once.
    assert_eq!(said[..3], numbers(0..3));
    assert_eq!(said.last().unwrap(), "after");
    for text in ["a", "b", "c", "after"] {
        assert!(said.iter().filter(|said| *said == text).count() <= 1, "{said:?}");
    }
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_stream_that_is_gone_is_made_anew_and_readers_are_told() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    let acked = trial.put_numbers("room", 0..3).await;
    let connection = &trial.backend.shared.connection;
    connection.api("STREAM.DELETE.openline_default", serde_json::Value::Null).await.unwrap();
    trial.publish_at_last(draft("room", "anew")).await;
    assert_eq!(texts(&trial.all("room").await.publications), ["anew"]);
    assert_eq!(trial.missed("room", acked[2]).await, Err(Reason::Epoch));
}

#[test]
#[ignore = "needs nats-server"]
fn a_node_that_reads_too_slowly_is_cut_off_and_notices() {
    let server = NatsServer::configured("max_pending: 16777216\nwrite_deadline: \"200ms\"\n");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (slow, fast) = (runtime(), runtime());
    let history = History { size: 1000, ..HISTORY };
    let data = "x".repeat(200_000);
    let mut trial = slow.block_on(Trial::on(&server));
    let first = slow.block_on(async {
        trial.subscribe("room").await;
        trial.put("room", "first").await
    });
    // Its thread stands still meanwhile: nobody polls that runtime.
    fast.block_on(async {
        let other = Trial::on(&server).await;
        for _ in 0..200 {
            other.publish(Draft { history, ..draft("room", &data) }).await;
        }
    });
    slow.block_on(async {
        trial.until_down().await;
        trial.until_up().await;
        trial.subscribe("room").await;
        let limits = PageLimits { bytes_max: 1 << 30, ..LIMITS };
        let recovery = trial.backend.recover(&name("room"), first, &limits).await.unwrap();
        assert_eq!(recovery.missed.unwrap().len(), 200);
        let last = trial.put("room", "last").await;
        let is_last = |report| match report {
            Report::Published { publication, .. } => {
                (publication.position == Some(last)).then_some(())
            }
            _ => None,
        };
        trial.until(is_last).await;
    });
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_server_that_says_it_will_end_is_left_and_come_back_to() {
    let mut server =
        NatsServer::configured("lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"1s\"\n");
    let mut trial = Trial::on(&server).await;
    let acked = trial.put_numbers("room", 0..3).await;
    server.signal("USR2");
    trial.until_down().await;
    server.wait();
    server.run();
    trial.until_up().await;
    trial.put("room", "3").await;
    assert_eq!(trial.missed("room", acked[0]).await, Ok(numbers(1..4)));
}
