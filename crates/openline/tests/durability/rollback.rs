//! A store that came back as an older copy; two servers for one store.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::home::{Home, Running};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target)
        } else if path.is_file() {
            // The socket by which another process would take over is no part of a copy.
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Publishes, and has a client read it. Returns where the client is.
async fn publish_and_read(server: &Running, since: Option<&str>, texts: &[&str]) -> String {
    let mut line = server.line().await;
    let subscribed = line.subscribe("news", since).await;
    assert_eq!(subscribed.recovered, since.map(|_| true));
    let mut position = subscribed.position;
    for text in texts {
        let published = server.publish("news", text);
        let entry = line.publication().await;
        assert_eq!((entry.data.as_str(), &entry.position), (*text, &published));
        position = entry.position;
    }
    position
}

#[tokio::test]
async fn a_client_of_a_store_that_was_rolled_back_is_told_fork() {
    let home = Home::new();
    let backup = home.path().join("backup");
    let server = home.start();
    let early = publish_and_read(&server, None, &["1", "2", "3"]).await;
    server.stop();
    copy(&home.data(), &backup);

    let server = home.start();
    let late = publish_and_read(&server, Some(&early), &["4", "5"]).await;
    server.stop();
    fs::remove_dir_all(home.data()).unwrap();
    copy(&backup, &home.data());

    let server = home.start();
    // Behind what it has read, as far as it, and beyond it.
    for count in 0..4 {
        let mut line = server.line().await;
        let subscribed = line.subscribe("news", Some(&late)).await;
        assert_eq!(
            (subscribed.recovered, subscribed.reason.as_deref()),
            (Some(false), Some("fork"))
        );
        assert!(subscribed.messages.is_empty());
        // It is told from where it goes on, and goes on.
        let text = format!("other {count}");
        let published = server.publish("news", &text);
        let entry = line.publication().await;
        assert_eq!((entry.data, &entry.position), (text, &published));
        let again = server.line().await.subscribe("news", Some(&subscribed.position)).await;
        assert_eq!((again.recovered, again.messages.len()), (Some(true), 1));
    }
    // Who has read nothing that was lost is told nothing.
    let mut line = server.line().await;
    let subscribed = line.subscribe("news", Some(&early)).await;
    assert_eq!((subscribed.recovered, subscribed.messages.len()), (Some(true), 4));
    server.stop();
}

#[test]
fn a_second_server_is_refused_and_told_who_has_the_directory() {
    let home = Home::new();
    let first = home.start();
    let output = home.command().stderr(Stdio::piped()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(73), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    let said = format!("in use by process {}", first.id());
    assert!(error.contains(&said) && error.contains(home.data().to_str().unwrap()), "{error}");
    first.publish("news", "the first goes on");
    first.kill();
    // The lock goes with the process.
    assert_eq!(home.start().history("news", None).len(), 1);
}
