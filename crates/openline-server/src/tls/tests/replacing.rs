//! Certificates that are replaced while the server runs.

use std::fs;
use std::time::SystemTime;

use super::{Authority, DAY, echoes, serve, shown};

#[tokio::test]
async fn a_renewed_certificate_is_for_those_who_come_next() {
    let authority = Authority::new();
    let old = authority.issue("own", &["a.example"], 3);
    let tls = authority.start(&["own"]);
    let address = serve(&tls).await;
    let mut lines = Vec::new();
    for _ in 0..20 {
        lines.push(authority.connect(address, "a.example").await.unwrap());
    }
    let new = authority.issue("own", &["a.example"], 90);
    tls.reload(&authority.config(&["own"])).unwrap();
    assert_eq!(authority.shown(address, "a.example").await, new);
    for line in &mut lines {
        assert!(echoes(line).await);
        assert_eq!(shown(line), old);
    }
}

#[tokio::test]
async fn names_come_and_go_with_the_configuration() {
    let authority = Authority::new();
    let first = authority.issue("first", &["a.example"], 90);
    let second = authority.issue("second", &["b.example"], 90);
    let tls = authority.start(&["first"]);
    let address = serve(&tls).await;
    assert!(authority.connect(address, "b.example").await.is_err());
    tls.reload(&authority.config(&["first", "second"])).unwrap();
    assert_eq!(authority.shown(address, "b.example").await, second);
    assert_eq!(authority.shown(address, "a.example").await, first);
    tls.reload(&authority.config(&["second"])).unwrap();
    assert!(authority.connect(address, "a.example").await.is_err());
}

#[tokio::test]
async fn a_broken_replacement_changes_nothing() {
    let authority = Authority::new();
    let first = authority.issue("first", &["a.example"], 90);
    let second = authority.issue("second", &["b.example"], 90);
    let tls = authority.start(&["first", "second"]);
    let address = serve(&tls).await;
    // The first is new and good; the second makes it nothing.
    authority.issue("first", &["a.example"], 30);
    authority.write("second.key", "not a key");
    let error = tls.reload(&authority.config(&["first", "second"])).unwrap_err().to_string();
    assert!(error.ends_with("second.key: there is no private key in it"), "{error}");
    assert_eq!(authority.shown(address, "a.example").await, first);
    assert_eq!(authority.shown(address, "b.example").await, second);
}

#[tokio::test]
async fn a_replacement_that_has_expired_is_refused() {
    let authority = Authority::new();
    let old = authority.issue("own", &["a.example"], 90);
    let tls = authority.start(&["own"]);
    let address = serve(&tls).await;
    let now = SystemTime::now();
    authority.issue_between("own", &["a.example"], now - DAY * 2, now - DAY);
    let error = tls.reload(&authority.config(&["own"])).unwrap_err().to_string();
    assert!(error.ends_with("own.pem: this certificate has expired"), "{error}");
    assert_eq!(authority.shown(address, "a.example").await, old);
    // What is in use already does not hold up what else is reloaded.
    let later = now + DAY * 100;
    authority.issue("own", &["a.example"], 10);
    tls.reload(&authority.config(&["own"])).unwrap();
    tls.prepare(&authority.config(&["own"]), later).unwrap();
}

#[test]
fn a_server_starts_with_a_certificate_that_has_expired() {
    let authority = Authority::new();
    let now = SystemTime::now();
    authority.issue_between("own", &["a.example"], now - DAY * 2, now - DAY);
    assert!(authority.start(&["own"]).first_expiry().unwrap() < now);
}

#[tokio::test]
async fn files_that_change_are_noticed() {
    let authority = Authority::new();
    let old = authority.issue("own", &["a.example"], 3);
    let tls = authority.start(&["own"]);
    let address = serve(&tls).await;
    tls.look(SystemTime::now());
    assert_eq!(authority.shown(address, "a.example").await, old);
    // As certbot does it: one file after the other, and a look between them.
    let key = authority.read("own.key");
    let new = authority.issue("own", &["a.example"], 90);
    let next = authority.read("own.key");
    authority.write("own.key", &key);
    tls.look(SystemTime::now());
    assert_eq!(authority.shown(address, "a.example").await, old);
    authority.write("own.key", &next);
    tls.look(SystemTime::now());
    assert_eq!(authority.shown(address, "a.example").await, new);
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_elsewhere_is_a_change() {
    use std::os::unix::fs::symlink;
    let authority = Authority::new();
    let (live, next) = (authority.folder.join("live"), authority.folder.join("next"));
    for version in ["one", "two"] {
        fs::create_dir(authority.folder.join(version)).unwrap();
    }
    let old = authority.issue("one/own", &["a.example"], 3);
    let new = authority.issue("two/own", &["a.example"], 90);
    symlink("one", &live).unwrap();
    let tls = authority.start(&["live/own"]);
    let address = serve(&tls).await;
    assert_eq!(authority.shown(address, "a.example").await, old);
    // As Kubernetes replaces a mounted secret.
    symlink("two", &next).unwrap();
    fs::rename(&next, &live).unwrap();
    tls.look(SystemTime::now());
    assert_eq!(authority.shown(address, "a.example").await, new);
}

#[tokio::test]
async fn files_that_are_gone_for_a_while_leave_what_was_read() {
    let authority = Authority::new();
    let old = authority.issue("own", &["a.example"], 90);
    let tls = authority.start(&["own"]);
    let address = serve(&tls).await;
    fs::remove_file(authority.folder.join("own.pem")).unwrap();
    tls.look(SystemTime::now());
    assert_eq!(authority.shown(address, "a.example").await, old);
    let new = authority.issue("own", &["a.example"], 90);
    tls.look(SystemTime::now());
    assert_eq!(authority.shown(address, "a.example").await, new);
}

#[test]
fn the_first_to_expire_is_the_one_that_is_told() {
    let authority = Authority::new();
    authority.issue("first", &["a.example"], 90);
    authority.issue("second", &["b.example"], 7);
    let tls = authority.start(&["first", "second"]);
    let left = tls.first_expiry().unwrap().duration_since(SystemTime::now()).unwrap();
    assert!(left <= DAY * 7 && left > DAY * 6, "{left:?}");
}
