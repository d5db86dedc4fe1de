//! How it is connected to, and what is refused.

use std::fs;

use super::*;

/// Certificates for localhost in the server's folder, by an authority of their own.
fn certificates(dir: &std::path::Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    fs::create_dir_all(dir).unwrap();
    fs::write(dir.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(dir.join("key.pem"), key.serialize_pem()).unwrap();
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn tls_with_its_own_authority_password_and_database() {
    let dir = std::env::temp_dir().join(format!("openline-redis-tls-{}", std::process::id()));
    certificates(&dir);
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let tls = testing::free_port().to_string();
    let server = RedisServer::with(
        Keeping::Nothing,
        &[
            ["--tls-port", &tls],
            ["--tls-cert-file", certificate.to_str().unwrap()],
            ["--tls-key-file", key.to_str().unwrap()],
            ["--tls-auth-clients", "no"],
        ]
        .concat(),
    );
    // As few rights as docs/operations.md says.
    let rights = ["~other:*", "&other:*", "+@all", "-@dangerous", "+info"];
    server.ask(&[&["ACL", "SETUSER", "line", "on", ">s3cret"], &rights[..]].concat());
    let url = format!("rediss://line:s3cret@localhost:{tls}/3");
    let ca = format!("url = \"{url}\"\nca = \"{}\"\nprefix = \"other\"", certificate.display());
    let mut node = Node::begin(&with_settings(&ca));
    node.wait_for_up().await;
    node.backend.subscribe(&[name("room")]).await.unwrap();
    node.put("room", "x").await;
    assert_eq!(text(&*node.hear().await), "x");
    let keys = server.ask(&["INFO", "keyspace"]);
    assert!(keys.contains("db3:keys=2") && !keys.contains("db0"), "{keys}");
    // Nobody vouches for it without the file, and no other password will do.
    let unknown = format!("url = \"{url}\"\nprefix = \"other\"");
    let mut stranger = Node::begin(&with_settings(&unknown));
    let why = stranger.wait_for_down().await;
    assert!(why.contains("ertificate"), "{why}");
    let wrong = ca.replace("s3cret", "guess");
    let mut stranger = Node::begin(&with_settings(&wrong));
    let why = stranger.wait_for_down().await;
    assert!(!why.contains("guess"), "{why}");
    let _ = fs::remove_dir_all(&dir);
}

#[test]
fn settings_that_cannot_be_done_are_refused_by_name() {
    let refused = |lines: &str| {
        let backend = RedisBackend::new(&with_settings(lines), NodeId(1), WINDOW_MS);
        backend.err().expect("it is refused").to_string()
    };
    let cases = [
        ("url = \"rediss://redis.internal\"\nca = \"/no/ca.pem\"".to_owned(), "/no/ca.pem"),
        ("url = \"redis://:s3cret@redis.internal/x\"".to_owned(), "broker.url"),
    ];
    for (lines, words) in cases {
        let message = refused(&lines);
        assert!(message.contains(words) && !message.contains("s3cret"), "{message}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn keys_of_a_channel_share_a_slot_of_a_cluster() {
    let server = RedisServer::with(Keeping::Nothing, &["--cluster-enabled", "yes"]);
    let names = Names::new("openline");
    for channel in ["room", "chat:1", "{a}b", "}{", "a{b", "{}", "100%"] {
        let keys = names.keys(&name(channel)).with("a}key{").keys;
        let slots: HashSet<_> =
            keys.iter().map(|key| server.ask(&["CLUSTER", "KEYSLOT", key])).collect();
        assert_eq!(slots.len(), 1, "{keys:?}");
    }
    // As long as only one that stands alone will do, this one says so.
    let why = Node::begin(&settings(&server.url())).wait_for_down().await;
    assert!(why.contains("cluster"), "{why}");
}

#[tokio::test]
#[ignore = "needs redis-server"]
async fn what_costs_something_is_said_once() {
    let mut server = RedisServer::start(Keeping::Nothing);
    let mut node = Node::open(&server).await;
    let warnings = node.backend.warnings();
    assert!(warnings.len() == 1 && warnings[0].contains("nothing on disk"), "{warnings:?}");
    server.restart();
    node.wait_for_up().await;
    assert!(node.backend.warnings().is_empty());
    let server = RedisServer::start(Keeping::Log);
    assert!(Node::open(&server).await.backend.warnings().is_empty());
}
