#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use super::*;
use crate::faults::folder::Folder;
use crate::faults::probe::is_ready;

const SOON: Duration = Duration::from_secs(20);

/// A node to which one kind of fault happens.
struct Trial {
    stage: Stage,
    fault: Planned,
    _folder: Folder,
}

impl Trial {
    async fn new(kind: Kind) -> Self {
        Self::with(kind, BrokerKind::Embedded).await
    }

    async fn with(kind: Kind, broker: BrokerKind) -> Self {
        let bin = std::env::var_os("OPENLINE_BIN").map(PathBuf::from);
        let folder = Folder::new().unwrap();
        let options = Options {
            broker,
            nodes: 1,
            seed: 1,
            bin: bin.expect("OPENLINE_BIN names the program under test"),
            folder: folder.path().to_owned(),
            config: "[history]\nlevel = \"os\"\n[namespace.default]\nhistory_size = 1000\n"
                .to_owned(),
            faults: Selection::Kinds(vec![kind]),
            env: Vec::new(),
        };
        let fault = Planned {
            begin: Duration::ZERO,
            end: Duration::from_secs(1),
            kind,
            target: kind.place().target(1),
        };
        let stage = Stage::start(options).await.unwrap();
        assert_eq!(stage.why_not(kind), None);
        Self { stage, fault, _folder: folder }
    }

    async fn begin(&mut self) {
        self.stage.begin(&self.fault).await.unwrap();
    }

    async fn end(&mut self) {
        self.stage.end(&self.fault).await.unwrap();
        let healed = self.stage.heal().await;
        assert_eq!(healed, Ok(()), "after {}", self.fault.kind);
        assert_eq!(self.stage.notes(), &[] as &[String]);
        assert!(is_ready(self.stage.nodes()[0]).await);
    }

    async fn is_ready(&self) -> bool {
        is_ready(self.stage.nodes()[0]).await
    }

    /// Waits until it is not ready any more.
    async fn until_not_ready(&self) {
        let deadline = Instant::now() + SOON;
        while self.is_ready().await {
            assert!(Instant::now() < deadline, "it is ready still");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Publishes; returns whether it was accepted.
    async fn publish(&self, text: &str) -> bool {
        let body = format!("{{\"channel\":\"news\",\"data\":\"{text}\"}}");
        self.ask("POST", "/api/v1/publish", &body).await.starts_with("HTTP/1.1 200")
    }

    async fn history(&self) -> String {
        self.ask("GET", "/api/v1/history?channel=news&limit=1000", "").await
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.stage.nodes()[0]).await.unwrap();
        let key = self.stage.api_key();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             authorization: Bearer {key}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    }
}

#[tokio::test]
#[ignore = "needs the openline program"]
async fn a_killed_node_is_gone_and_comes_back_with_what_it_had() {
    let mut trial = Trial::new(Kind::Kill).await;
    assert!(trial.publish("before").await);
    trial.begin().await;
    assert!(!trial.is_ready().await);
    trial.end().await;
    assert!(trial.history().await.contains("before"));
}

#[tokio::test]
#[ignore = "needs the openline program"]
async fn a_paused_node_does_not_answer_and_goes_on() {
    let mut trial = Trial::new(Kind::Pause).await;
    trial.begin().await;
    assert!(!trial.is_ready().await);
    trial.end().await;
}

#[tokio::test]
#[ignore = "needs the openline program"]
async fn a_drained_node_is_not_ready_and_is_replaced() {
    let mut trial = Trial::new(Kind::Drain).await;
    trial.begin().await;
    trial.until_not_ready().await;
    trial.end().await;
}

#[tokio::test]
#[ignore = "needs the openline program"]
async fn a_node_is_taken_over_from_and_another_process_has_what_it_had() {
    let mut trial = Trial::new(Kind::Upgrade).await;
    assert!(trial.publish("before").await);
    let before = trial.stage.nodes[0].pid();
    trial.begin().await;
    trial.end().await;
    assert_ne!(trial.stage.nodes[0].pid(), before);
    assert!(trial.publish("after").await);
    let history = trial.history().await;
    assert!(history.contains("before") && history.contains("after"), "{history}");
}

#[tokio::test]
#[ignore = "needs the openline program"]
async fn a_node_goes_on_when_the_process_that_takes_over_is_killed() {
    for wait_ms in [0, 20, 50, 100, 200, 1000] {
        let mut trial = Trial::new(Kind::UpgradeKill).await;
        assert!(trial.publish("before").await, "{wait_ms} ms");
        trial.begin().await;
        sleep(Duration::from_millis(wait_ms)).await;
        trial.end().await;
        assert!(trial.publish("after").await, "{wait_ms} ms");
        assert!(trial.history().await.contains("before"), "{wait_ms} ms");
    }
}

#[tokio::test]
#[ignore = "needs the openline program"]
async fn a_node_that_is_rolled_back_has_forgotten_what_came_last() {
    let mut trial = Trial::new(Kind::Rollback).await;
    assert!(trial.publish("before").await);
    trial.begin().await;
    assert!(trial.publish("later").await);
    assert!(trial.history().await.contains("later"));
    trial.end().await;
    let history = trial.history().await;
    assert!(history.contains("before") && !history.contains("later"), "{history}");
}

#[tokio::test]
#[ignore = "needs the openline program and root"]
async fn a_node_with_a_full_disk_takes_nothing_until_there_is_space() {
    let mut trial = Trial::new(Kind::DiskFull).await;
    assert!(trial.publish("before").await);
    trial.begin().await;
    // The server does not look at the disk each time, and the last of a block is there already.
    let large = "x".repeat(10_000);
    let mut accepted = 0;
    while trial.publish(&large).await {
        accepted += 1;
        assert!(accepted < 500, "the disk is not full for the server");
    }
    trial.end().await;
    assert!(trial.publish("after").await);
    let history = trial.history().await;
    assert!(history.contains("before") && history.contains("after"));
    assert_eq!(history.matches(&large).count(), accepted);
}

#[tokio::test]
#[ignore = "needs the openline program and libfaketime"]
async fn a_node_whose_clock_jumps_goes_on() {
    let mut trial = Trial::new(Kind::ClockJump).await;
    assert!(trial.publish("before").await);
    trial.begin().await;
    sleep(Duration::from_millis(1500)).await;
    assert!(trial.publish("meanwhile").await);
    trial.end().await;
    let history = trial.history().await;
    assert!(history.contains("before") && history.contains("meanwhile"), "{history}");
}

#[tokio::test]
#[ignore = "needs the openline program and root"]
async fn a_node_without_a_network_is_not_reached_until_it_is_back() {
    for kind in [Kind::LinkDown, Kind::RouteLost] {
        let mut trial = Trial::new(kind).await;
        assert!(trial.is_ready().await);
        trial.begin().await;
        assert!(!trial.is_ready().await);
        trial.end().await;
        let network = trial.stage.nodes[0].network.take().unwrap();
        let there = network.command()[3].clone();
        trial.stage.stop().await;
        drop(network);
        assert!(!std::path::Path::new("/run/netns").join(there).exists());
    }
}

#[tokio::test]
#[ignore = "needs the openline program"]
async fn clients_are_cut_off_and_held_up_in_front_of_a_node() {
    for kind in [Kind::Cut, Kind::Blackhole] {
        let mut trial = Trial::new(kind).await;
        trial.begin().await;
        assert!(!trial.is_ready().await);
        trial.end().await;
    }
}

#[tokio::test]
#[ignore = "needs the openline program and redis-server"]
async fn a_node_without_its_broker_takes_nothing_until_it_is_back() {
    for kind in [Kind::LinkCut, Kind::LinkBlackhole, Kind::BrokerKill, Kind::BrokerPause] {
        let mut trial = Trial::with(kind, BrokerKind::Redis).await;
        assert!(trial.publish("before").await, "{kind}");
        trial.begin().await;
        assert!(!trial.publish("refused").await, "{kind}");
        trial.end().await;
        assert!(trial.publish("after").await, "{kind}");
        assert!(trial.history().await.contains("before"), "{kind}");
    }
}

#[tokio::test]
#[ignore = "needs the openline program and redis-server"]
async fn a_broker_that_is_rolled_back_has_forgotten_what_came_last() {
    let mut trial = Trial::with(Kind::BrokerRollback, BrokerKind::Redis).await;
    assert!(trial.publish("before").await);
    trial.begin().await;
    assert!(trial.publish("later").await);
    trial.end().await;
    let history = trial.history().await;
    assert!(history.contains("before") && !history.contains("later"), "{history}");
}
