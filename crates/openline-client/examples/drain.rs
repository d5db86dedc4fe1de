//! Publishes all the time and reads what it publishes, for the test that drains the server meanwhile:
//! `drain URL CHANNEL COUNT`. Prints `ready`, and what it got and was told as JSON.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use openline_client::{ChannelEvent, Client};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(channel), Some(count)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err("drain URL CHANNEL COUNT".into());
    };
    let count: u64 = count.parse()?;
    let client = Client::builder(&url)?.build()?;
    client.connect().await?;
    let mut room = client.channel(&channel).subscribe().await?;
    let (states, lines) = watch(&client);
    println!("ready");
    let failures = Arc::new(Mutex::new(Vec::new()));
    let publishing = tokio::spawn(publish(client, channel, count, failures.clone()));
    let (mut seen, mut gaps) = (Vec::new(), Vec::new());
    while seen.len() < count as usize {
        let next = tokio::time::timeout(Duration::from_secs(20), room.next()).await;
        match next {
            Ok(Some(ChannelEvent::Publication(publication))) => {
                seen.push(publication.json::<u64>()?);
            }
            Ok(Some(ChannelEvent::Gap { reason, .. })) => gaps.push(format!("{reason:?}")),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
    }
    publishing.await?;
    let states = states.lock().map(|states| states.clone()).unwrap_or_default();
    let lines = lines.lock().map(|lines| lines.len()).unwrap_or_default();
    let failures = failures.lock().map(|failures| failures.clone()).unwrap_or_default();
    let told =
        json!({"seen": seen, "states": states, "gaps": gaps, "failures": failures, "lines": lines});
    println!("{told}");
    Ok(())
}

type Names = Arc<Mutex<BTreeSet<String>>>;

/// All states of the client's line, and all names that lines had.
fn watch(client: &Client) -> (Names, Names) {
    let (states, lines) = (Names::default(), Names::default());
    let told = (states.clone(), lines.clone());
    let mut status = client.status();
    tokio::spawn(async move {
        loop {
            let now = status.borrow_and_update().clone();
            if let (Ok(mut states), Ok(mut lines)) = (states.lock(), lines.lock()) {
                states.insert(now.state.as_str().to_owned());
                lines.extend(now.client_id.map(|name| name.to_string()));
            }
            if status.changed().await.is_err() {
                return;
            }
        }
    });
    told
}

/// Publishes a number every 5 ms, and waits for none.
async fn publish(client: Client, channel: String, count: u64, failures: Arc<Mutex<Vec<String>>>) {
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..count {
        let publish = client.publish(&channel, &number).into_future();
        calls.spawn(publish);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    while let Some(done) = calls.join_next().await {
        if let Ok(Err(error)) = done
            && let Ok(mut failures) = failures.lock()
        {
            failures.push(error.code().to_owned());
        }
    }
}
