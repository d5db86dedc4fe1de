//! Runs the Rust code of `docs/clients`: each file in `guides/` is the first block of its guide.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::path::Path;

use support::{TestServer, soon};

/// Whether the guide shows what is run here.
fn assert_shown(guide: &str, code: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/clients").join(guide);
    let text = std::fs::read_to_string(path).unwrap();
    assert!(
        text.contains(&format!("```rust\n{code}```\n")),
        "{guide} shows other code than is tested"
    );
}

mod quick_start {
    use super::{TestServer, assert_shown, soon};

    include!("guides/quick_start.rs");

    #[tokio::test]
    async fn the_quick_start_hears_what_it_says() {
        assert_shown("quick-start.md", include_str!("guides/quick_start.rs"));
        let server = TestServer::start();
        assert_eq!(soon(say_hello(&server.url())).await.unwrap(), "\"hello\"");
    }
}

mod recovery {
    use super::{TestServer, assert_shown, soon};

    include!("guides/recovery.rs");

    #[tokio::test]
    async fn a_reader_follows_until_its_client_is_closed() {
        assert_shown("recovery.md", include_str!("guides/recovery.rs"));
        let server = TestServer::start();
        let client = server.client().0.build().unwrap();
        soon(client.connect()).await.unwrap();
        let own = client.clone();
        let following = tokio::spawn(async move { follow(&own).await });
        // It asks first, so it is subscribed when the publish is answered.
        tokio::task::yield_now().await;
        soon(client.publish("counter", &1).into_future()).await.unwrap();
        client.close().await;
        assert_eq!(soon(following).await.unwrap(), Ok(()));
    }
}

mod presence {
    use super::{TestServer, assert_shown, soon};

    include!("guides/presence.rs");

    #[tokio::test]
    async fn a_client_sees_who_is_there_and_who_comes() {
        assert_shown("presence.md", include_str!("guides/presence.rs"));
        let server = TestServer::start();
        let client = server.client().0.build().unwrap();
        soon(client.connect()).await.unwrap();
        let own = client.clone();
        let meeting = tokio::spawn(async move { meet(&own).await });
        // It asks first, so it is in the room when the publish is answered.
        tokio::task::yield_now().await;
        soon(client.publish("room:1", &0).into_future()).await.unwrap();
        let other = server.client().0.build().unwrap();
        soon(other.connect()).await.unwrap();
        let _there = soon(other.channel("room:1").subscribe()).await.unwrap();
        // The other may have come before or after the list was asked for.
        assert!(matches!(soon(meeting).await.unwrap(), Ok(1..=2)));
    }
}

mod files {
    use super::{TestServer, assert_shown, soon};

    include!("guides/files.rs");

    #[tokio::test]
    async fn a_file_is_sent() {
        assert_shown("files.md", include_str!("guides/files.rs"));
        let server = TestServer::start();
        let client = server.client().0.build().unwrap();
        soon(client.connect()).await.unwrap();
        assert!(soon(send(&client)).await.unwrap().starts_with("/uploads/"));
    }
}

mod authentication {
    use super::{TestServer, assert_shown, soon};

    include!("guides/authentication.rs");

    #[tokio::test]
    async fn who_is_not_logged_in_is_told_so() {
        assert_shown("authentication.md", include_str!("guides/authentication.rs"));
        let server = TestServer::start();
        let error = soon(connect(&server.url())).await.unwrap_err();
        assert_eq!(error.to_string(), "log in: nobody is logged in");
    }
}
