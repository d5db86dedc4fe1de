//! Retries: the same key is the same publication.

use super::*;

const SMALL: History = History { size: 2, ttl_ms: 3_600_000 };

const NO_HISTORY: History = History { size: 0, ttl_ms: 0 };

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_retry_is_answered_as_the_first_try_on_any_node() {
    let server = NatsServer::start();
    let (a, b) = (Trial::on(&server).await, Trial::on(&server).await);
    let first = a.publish(with_key("room", "a", "key")).await;
    assert!(!first.duplicate);
    a.put("room", "b").await;
    for node in [&a, &b] {
        let again = node.publish(with_key("room", "a", "key")).await;
        assert_eq!(again, Published { duplicate: true, ..first.clone() });
        let conflict = node.backend.publish(with_key("room", "c", "key"), None).await;
        assert!(matches!(conflict, Err(BrokerError::Conflict { .. })), "{conflict:?}");
        let elsewhere = node.publish(with_key("other", "c", "key")).await;
        assert_eq!(elsewhere.duplicate, std::ptr::eq(node, &b));
    }
    assert_eq!(texts(&a.all("room").await.publications), ["a", "b"]);
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn retries_on_two_nodes_at_the_same_time_are_one_publication() {
    let server = NatsServer::start();
    let (a, b) = (Trial::on(&server).await, Trial::on(&server).await);
    for history in [HISTORY, NO_HISTORY] {
        for round in 0..20 {
            let keyed =
                || Draft { history, ..with_key("room", "same", &format!("{round} {history:?}")) };
            let (first, second, third, fourth) = tokio::join!(
                a.publish(keyed()),
                b.publish(keyed()),
                a.publish(keyed()),
                b.publish(keyed())
            );
            let all = [first, second, third, fourth];
            assert_eq!(all.iter().filter(|published| !published.duplicate).count(), 1, "{all:?}");
            assert!(all.iter().all(|other| other.position == all[0].position), "{all:?}");
        }
    }
    assert_eq!(a.all("room").await.publications.len(), 20);
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_retry_is_known_when_its_entry_is_trimmed_and_the_server_was_restarted() {
    let mut server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    let keyed = || Draft { history: SMALL, ..with_key("room", "a", "key") };
    let first = trial.publish(keyed()).await;
    for number in numbers(0..5) {
        trial.publish(Draft { history: SMALL, ..draft("room", &number) }).await;
    }
    let again = Published { duplicate: true, ..first };
    assert_eq!(trial.publish(keyed()).await, again);
    server.kill();
    server.run();
    trial.until_up().await;
    assert_eq!(trial.publish(keyed()).await, again);
    assert_eq!(texts(&trial.all("room").await.publications), numbers(3..5));
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_retry_across_a_restart_of_the_server_is_a_duplicate() {
    let mut server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    let first = trial.publish(with_key("room", "a", "key")).await;
    let passed = trial.publish(Draft { history: NO_HISTORY, ..with_key("x", "a", "key") }).await;
    server.kill();
    // It is tried while the server is away, and after it is back.
    let tried = trial.backend.publish(with_key("room", "a", "key"), None).await;
    assert_eq!(tried, Err(BrokerError::Unavailable));
    server.run();
    trial.until_up().await;
    let again = trial.publish(with_key("room", "a", "key")).await;
    assert_eq!(again, Published { duplicate: true, ..first });
    let again = trial.publish(Draft { history: NO_HISTORY, ..with_key("x", "a", "key") }).await;
    assert_eq!(again, Published { duplicate: true, ..passed });
    assert_eq!(trial.all("room").await.publications.len(), 1);
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_retry_without_history_is_known() {
    let server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    trial.subscribe("room").await;
    let keyed = |text| Draft { history: NO_HISTORY, ..with_key("room", text, "key") };
    let first = trial.publish(keyed("a")).await;
    assert_eq!(trial.publish(keyed("a")).await, Published { duplicate: true, ..first });
    let conflict = trial.backend.publish(keyed("b"), None).await;
    assert!(matches!(conflict, Err(BrokerError::Conflict { .. })), "{conflict:?}");
    trial.publish(Draft { history: NO_HISTORY, ..draft("room", "c") }).await;
    let heard = [trial.next_publication().await, trial.next_publication().await];
    assert_eq!(texts(&heard), ["a", "c"]);
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_key_is_forgotten_after_its_window() {
    let server = NatsServer::start();
    let mut trial = Trial::remembering(&server.url(), 1000, |_| {});
    trial.until_up().await;
    let keyed = |text| with_key("room", text, "key");
    trial.publish(keyed("a")).await;
    assert!(trial.publish(keyed("a")).await.duplicate);
    let until = Instant::now() + PATIENCE;
    let second = loop {
        match trial.backend.publish(keyed("b"), None).await {
            Ok(second) => break second,
            Err(error) => assert!(matches!(error, BrokerError::Conflict { .. }), "{error:?}"),
        }
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(!second.duplicate);
    let again = trial.publish(keyed("b")).await;
    assert_eq!(again, Published { duplicate: true, ..second });
}
