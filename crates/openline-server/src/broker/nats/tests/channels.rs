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
