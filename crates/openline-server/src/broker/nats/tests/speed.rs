//! How fast it is here, to be looked at: `cargo test … speed -- --ignored --nocapture`.

use super::*;

const IN_FLIGHT: usize = 64;

const COUNT: usize = 6_000;

/// Publishes with so many at the same time, spread over so many channels.
async fn publish(trial: &Trial, channels: usize, key: bool) -> f64 {
    let mut publishing = tokio::task::JoinSet::new();
    let began = Instant::now();
    for number in 0..COUNT {
        while publishing.len() >= IN_FLIGHT {
            publishing.join_next().await.unwrap().unwrap();
        }
        let channel = format!("room:{}", number % channels);
        let mut draft = draft(&channel, &"x".repeat(100));
        if key {
            draft.key = Some(number.to_string().into());
        }
        let backend = trial.backend.clone();
        publishing.spawn(async move {
            backend.publish(draft, None).await.unwrap();
        });
    }
    while let Some(done) = publishing.join_next().await {
        done.unwrap();
    }
    COUNT as f64 / began.elapsed().as_secs_f64()
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn speed() {
    let server = NatsServer::start();
    let mut trial = Trial::on(&server).await;
    for channels in [1, IN_FLIGHT, 1000] {
        let rate = publish(&trial, channels, false).await;
        println!("{IN_FLIGHT} in flight on {channels} channels: {rate:.0} publications/s");
    }
    let rate = publish(&trial, 1, true).await;
    println!("{IN_FLIGHT} in flight on 1 channel, each with a key: {rate:.0} publications/s");

    trial.subscribe("alone").await;
    let mut acked = Vec::new();
    let mut heard = Vec::new();
    for number in 0..500 {
        let began = Instant::now();
        let (backend, draft) = (trial.backend.clone(), draft("alone", &number.to_string()));
        let publishing = tokio::spawn(async move {
            backend.publish(draft, None).await.unwrap();
            Instant::now()
        });
        trial.next_publication().await;
        heard.push(began.elapsed());
        acked.push(publishing.await.unwrap() - began);
    }
    for (what, mut times) in [("ack", acked), ("heard", heard)] {
        times.sort();
        println!(
            "{what}: median {:?}, p99 {:?}",
            times[times.len() / 2],
            times[times.len() * 99 / 100]
        );
    }
    for missed in [1, 10, 100, 1000] {
        let all = trial.all("room:0").await.publications;
        let since = all[all.len() - 1 - missed.min(all.len() - 1)].position.unwrap();
        let began = Instant::now();
        trial.missed("room:0", since).await.unwrap();
        println!("recover {missed}: {:?}", began.elapsed());
    }
}
