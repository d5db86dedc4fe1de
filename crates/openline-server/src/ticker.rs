//! The demo's ticker: a price on the channel `ticker`, once a second while somebody listens, and a
//! minute longer.

use std::time::Duration;

use bytestring::ByteString;
use openline_engine::Draft;
use openline_protocol::{ChannelName, Data};

use crate::exchange::history;
use crate::node::Node;

/// Where the price is published.
const CHANNEL: &str = "ticker";

/// What kind of event it is.
const EVENT: &str = "tick";

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// So many more are published when the last subscriber has gone: who only lost the line has something
/// to recover then.
const LINGER: u32 = 60;

/// A price in hundredths, where it begins and where it turns back.
const BEGIN: i64 = 10_000;
const BOUNDS: std::ops::RangeInclusive<i64> = 100..=1_000_000;

/// The most that a step changes.
const STEP_MAX: u64 = 75;

/// Publishes until the server stops.
pub(crate) async fn run(node: &Node) {
    let channel = ChannelName::new(CHANNEL).expect("the name keeps the rules");
    // Where channels need a namespace, it may have none.
    if node.settings().namespace(&channel).is_err() {
        return;
    }
    tokio::select! {
        () = node.lifecycle.stopped() => {}
        () = tick(node, &channel) => {}
    }
}

async fn tick(node: &Node, channel: &ChannelName) {
    let mut price = BEGIN;
    let mut left = 0_u32;
    loop {
        tokio::time::sleep(EVERY).await;
        left = match node.exchange.subscribers(channel) {
            0 => left.saturating_sub(1),
            _ => LINGER,
        };
        if left == 0 {
            continue;
        }
        let change = step(price, rand::random());
        price += change;
        let Ok(history) = node.settings().namespace(channel).map(history) else { return };
        let draft = Draft {
            channel: channel.clone(),
            event: Some(EVENT.into()),
            data: Data::Json(said(price, change)),
            from: None,
            key: None,
            history,
        };
        // One that is lost is seen as a gap in time, and the next follows soon.
        let published = node.exchange.publish(draft, None).await;
        node.metrics.published(published.as_ref().map(|published| published.duplicate));
    }
}

/// How a price changes: a step of a walk without aim, that stays within bounds.
fn step(price: i64, random: u64) -> i64 {
    let range = 2 * STEP_MAX + 1;
    let change = i64::try_from(random % range).unwrap_or(0) - STEP_MAX as i64;
    if BOUNDS.contains(&(price + change)) { change } else { -change }
}

fn said(price: i64, change: i64) -> ByteString {
    let sign = if change < 0 { "-" } else { "" };
    let (price, change) = (price.unsigned_abs(), change.unsigned_abs());
    let hundredths = |number: u64| format!("{}.{:02}", number / 100, number % 100);
    format!(r#"{{"price":{},"change":{sign}{}}}"#, hundredths(price), hundredths(change)).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use openline_engine::Query;

    use super::*;
    use crate::exchange::PAGE;
    use crate::{node, shard};

    #[test]
    fn prices_walk_within_their_bounds() {
        for random in [0, 1, 74, 75, 76, 150, u64::MAX] {
            for price in [*BOUNDS.start(), BEGIN, *BOUNDS.end()] {
                let change = step(price, random);
                assert!(change.unsigned_abs() <= STEP_MAX);
                assert!(BOUNDS.contains(&(price + change)), "{price} {change}");
            }
        }
        assert_eq!((step(BEGIN, 0), step(BEGIN, 75), step(BEGIN, 150)), (-75, 0, 75));
    }

    #[test]
    fn a_price_is_written_with_two_decimals() {
        assert_eq!(said(10_005, -5), r#"{"price":100.05,"change":-0.05}"#);
        assert_eq!(said(12_345, 110), r#"{"price":123.45,"change":1.10}"#);
    }

    #[tokio::test(start_paused = true)]
    async fn there_is_a_tick_a_second_while_somebody_listens_and_a_minute_longer() {
        let shards: Arc<[_]> =
            shard::inputs(NonZeroUsize::MIN).into_iter().map(|input| input.shard).collect();
        let node = Arc::new(node::for_test(shards));
        let running = tokio::spawn({
            let node = node.clone();
            async move { run(&node).await }
        });
        let channel = ChannelName::new(CHANNEL).unwrap();
        let ticks = async || {
            let page = node.exchange.query(&channel, &Query::default(), &PAGE).await;
            page.unwrap().unwrap().publications
        };
        tokio::time::sleep(EVERY * 5).await;
        assert_eq!(ticks().await.len(), 0);

        node.exchange.join(&channel, 0, None);
        tokio::time::sleep(EVERY * 5).await;
        let heard = ticks().await;
        assert!((4..=5).contains(&heard.len()), "{}", heard.len());
        assert!(heard.iter().all(|tick| tick.event.as_deref() == Some(EVENT)));

        node.exchange.leave(&channel, 0, "nobody");
        tokio::time::sleep(EVERY * (LINGER + 5)).await;
        let lingered = ticks().await.len();
        // The listener may have gone just before a tick was due, or just after.
        let more = lingered - heard.len();
        assert!((LINGER as usize - 1..=LINGER as usize).contains(&more), "{more}");
        tokio::time::sleep(EVERY * (LINGER + 5)).await;
        assert_eq!(ticks().await.len(), lingered);
        node.lifecycle.stop();
        running.await.unwrap();
    }
}
