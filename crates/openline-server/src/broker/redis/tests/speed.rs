//! How fast it is; printed, not judged.

use super::*;

const IN_FLIGHT: usize = 64;
const COUNT: usize = 20_000;

#[tokio::test]
#[ignore = "needs redis-server"]
async fn how_many_publications_a_second() {
    let server = RedisServer::start(Keeping::Nothing);
    let mut node = Node::open(&server).await;
    node.backend.subscribe(&[name("room:1")]).await.unwrap();
    let text = "x".repeat(198);
    let mut alone = Vec::new();
    for _ in 0..500 {
        let since = Instant::now();
        node.put("room:1", &text).await;
        let acked = since.elapsed();
        node.hear().await;
        alone.push((acked, since.elapsed()));
    }
    alone.sort_unstable();
    let (acked, heard) = alone[alone.len() / 2];
    println!("one at a time: acked after {acked:?}, heard after {heard:?} (median)");
    let since = Instant::now();
    let node = Arc::new(node);
    let lane = |lane: usize| {
        let (node, text) = (node.clone(), text.clone());
        tokio::spawn(async move {
            let mut slowest = Duration::ZERO;
            for _ in 0..COUNT / IN_FLIGHT {
                let since = Instant::now();
                node.put(&format!("room:{lane}"), &text).await;
                slowest = slowest.max(since.elapsed());
            }
            slowest
        })
    };
    let lanes: Vec<_> = (0..IN_FLIGHT).map(lane).collect();
    let mut slowest = Duration::ZERO;
    for lane in lanes {
        slowest = slowest.max(lane.await.unwrap());
    }
    let took = since.elapsed();
    let rate = COUNT as f64 / took.as_secs_f64();
    println!("{IN_FLIGHT} at a time: {rate:.0} a second, the slowest {slowest:?}");
    let extent = node.backend.extent(&name("room:1")).await.unwrap().unwrap();
    println!("an entry of 200 bytes takes {} in Redis", extent.bytes / extent.entries);
}
