//! Fetched keys: rotation, and what happens when they cannot be fetched.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::jwks::Fetched;
use super::test_keys::{RSA_N, SECRET, Signer, TOKENS, key_for};
use super::*;

const NOW: u64 = 1_000_000;
const HOUR: u64 = 3600;

#[derive(Clone)]
enum Answer {
    Keys(Value),
    Bytes(Vec<u8>),
    Down,
    Hang,
    Panic,
}

/// An issuer that answers as told and counts.
struct Issuer {
    answer: Mutex<Answer>,
    fetches: AtomicUsize,
}

impl Issuer {
    fn new(answer: Answer) -> Arc<Self> {
        Arc::new(Self { answer: Mutex::new(answer), fetches: AtomicUsize::new(0) })
    }

    fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }
}

impl Fetch for Issuer {
    fn get<'a>(&'a self, url: &'a str) -> Fetched<'a> {
        assert_eq!(url, "https://id.test/keys");
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().unwrap().clone();
        Box::pin(async move {
            // Time passes, so that others come meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            match answer {
                Answer::Keys(keys) => Ok(json!({"keys": keys}).to_string().into_bytes()),
                Answer::Bytes(bytes) => Ok(bytes),
                Answer::Down => Err("connection refused\n".into()),
                Answer::Hang => std::future::pending().await,
                Answer::Panic => panic!("a fetch that panics"),
            }
        })
    }
}

fn verifier(issuer: &Arc<Issuer>) -> Verifier {
    let jwks_url = Some("https://id.test/keys".into());
    Verifier::with_fetch(Options { jwks_url, ..Options::default() }, issuer.clone()).unwrap()
}

fn token(signer: &Signer, kid: &str) -> Token {
    signer.token(Some(kid), &json!({"sub": "ann", "exp": 9_000_000}))
}

#[tokio::test(start_paused = true)]
async fn keys_of_each_kind_are_read_and_the_others_passed_over() {
    let (ec, ed) = (Signer::ec(), Signer::ed());
    let rsa = json!({"kty": "RSA", "kid": "r", "n": RSA_N, "e": "AQAB", "alg": "RS256"});
    let issuer = Issuer::new(Answer::Keys(json!([
        7,
        {},
        {"kty": "oct", "kid": "o", "k": "c2VjcmV0"},
        {"kty": "EC", "crv": "P-384", "kid": "p", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "kid": "e", "x": "AA", "y": "AA"},
        {"kty": "RSA", "kid": "r", "n": RSA_N, "e": "AQAB", "use": "enc"},
        {"kty": "RSA", "kid": "r", "n": RSA_N, "e": "AQAB", "alg": "PS256"},
        {"kty": "RSA", "kid": "short", "n": "AQAB", "e": "AQAB"},
        ec.jwk("e"),
        ed.jwk("d"),
        rsa
    ])));
    let verifier = verifier(&issuer);
    assert!(verifier.verify(&token(&ec, "e"), NOW).await.is_ok());
    assert!(verifier.verify(&token(&ed, "d"), NOW).await.is_ok());
    // Without a kid, the only key for the algorithm.
    assert!(verifier.verify(&Token::new(TOKENS[3].1), NOW).await.is_ok());
    assert_eq!(issuer.fetches(), 1);

    let wrong = verifier.verify(&token(&ed, "e"), NOW).await.unwrap_err();
    assert_eq!(wrong.message(), "token algorithm EdDSA is not allowed; expected ES256");
    assert_eq!(verifier.verify(&token(&Signer::ec(), "e"), NOW).await, Err(AuthError::Signature));
    let hmac = Signer::hmac(Algorithm::Hs256, b"secret");
    let error = verifier.verify(&token(&hmac, "o"), NOW).await.unwrap_err();
    assert_eq!(
        error.message(),
        "token algorithm HS256 is not allowed; expected RS256 or ES256 or EdDSA"
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_kid_several_keys_are_not_tried() {
    let (one, two) = (Signer::ed(), Signer::ed());
    let issuer = Issuer::new(Answer::Keys(json!([one.jwk("1"), two.jwk("2")])));
    let token = one.token(None, &json!({"exp": 9_000_000}));
    let error = verifier(&issuer).verify(&token, NOW).await.unwrap_err();
    assert_eq!(
        error.message(),
        "token has no kid, and it takes one to choose from the configured JWKS"
    );
}

#[tokio::test(start_paused = true)]
async fn the_set_is_kept_for_five_minutes() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Keys(json!([signer.jwk("1")])));
    let verifier = verifier(&issuer);
    for (now, fetches) in [(NOW, 1), (NOW + 299, 1), (NOW + 300, 2), (NOW + 599, 2)] {
        assert!(verifier.verify(&token(&signer, "1"), now).await.is_ok());
        assert_eq!(issuer.fetches(), fetches, "{now}");
    }
    // A clock that was set back does not keep it for ever.
    assert!(verifier.verify(&token(&signer, "1"), 500).await.is_ok());
    assert_eq!(issuer.fetches(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_fetched_early_and_the_old_one_goes() {
    let (old, new) = (Signer::ed(), Signer::ec());
    let issuer = Issuer::new(Answer::Keys(json!([old.jwk("old")])));
    let verifier = verifier(&issuer);
    assert!(verifier.verify(&token(&old, "old"), NOW).await.is_ok());
    issuer.set(Answer::Keys(json!([new.jwk("new")])));
    assert!(verifier.verify(&token(&new, "new"), NOW + 10).await.is_ok());
    assert_eq!(issuer.fetches(), 2);
    let error = verifier.verify(&token(&old, "old"), NOW + 11).await.unwrap_err();
    assert_eq!(error.message(), "no key with the token's kid in the configured JWKS");
    assert_eq!(error.close_code(), 4002);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_kids_makes_one_fetch_in_ten_seconds() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Keys(json!([signer.jwk("1")])));
    let verifier = verifier(&issuer);
    for n in 0..1000_u64 {
        // 20 seconds in all.
        let kid = format!("../{n}");
        let error = verifier.verify(&token(&signer, &kid), NOW + n / 50).await.unwrap_err();
        assert_eq!(error.message(), "no key with the token's kid in the configured JWKS");
    }
    assert_eq!(issuer.fetches(), 2);
    assert!(verifier.verify(&token(&signer, "1"), NOW + 20).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn many_who_come_at_once_share_one_fetch() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Keys(json!([signer.jwk("1")])));
    let verifier = Arc::new(verifier(&issuer));
    let ask = |kid: &str| {
        let (verifier, token) = (verifier.clone(), token(&signer, kid));
        tokio::spawn(async move { verifier.verify(&token, NOW).await })
    };
    let good: Vec<_> = (0..100).map(|_| ask("1")).collect();
    let bad: Vec<_> = (0..100).map(|n| ask(&n.to_string().repeat(2))).collect();
    for one in good {
        assert!(one.await.unwrap().is_ok());
    }
    for one in bad {
        assert!(one.await.unwrap().is_err());
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_leaves_while_it_is_fetched_takes_nothing_from_the_others() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Keys(json!([signer.jwk("1")])));
    let verifier = verifier(&issuer);
    let token = token(&signer, "1");
    let left = tokio::time::timeout(Duration::from_millis(10), verifier.verify(&token, NOW)).await;
    assert!(left.is_err());
    assert!(verifier.verify(&token, NOW).await.is_ok());
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_from_the_start_is_no_fault_of_the_token() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Down);
    let verifier = verifier(&issuer);
    let token = token(&signer, "1");
    for now in [NOW, NOW + 1, NOW + 9] {
        let error = verifier.verify(&token, now).await.unwrap_err();
        assert!(error.is_retryable());
        assert_eq!((error.code(), error.close_code(), error.status()), ("unavailable", 1013, 503));
        assert_eq!(error.message(), "the signing keys cannot be fetched just now; try again");
        assert_eq!(error.detail().as_deref(), Some(r"connection refused\n"));
    }
    assert_eq!(issuer.fetches(), 1);
    issuer.set(Answer::Keys(json!([signer.jwk("1")])));
    assert!(verifier.verify(&token, NOW + 10).await.is_ok());
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_last_set_serves_for_a_day_while_the_issuer_is_down() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Keys(json!([signer.jwk("1")])));
    let verifier = verifier(&issuer);
    let token = |kid: &str| token(&signer, kid);
    assert!(verifier.verify(&token("1"), NOW).await.is_ok());
    issuer.set(Answer::Down);
    assert!(verifier.verify(&token("1"), NOW + HOUR).await.is_ok());
    // A key that is not in the old set may be in the new one.
    assert!(verifier.verify(&token("2"), NOW + HOUR).await.unwrap_err().is_retryable());
    assert_eq!(issuer.fetches(), 2);
    assert!(verifier.verify(&token("1"), NOW + 24 * HOUR - 1).await.is_ok());
    assert!(verifier.verify(&token("1"), NOW + 24 * HOUR).await.unwrap_err().is_retryable());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_hangs_holds_nobody_longer_than_two_seconds() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Keys(json!([signer.jwk("1")])));
    let verifier = verifier(&issuer);
    let token = |kid: &str| token(&signer, kid);
    assert!(verifier.verify(&token("1"), NOW).await.is_ok());
    issuer.set(Answer::Hang);
    let started = tokio::time::Instant::now();
    assert!(verifier.verify(&token("1"), NOW + HOUR).await.is_ok());
    assert_eq!(started.elapsed(), Duration::from_secs(2));
    // And the next ones not at all.
    assert!(verifier.verify(&token("1"), NOW + HOUR + 9).await.is_ok());
    let error = verifier.verify(&token("2"), NOW + HOUR + 9).await.unwrap_err();
    assert_eq!(error.detail().as_deref(), Some("no answer within 2 s"));
    assert_eq!(started.elapsed(), Duration::from_secs(2));
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_fetch_that_panics_is_tried_again() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Panic);
    let verifier = verifier(&issuer);
    assert!(verifier.verify(&token(&signer, "1"), NOW).await.unwrap_err().is_retryable());
    issuer.set(Answer::Keys(json!([signer.jwk("1")])));
    assert!(verifier.verify(&token(&signer, "1"), NOW + 10).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_set_of_keys_does_not_replace_one() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Keys(json!([signer.jwk("1")])));
    let verifier = verifier(&issuer);
    let token = token(&signer, "1");
    assert!(verifier.verify(&token, NOW).await.is_ok());
    let padded = format!("{{\"keys\":[]}}{}", " ".repeat(256 << 10)).into_bytes();
    let bad = [b"<html>".to_vec(), b"{}".to_vec(), br#"{"keys":[]}"#.to_vec(), padded];
    for (n, body) in bad.into_iter().enumerate() {
        issuer.set(Answer::Bytes(body));
        let now = NOW + HOUR * (n as u64 + 1);
        assert!(verifier.verify(&token, now).await.is_ok(), "{n}");
        assert_eq!(issuer.fetches(), n + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn configured_keys_go_first_and_need_no_fetch() {
    let signer = Signer::ed();
    let issuer = Issuer::new(Answer::Keys(json!([signer.jwk("1")])));
    let options = Options {
        keys: vec![key_for(Algorithm::Hs256), key_for(Algorithm::EdDsa)],
        jwks_url: Some("https://id.test/keys".into()),
        ..Options::default()
    };
    let verifier = Verifier::with_fetch(options, issuer.clone()).unwrap();
    let hmac = Signer::hmac(Algorithm::Hs256, SECRET);
    assert!(verifier.verify(&token(&hmac, "any"), NOW).await.is_ok());
    assert!(verifier.verify(&Token::new(TOKENS[5].1), NOW).await.is_ok());
    assert_eq!(issuer.fetches(), 0);
    // The configured key for EdDSA does not fit; the fetched one does.
    assert!(verifier.verify(&token(&signer, "1"), NOW).await.is_ok());
    assert_eq!(issuer.fetches(), 1);
}

#[test]
fn keys_are_fetched_over_https_or_on_this_machine() {
    let issuer = Issuer::new(Answer::Down);
    let check = |url: &str| {
        let options = Options { jwks_url: Some(url.into()), ..Options::default() };
        Verifier::with_fetch(options, issuer.clone()).map(drop)
    };
    for url in [
        "https://id.test/keys",
        "http://127.0.0.1:8080/keys",
        "http://localhost/keys",
        "http://[::1]:1/keys",
    ] {
        assert!(check(url).is_ok(), "{url}");
    }
    for url in [
        "http://id.test/keys",
        "http://localhost.evil.test/",
        "http://127.0.0.1.evil.test/",
        "https://user:canary@id.test/",
        "file:///etc/passwd",
        "id.test/keys",
        "/keys",
        "https:///keys",
        "",
        "not an address",
    ] {
        let error = check(url).unwrap_err().to_string();
        assert!(error.starts_with("auth.jwks_url "), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}
