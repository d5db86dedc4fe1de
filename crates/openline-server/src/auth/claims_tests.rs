//! What a token must say, and what is said where it does not.

use std::time::Duration;

use serde_json::{Value, json};

use super::test_keys::{SECRET, Signer, key_for};
use super::*;

const NOW: u64 = 1_000_000;

fn with(options: Options) -> Verifier {
    Verifier::new(options).unwrap()
}

/// Options with the secret for HS256, and what signs for them.
fn hs256() -> (Options, Signer) {
    let options = Options { keys: vec![key_for(Algorithm::Hs256)], ..Options::default() };
    (options, Signer::hmac(Algorithm::Hs256, SECRET))
}

/// What the verifier makes of these claims.
async fn verdict(options: Options, claims: Value) -> Result<Identity, AuthError> {
    let (_, signer) = hs256();
    with(options).verify(&signer.token(None, &claims), NOW).await
}

async fn refusal(claims: Value) -> String {
    verdict(hs256().0, claims).await.unwrap_err().message()
}

#[tokio::test]
async fn claims_must_be_of_their_kind() {
    for (claims, message) in [
        (json!({}), "claim exp is missing; a token needs an end"),
        (json!({"exp": null}), "claim exp is missing; a token needs an end"),
        (json!({"exp": "2000000"}), "claim exp must be a number, got string"),
        (json!({"exp": [1]}), "claim exp must be a number, got array"),
        (json!({"exp": true}), "claim exp must be a number, got boolean"),
        (json!({"exp": 2e6, "nbf": "0"}), "claim nbf must be a number, got string"),
        (json!({"exp": 2e6, "iat": {}}), "claim iat must be a number, got object"),
        (json!({"exp": 2e6, "sub": 7}), "claim sub must be a string, got number"),
        (json!({"exp": 2e6, "jti": 7}), "claim jti must be a string, got number"),
        (
            json!({"exp": 2e6, "sub": ""}),
            "claim sub must have 1 to 255 bytes and no control characters",
        ),
        (
            json!({"exp": 2e6, "sub": "a\nb"}),
            "claim sub must have 1 to 255 bytes and no control characters",
        ),
        (json!({"exp": 2e6, "subs": "a"}), "claim subs must be an array, got string"),
        (json!({"exp": 2e6, "subs": ["a", 7]}), "claim subs, channel 2: must be a string"),
        (
            json!({"exp": 2e6, "subs": ["a b"]}),
            "claim subs, channel 1: must not contain whitespace or control characters",
        ),
        (json!({"exp": 2e6, "subs": vec!["a"; 65]}), "claim subs has 65 channels; at most 64"),
        (
            json!({"exp": 2e6, "info": "x".repeat(4095)}),
            "claim info must have at most 4096 bytes, got 4097",
        ),
        (json!({"exp": 2e6, "channels": 7}), "claim channels must be an object or an array"),
        (
            json!({"exp": 2e6, "channel": "a"}),
            "claim channel makes this a subscription token; send it with subscribe",
        ),
    ] {
        assert_eq!(refusal(claims).await, message);
    }
}

#[tokio::test]
async fn expiry_counts_with_the_leeway() {
    for (exp, seconds) in [(NOW - 42, Some(42)), (NOW - 30, Some(30)), (NOW - 29, None)] {
        let found = verdict(hs256().0, json!({"exp": exp})).await;
        let Some(seconds) = seconds else {
            assert!(found.is_ok());
            continue;
        };
        let error = found.unwrap_err();
        assert_eq!(error.message(), format!("token expired {seconds} s ago (leeway 30 s)"));
        assert_eq!((error.code(), error.close_code()), ("token_expired", 4000));
        assert!(error.is_expired() && error.status() == 403);
    }
    let strict = Options { leeway: Duration::ZERO, ..hs256().0 };
    assert!(verdict(strict.clone(), json!({"exp": NOW})).await.is_err());
    assert!(verdict(strict, json!({"exp": NOW + 1})).await.is_ok());
}

#[tokio::test]
async fn strange_numbers_are_times_all_the_same() {
    for exp in [-1.0, -1e300, 0.0, 999_969.9] {
        let error = verdict(hs256().0, json!({"exp": exp})).await.unwrap_err();
        assert!(error.is_expired(), "{exp}");
    }
    assert_eq!(refusal(json!({"exp": -5})).await, "token expired 1000000 s ago (leeway 30 s)");
    for exp in [1e300, 1_000_000.5] {
        assert!(verdict(hs256().0, json!({"exp": exp})).await.is_ok(), "{exp}");
    }
    let last = verdict(hs256().0, json!({"exp": u64::MAX})).await.unwrap();
    assert_eq!(with(hs256().0).line_ends_at(&last), Some(u64::MAX));
}

#[tokio::test]
async fn a_line_ends_when_its_token_would_be_refused() {
    let verifier = with(hs256().0);
    let identity = verdict(hs256().0, json!({"exp": NOW + 5})).await.unwrap();
    let end = verifier.line_ends_at(&identity).unwrap();
    let token = hs256().1.token(None, &json!({"exp": NOW + 5}));
    assert!(verifier.verify(&token, end - 1).await.is_ok());
    assert!(verifier.verify(&token, end).await.unwrap_err().is_expired());
    assert_eq!(verifier.line_ends_at(&Identity::default()), None);
}

#[tokio::test]
async fn a_token_is_not_accepted_before_its_time() {
    let claims = |nbf| json!({"exp": 2_000_000, "nbf": nbf});
    assert_eq!(
        refusal(claims(NOW + 31)).await,
        "token is not valid for another 31 s (leeway 30 s)"
    );
    assert!(verdict(hs256().0, claims(NOW + 30)).await.is_ok());
    assert!(verdict(hs256().0, claims(0)).await.is_ok());
}

#[tokio::test]
async fn the_audience_must_be_us() {
    let ours = || Options { audience: Some("openline".into()), ..hs256().0 };
    let claims = |aud: Value| json!({"exp": 2_000_000, "aud": aud});
    for aud in [json!("openline"), json!(["other", "openline"])] {
        assert!(verdict(ours(), claims(aud)).await.is_ok());
    }
    for aud in [json!("other"), json!([]), json!(["Openline"]), json!(7), Value::Null] {
        let error = verdict(ours(), claims(aud)).await.unwrap_err();
        assert_eq!(error.message(), "token audience does not include openline");
    }
    assert_eq!(
        refusal(claims(json!("other"))).await,
        "token has an audience, and auth.audience is not set"
    );
}

#[tokio::test]
async fn the_issuer_must_be_the_one_expected() {
    let options = || Options { issuer: Some("https://id.test".into()), ..hs256().0 };
    let claims = |iss: Value| json!({"exp": 2_000_000, "iss": iss});
    assert!(verdict(options(), claims(json!("https://id.test"))).await.is_ok());
    for iss in [json!("https://id.test/"), json!(["https://id.test"]), Value::Null] {
        let error = verdict(options(), claims(iss)).await.unwrap_err();
        assert_eq!(error.message(), "token issuer is not the one that is expected");
    }
    assert!(verdict(hs256().0, claims(json!("anyone"))).await.is_ok());
}

#[tokio::test]
async fn claims_become_an_identity() {
    let (options, signer) = hs256();
    let payload = r#"{"sub":"ann","exp":2000000,"iat":999999.5,"jti":"t1","extra":[],
        "info":{"b": 1.50,"a":12345678901234567890123},"subs":["news","user:ann"],"uploads":true,
        "channels":{"user:{user}:*":["subscribe"]}}"#;
    let token = signer.sign(r#"{"alg":"HS256"}"#, payload);
    let identity = with(options).verify(&token, NOW).await.unwrap();
    assert_eq!(identity.user.as_deref(), Some("ann"));
    assert_eq!(identity.token_id.as_deref(), Some("t1"));
    assert_eq!(identity.issued_at, Some(999_999));
    assert_eq!(identity.info.as_deref(), Some(r#"{"b": 1.50,"a":12345678901234567890123}"#));
    assert_eq!(identity.channels, ["news", "user:ann"]);
    assert_eq!(identity.uploads, Some(true));
    let grants = identity.grants.unwrap();
    assert!(grants.allows("user:ann:inbox", Action::Subscribe));
    assert!(!grants.allows("user:ann:inbox", Action::Publish));
    assert!(!grants.allows("user:bob:inbox", Action::Subscribe));

    let bare = verdict(hs256().0, json!({"exp": 2_000_000})).await.unwrap();
    assert_eq!(bare, Identity { expires_at: Some(2_000_000), ..Identity::default() });
}
