//! Several nodes: one order for all, and what they say to each other.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server"]
async fn two_nodes_that_publish_at_once_make_one_order_without_gap() {
    const EACH: usize = 300;
    let server = NatsServer::start();
    let mut listener = Trial::on(&server).await;
    listener.subscribe("room").await;
    let nodes = [Trial::on(&server).await, Trial::on(&server).await];
    let mut publishing = tokio::task::JoinSet::new();
    for (number, node) in nodes.iter().enumerate() {
        for turn in 0..EACH {
            let (backend, text) = (node.backend.clone(), format!("{number} {turn}"));
            publishing.spawn(async move {
                let published = backend.publish(draft("room", &text), None).await.unwrap();
                (text, published.position.unwrap())
            });
        }
    }
    let mut acked = std::collections::BTreeMap::new();
    while let Some(done) = publishing.join_next().await {
        let (text, position) = done.unwrap();
        acked.insert(text, position);
    }
    let all = nodes[0].all("room").await.publications;
    assert_eq!(all.len(), 2 * EACH);
    assert_chained(&all);
    for publication in &all {
        assert_eq!(acked[&text(publication)], publication.position.unwrap());
        assert_eq!(&listener.next_publication().await, publication, "each once, in order");
    }
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn nodes_hear_each_other_and_not_themselves() {
    let server = NatsServer::start();
    let (mut a, mut b) = (Trial::on(&server).await, Trial::on(&server).await);
    let mut c = Trial::on(&server).await;
    for node in [&a, &b] {
        node.subscribe("room").await;
    }
    let from = a.backend.shared.node;
    a.backend.emit(&name("room"), Bytes::from_static(b"emitted")).await;
    a.backend.cast(Bytes::from_static(b"cast")).await;
    a.backend.tell(b.backend.shared.node, Bytes::from_static(b"told")).await;
    let mut heard = Vec::new();
    for _ in 0..3 {
        match b.next().await {
            Report::Emitted { from: node, channel, said } => {
                assert_eq!((node, channel.as_str()), (from, "room"));
                heard.push(said);
            }
            Report::Told { from: node, said } => {
                assert_eq!(node, from);
                heard.push(said);
            }
            other => panic!("{other:?}"),
        }
    }
    heard.sort();
    assert_eq!(heard, ["cast", "emitted", "told"]);
    assert!(matches!(c.next().await, Report::Told { said, .. } if said == "cast"));
    // What comes next is of another: nothing of its own came back.
    b.backend.cast(Bytes::from_static(b"last")).await;
    assert!(matches!(a.next().await, Report::Told { said, .. } if said == "last"));
    assert!(matches!(c.next().await, Report::Told { said, .. } if said == "last"));
}
