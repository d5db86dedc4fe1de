//! How it connects, and what it warns of.

use super::*;

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_server_without_jetstream_is_told_what_it_lacks() {
    let server = NatsServer::with(&[]);
    let mut trial = Trial::without_waiting(&server.url(), |_| {});
    let why = trial.until_down().await;
    assert!(why.contains("-js"), "{why}");
    let answer = trial.backend.publish(draft("room", "x"), None).await;
    assert_eq!(answer, Err(BrokerError::Unavailable));
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_server_that_comes_later_is_waited_for() {
    let mut server = NatsServer::start();
    server.kill();
    let mut trial = Trial::without_waiting(&server.url(), |_| {});
    let why = trial.until_down().await;
    assert!(why.contains("not reached"), "{why}");
    server.run();
    trial.until_up().await;
    trial.put("room", "x").await;
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn what_loses_data_is_warned_of() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    trial.put("room", "x").await;
    let warnings = trial.backend.warnings();
    assert!(warnings.iter().any(|warning| warning.contains("2 minutes")), "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.contains("max_payload")), "{warnings:?}");
    assert!(!warnings.iter().any(|warning| warning.contains("memory")), "{warnings:?}");
    // One that somebody made beforehand is used as it is.
    let stream = serde_json::json!({
        "name": "openline_chat", "subjects": ["openline.s.chat.*"], "storage": "memory",
        "num_replicas": 1, "max_msgs_per_subject": 1,
        "republish": { "src": "openline.s.chat.>", "dest": "openline.l.chat.>" },
    });
    let connection = &trial.backend.shared.connection;
    connection.api("STREAM.CREATE.openline_chat", stream).await.unwrap();
    trial.put_numbers("chat:1", 0..5).await;
    assert_eq!(texts(&trial.all("chat:1").await.publications), numbers(0..5));
    let warnings = trial.backend.warnings();
    let about_memory = warnings.iter().filter(|warning| warning.contains("memory")).count();
    assert_eq!(about_memory, 1, "{warnings:?}");
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn a_stream_of_somebody_elses_making_is_refused_with_what_to_do() {
    let server = NatsServer::start();
    let trial = Trial::on(&server).await;
    let stream = serde_json::json!({ "name": "openline_chat", "subjects": ["openline.s.chat.*"] });
    let connection = &trial.backend.shared.connection;
    connection.api("STREAM.CREATE.openline_chat", stream).await.unwrap();
    let answer = trial.backend.publish(draft("chat:1", "x"), None).await;
    let Err(BrokerError::StorageFailed(why)) = answer else { panic!("{answer:?}") };
    assert!(why.contains("openline_chat") && why.contains("delete it"), "{why}");
    trial.put("room", "others work").await;
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn user_password_and_token_are_taken_from_the_url() {
    let server = NatsServer::with(&["-js", "--user", "me", "--pass", "a/b@c"]);
    let address = format!("127.0.0.1:{}", server.port());
    let trial = Trial::with(&format!("nats://me:a%2Fb%40c@{address}"), |_| {}).await;
    trial.put("room", "x").await;
    let mut wrong = Trial::without_waiting(&format!("nats://me:wrong@{address}"), |_| {});
    let why = wrong.until_down().await;
    assert!(why.contains("authorization") && !why.contains("wrong"), "{why}");

    let server = NatsServer::with(&["-js", "--auth", "secret"]);
    let url = format!("nats://secret@127.0.0.1:{}", server.port());
    Trial::with(&url, |_| {}).await.put("room", "x").await;
}

#[tokio::test]
#[ignore = "needs nats-server"]
async fn tls_is_spoken_to_who_the_authority_vouches_for() {
    let dir = std::env::temp_dir().join(format!("openline-nats-tls-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (ca, key_file) = (dir.join("ca.pem"), dir.join("key.pem"));
    std::fs::write(&ca, made.cert.pem()).unwrap();
    std::fs::write(&key_file, made.signing_key.serialize_pem()).unwrap();
    let (ca_name, key_name) = (ca.to_str().unwrap(), key_file.to_str().unwrap());
    let server = NatsServer::with(&["-js", "--tls", "--tlscert", ca_name, "--tlskey", key_name]);
    let url = format!("tls://localhost:{}", server.port());
    let trial = Trial::with(&url, |options| options.ca = Some(ca.clone())).await;
    trial.put("room", "x").await;
    let mut unknown = Trial::without_waiting(&url, |_| {});
    let why = unknown.until_down().await;
    assert!(why.contains("not reached"), "{why}");
    std::fs::remove_dir_all(dir).unwrap();
}
