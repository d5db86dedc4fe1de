//! Who a socket is: the token that its client says, or that of its request.

use std::time::Duration;

use openline_server::tokens::{Claims, Signer, mint};
use openline_server::{Config, Server};

use super::{Client, Line, Running, chat, joined};

const KEYS: &str = r#"
[auth]
keys = [{algorithm = "HS256", secret = "a-secret-that-is-long-enough-to-be-one", id = "one"}]

[socketio]
recovery = "2m"
"#;

fn config() -> Config {
    Config::read(Some(("test.toml", KEYS)), [], []).unwrap()
}

fn server() -> Running {
    let handlers = chat().on("who", async |cx, (): ()| cx.user().map(|user| user.to_string()));
    Running::with_config(Server::builder().handlers(handlers), config())
}

fn token(user: &str) -> String {
    let claims = Claims {
        user: Some(user.to_owned()),
        lifetime: Duration::from_secs(60),
        ..Claims::default()
    };
    mint(&Signer::of_config(&config(), None).unwrap(), &claims).unwrap()
}

async fn who(client: &mut Client) -> String {
    client.line.say(r#"21["who"]"#).await;
    client.line.next().await
}

#[tokio::test]
async fn a_socket_is_whose_token_it_shows() {
    let server = server();
    let auth = serde_json::json!({ "token": token("ann") }).to_string();
    let mut client = Client::join_with(&server, &auth).await;
    assert_eq!(who(&mut client).await, r#"31["ann"]"#);
}

#[tokio::test]
async fn without_a_token_that_holds_nobody_gets_in_where_one_is_needed() {
    let server = server();
    let mut line = Line::open(&server).await;
    for (said, code) in [
        ("0", "unauthorized"),
        (r#"0{"token":""}"#, "unauthorized"),
        (r#"0{"token":7}"#, "unauthorized"),
        (r#"0{"token":"sesame"}"#, "auth_failed"),
    ] {
        line.say(said).await;
        let refused = line.next().await;
        let end = format!(r#","data":{{"code":"{code}"}}}}"#);
        assert!(refused.starts_with(r#"4{"message":"#) && refused.ends_with(&end), "{refused}");
    }
    // The connection stays: the page may have a better token.
    line.say(&format!("0{}", serde_json::json!({ "token": token("ann") }))).await;
    joined(&line.next().await);
}

#[tokio::test]
async fn nobody_comes_back_as_somebody_else() {
    let server = server();
    let auth = serde_json::json!({ "token": token("ann") }).to_string();
    let Client { line, sid, pid, .. } = Client::join_with(&server, &auth).await;
    line.lose();
    let auth = serde_json::json!({ "token": token("ben"), "pid": pid }).to_string();
    let mut ben = Client::join_with(&server, &auth).await;
    assert_ne!(ben.sid, sid);
    assert_eq!(who(&mut ben).await, r#"31["ben"]"#);
    let auth = serde_json::json!({ "token": token("ann"), "pid": pid }).to_string();
    let mut ann = Client::join_with(&server, &auth).await;
    assert_eq!(ann.sid, sid);
    assert_eq!(who(&mut ann).await, r#"31["ann"]"#);
}
