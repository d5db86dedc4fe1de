//! What tokens are accepted, and what is said of those that are not.

use std::time::Duration;

use serde_json::{Value, json};

use super::test_keys::{
    EC_384_PEM, EC_PEM, ED_PEM, ES256_DER_TOKEN, RSA_1024_PEM, RSA_PEM, SECRET, Signer, TOKENS,
    key_for,
};
use super::*;

const NOW: u64 = 1_000_000;

fn verifier(algorithms: &[Algorithm]) -> Verifier {
    with(Options { keys: algorithms.iter().copied().map(key_for).collect(), ..Options::default() })
}

fn with(options: Options) -> Verifier {
    Verifier::new(options).unwrap()
}

/// Options with the secret for HS256, and what signs for them.
fn hs256() -> (Options, Signer) {
    let options = Options { keys: vec![key_for(Algorithm::Hs256)], ..Options::default() };
    (options, Signer::hmac(Algorithm::Hs256, SECRET))
}

#[tokio::test]
async fn tokens_of_each_algorithm_are_accepted_with_their_key_alone() {
    for (algorithm, token) in TOKENS {
        let token = Token::new(token);
        let identity = verifier(&[algorithm]).verify(&token, NOW).await.unwrap();
        assert_eq!(identity.user.as_deref(), Some("ann"), "{algorithm:?}");
        assert_eq!(identity.expires_at, Some(1_000_000));
        assert_eq!(identity.issued_at, Some(999_000));
        assert!(verifier(&Algorithm::ALL).verify(&token, NOW).await.is_ok(), "{algorithm:?}");

        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let error = verifier(&[other]).verify(&token, NOW).await.unwrap_err();
            let (found, expected) = (algorithm.as_str(), other.as_str());
            assert_eq!(
                error.message(),
                format!("token algorithm {found} is not allowed; expected {expected}")
            );
        }
    }
}

#[tokio::test]
async fn a_changed_signature_or_payload_is_refused() {
    for (algorithm, token) in TOKENS {
        let verifier = verifier(&[algorithm]);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, payload) = signed.split_once('.').unwrap();
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        let other_payload = payload.replacen('5', "6", 1);
        assert_ne!(payload, other_payload);
        for changed in [
            format!("{signed}.{first}{}", &signature[1..]),
            format!("{signed}."),
            format!("{signed}.{}", &signature[..4]),
            format!("{header}.{other_payload}.{signature}"),
        ] {
            let error = verifier.verify(&Token::new(changed), NOW).await.unwrap_err();
            assert_eq!(error, AuthError::Signature, "{algorithm:?}");
            assert_eq!((error.code(), error.close_code()), ("auth_failed", 4002));
        }
    }
    let error = verifier(&[Algorithm::Es256]).verify(&Token::new(ES256_DER_TOKEN), NOW).await;
    assert_eq!(error, Err(AuthError::Signature));
}

#[tokio::test]
async fn no_algorithm_is_no_algorithm() {
    let (_, signer) = hs256();
    for name in ["none", "None", "NONE"] {
        let header = format!("{{\"alg\":\"{name}\"}}");
        let unsigned = signer.sign(&header, "{\"exp\":2000000}");
        let cut = unsigned.expose().rsplit_once('.').unwrap().0;
        for token in [unsigned.clone(), Token::new(format!("{cut}."))] {
            let error = verifier(&[Algorithm::Rs256]).verify(&token, NOW).await.unwrap_err();
            assert_eq!(error.message(), "token algorithm none is not allowed; expected RS256");
        }
    }
}

#[tokio::test]
async fn a_public_key_does_not_sign_as_a_secret() {
    let signer = Signer::hmac(Algorithm::Hs256, RSA_PEM.as_bytes());
    let token = signer.token(None, &json!({"exp": 2_000_000}));
    let error = verifier(&[Algorithm::Rs256]).verify(&token, NOW).await.unwrap_err();
    assert_eq!(error.message(), "token algorithm HS256 is not allowed; expected RS256");
    let both = verifier(&[Algorithm::Rs256, Algorithm::Hs256]);
    assert_eq!(both.verify(&token, NOW).await, Err(AuthError::Signature));
}

#[tokio::test]
async fn only_names_of_algorithms_are_repeated() {
    let (options, signer) = hs256();
    let token = signer.sign("{\"alg\":\"canary\"}", "{}");
    let error = with(options).verify(&token, NOW).await.unwrap_err();
    assert_eq!(error.message(), "token algorithm (unknown) is not allowed; expected HS256");
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let (options, signer) = hs256();
    let verifier = with(options);
    let long = "a".repeat(8193);
    for (text, message) in [
        ("", "token is empty"),
        ("canary", "token must have three parts with dots between, got 1"),
        ("a.b", "token must have three parts with dots between, got 2"),
        ("a.b.c.d.e", "token must have three parts with dots between, got 5"),
        ("e30=.e30.", "token header must be base64url without padding"),
        ("e30.e30.", "token header must be a JSON object with alg, a string"),
        ("W10.e30.", "token header must be a JSON object with alg, a string"),
        (&long, "token must have at most 8192 bytes, got 8193"),
    ] {
        let error = verifier.verify(&Token::new(text), NOW).await.unwrap_err();
        assert_eq!(error.message(), message);
    }
    for (header, payload, message) in [
        (r#"{"alg":7}"#, "{}", "token header must be a JSON object with alg, a string"),
        (
            r#"{"alg":"none","alg":"HS256"}"#,
            "{}",
            "token header must be a JSON object with alg, a string",
        ),
        (
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            "{}",
            "token header has crit, and no extension is supported",
        ),
        (
            r#"{"alg":"HS256"}"#,
            "canary",
            "token payload must be a JSON object that names each claim once",
        ),
        (
            r#"{"alg":"HS256"}"#,
            r#"{"exp":1,"exp":2000000}"#,
            "token payload must be a JSON object that names each claim once",
        ),
    ] {
        let error = verifier.verify(&signer.sign(header, payload), NOW).await.unwrap_err();
        assert_eq!(error.message(), message);
    }
}

#[tokio::test]
async fn every_prefix_of_a_token_is_refused() {
    for (algorithm, token) in TOKENS {
        let verifier = verifier(&[algorithm]);
        for end in 0..token.len() {
            let cut = Token::new(&token[..end]);
            assert!(verifier.verify(&cut, NOW).await.is_err(), "{algorithm:?} cut at {end}");
        }
    }
}

fn named(key_id: &str, secret: &[u8]) -> KeyOptions {
    KeyOptions {
        algorithm: Algorithm::Hs256,
        key_id: Some(key_id.into()),
        material: KeyMaterial::Secret(Secret::new(secret)),
    }
}

#[tokio::test]
async fn a_kid_only_looks_a_key_up() {
    let (one, two) = ([b'1'; 32], [b'2'; 32]);
    let keys = vec![named("one", &one), named("two", &two)];
    let verifier = with(Options { keys, ..Options::default() });
    let claims = json!({"exp": 2_000_000});
    let signer = Signer::hmac(Algorithm::Hs256, &two);
    assert!(verifier.verify(&signer.token(Some("two"), &claims), NOW).await.is_ok());
    assert!(verifier.verify(&signer.token(None, &claims), NOW).await.is_ok());
    assert_eq!(
        verifier.verify(&signer.token(Some("one"), &claims), NOW).await,
        Err(AuthError::Signature)
    );
    for kid in ["three", "", "../../../dev/null", "two\0", "' OR 1=1 --", "http://evil.test/k"] {
        let error = verifier.verify(&signer.token(Some(kid), &claims), NOW).await.unwrap_err();
        assert_eq!(error.message(), "no key with the token's kid in the configured keys");
    }
    let long = signer.token(Some(&"k".repeat(129)), &claims);
    let error = verifier.verify(&long, NOW).await.unwrap_err();
    assert_eq!(error.message(), "token kid must have at most 128 bytes, got 129");
}

#[tokio::test]
async fn an_unknown_kid_is_for_the_log_and_escaped() {
    let verifier = with(Options { keys: vec![named("one", SECRET)], ..Options::default() });
    let token = hs256().1.token(Some("canary\r\n\u{1b}[31m"), &json!({"exp": 2_000_000}));
    let error = verifier.verify(&token, NOW).await.unwrap_err();
    assert!(!error.message().contains("canary"));
    assert_eq!(error.detail().as_deref(), Some(r"kid canary\r\n\u{1b}[31m"));
}

#[tokio::test]
async fn keys_in_the_header_are_not_believed() {
    let signer = Signer::ed();
    for (member, value) in [
        ("jwk", signer.jwk("x")),
        ("jku", json!("https://evil.test/jwks.json")),
        ("x5u", json!("https://evil.test/cert.pem")),
    ] {
        let header = json!({"alg": "EdDSA", member: value}).to_string();
        let token = signer.sign(&header, r#"{"exp":2000000}"#);
        let found = verifier(&[Algorithm::EdDsa]).verify(&token, NOW).await;
        assert_eq!(found, Err(AuthError::Signature), "{member}");
    }
}

#[tokio::test]
async fn without_keys_no_token_is_accepted() {
    let token = hs256().1.token(None, &json!({"exp": 2_000_000}));
    let error = with(Options::default()).verify(&token, NOW).await.unwrap_err();
    assert_eq!(error.message(), "this server has no keys to check tokens with");
    assert_eq!((error.code(), error.close_code()), ("auth_failed", 4002));
}

#[tokio::test]
async fn a_canary_in_a_token_is_in_no_error() {
    let canary = "canary";
    let (options, signer) = hs256();
    let verifier = with(options);
    for claims in [
        json!({"exp": "canary"}),
        json!({"exp": 1, "sub": canary}),
        json!({"exp": 2e6, "aud": canary}),
        json!({"exp": 2e6, "sub": "canary\n"}),
        json!({"exp": 2e6, "channels": {"canary*canary": []}}),
        json!({"exp": 2e6, "channels": {"a": [canary]}}),
        json!({"exp": 2e6, "subs": ["canary canary"]}),
        json!({"exp": 2e6, "channel": canary}),
    ] {
        let token = signer.token(None, &claims);
        let error = verifier.verify(&token, NOW).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?} {token} {token:?}", error.detail());
        assert!(!shown.contains(canary), "{shown}");
        for part in token.expose().split('.') {
            assert!(!shown.contains(part), "{shown}");
        }
    }
}

#[tokio::test]
async fn what_was_taken_back_is_refused() {
    let (options, signer) = hs256();
    let verifier = with(options);
    let claims = json!({"exp": 2e6, "sub": "ann", "jti": "t1", "iat": NOW - 5});
    let token = signer.token(None, &claims);
    assert!(verifier.verify(&token, NOW).await.is_ok());
    verifier.revocations().revoke(Subject::User("ann".into()), NOW, NOW + 100).unwrap();
    let error = verifier.verify(&token, NOW).await.unwrap_err();
    assert_eq!(error, AuthError::Revoked);
    assert_eq!(error.close_code(), 4002);
    let newer = json!({"exp": 2e6, "sub": "ann", "jti": "t2", "iat": NOW + 1});
    let newer = signer.token(None, &newer);
    assert!(verifier.verify(&newer, NOW + 2).await.is_ok());
    verifier.revocations().revoke(Subject::Token("t2".into()), NOW, NOW + 100).unwrap();
    assert_eq!(verifier.verify(&newer, NOW + 2).await, Err(AuthError::Revoked));
    assert!(verifier.verify(&newer, NOW + 100).await.is_ok());
}

#[tokio::test]
async fn a_renewal_keeps_the_user() {
    let (options, signer) = hs256();
    let verifier = with(options);
    let token = |sub: &str, exp: u64| signer.token(None, &json!({"sub": sub, "exp": exp}));
    let ann = verifier.verify(&token("ann", NOW + 10), NOW).await.unwrap();
    let renewed = verifier.renew(&ann, &token("ann", NOW + 999), NOW).await.unwrap();
    assert_eq!(renewed.expires_at, Some(NOW + 999));
    let error = verifier.renew(&ann, &token("bob", NOW + 999), NOW).await.unwrap_err();
    assert_eq!(error.message(), "token is for another user than the line's");
}

#[tokio::test]
async fn a_subscription_token_is_for_one_channel_and_its_bearer() {
    let (options, signer) = hs256();
    let verifier = with(options);
    let check = async |claims: Value| {
        let token = signer.token(None, &claims);
        verifier.verify_subscription(&token, "room:1", "c1", Some("ann"), NOW).await
    };
    let grant = check(json!({"exp": 2e6, "channel": "room:1", "info": {"seat":1}})).await.unwrap();
    assert_eq!(grant.expires_at, 2_000_000);
    assert_eq!(grant.info.as_deref(), Some("{\"seat\":1}"));
    let may = |grant: &SubscriptionGrant| Action::ALL.map(|action| grant.actions.allows(action));
    assert_eq!(may(&grant), [true, false, true, true]);
    for bearer in [json!({"client": "c1"}), json!({"sub": "ann"}), json!({"aud": null})] {
        let mut claims = json!({"exp": 2e6, "channel": "room:1", "actions": ["*"]});
        claims.as_object_mut().unwrap().extend(bearer.as_object().unwrap().clone());
        assert_eq!(may(&check(claims).await.unwrap()), [true; 4]);
    }
    for (claims, message) in [
        (json!({"exp": 2e6}), "claim channel is missing; a subscription token needs it"),
        (json!({"exp": 2e6, "channel": 1}), "claim channel must be a string, got number"),
        (json!({"exp": 2e6, "channel": "room:2"}), "subscription token is for another channel"),
        (json!({"exp": 2e6, "channel": "room:*"}), "subscription token is for another channel"),
        (
            json!({"exp": 2e6, "channel": "room:1", "client": "c2"}),
            "subscription token is for another client",
        ),
        (
            json!({"exp": 2e6, "channel": "room:1", "sub": "bob"}),
            "subscription token is for another user",
        ),
        (
            json!({"exp": 2e6, "channel": "room:1", "actions": ["publish"]}),
            "claim actions must include \"subscribe\"",
        ),
        (json!({"exp": 1, "channel": "room:1"}), "token expired 999999 s ago (leeway 30 s)"),
        (json!({"channel": "room:1"}), "claim exp is missing; a token needs an end"),
    ] {
        assert_eq!(check(claims).await.unwrap_err().message(), message);
    }
    let token = signer.token(None, &json!({"exp": 2e6, "channel": "room:1", "sub": "ann"}));
    let nobody = verifier.verify_subscription(&token, "room:1", "c1", None, NOW).await;
    assert_eq!(nobody.unwrap_err().message(), "subscription token is for another user");
    verifier.revocations().revoke(Subject::User("ann".into()), NOW, NOW + 9).unwrap();
    let revoked = verifier.verify_subscription(&token, "room:1", "c1", Some("ann"), NOW).await;
    assert_eq!(revoked, Err(AuthError::Revoked));
}

#[test]
fn keys_that_cannot_be_right_are_refused_at_once() {
    let secret = |text: &str| KeyMaterial::Secret(Secret::new(text));
    let pem = |text: &str| KeyMaterial::PublicKeyPem(text.into());
    let not_pem = "public_key must be a PEM that begins -----BEGIN PUBLIC KEY-----";
    for (algorithm, material, message) in [
        (Algorithm::Hs256, secret("hunter2"), "secret has 7 bytes; at least 32 are needed"),
        (Algorithm::Hs256, secret(EC_PEM), "secret is a PEM; a public key belongs in public_key"),
        (Algorithm::Hs256, pem(RSA_PEM), "HS256 needs secret, not public_key"),
        (Algorithm::Rs256, secret(RSA_PEM), "RS256 needs public_key, not secret"),
        (Algorithm::Rs256, pem(EC_PEM), "public_key is not a key for RS256"),
        (Algorithm::Es256, pem(ED_PEM), "public_key is not a key for ES256"),
        (Algorithm::Es256, pem(EC_384_PEM), "public_key is not a key for ES256"),
        (Algorithm::EdDsa, pem(RSA_PEM), "public_key is not a key for EdDSA"),
        (Algorithm::Rs256, pem(RSA_1024_PEM), "RSA key has 1024 bits; 2048 to 8192 are accepted"),
        (Algorithm::Rs256, pem("canary"), not_pem),
        (Algorithm::Rs256, pem(""), not_pem),
        (
            Algorithm::EdDsa,
            pem(&ED_PEM.replace("PUBLIC", "PRIVATE")),
            "public_key is a private key; give its public half alone",
        ),
    ] {
        let keys =
            vec![key_for(Algorithm::Hs512), KeyOptions { algorithm, key_id: None, material }];
        let error = Verifier::new(Options { keys, ..Options::default() }).unwrap_err();
        assert_eq!(error.to_string(), format!("auth.keys[1]: {message}"));
    }
}

#[test]
fn options_that_cannot_be_right_are_refused_at_once() {
    let refused = |options| Verifier::new(options).unwrap_err().to_string();
    let keys = vec![key_for(Algorithm::Hs256); 17];
    let options = Options { keys, ..Options::default() };
    assert_eq!(refused(options), "auth.keys has 17 keys; at most 16");
    let options = Options { leeway: Duration::from_secs(301), ..Options::default() };
    assert_eq!(refused(options), "auth.leeway must be at most 300 s");
    let options = Options { keys: vec![named("", SECRET)], ..Options::default() };
    assert_eq!(refused(options), "auth.keys[0]: key_id must have 1 to 128 bytes");
    let options = Options { jwks_url: Some("https://id.test".into()), ..Options::default() };
    assert_eq!(refused(options), "auth.jwks_url needs a client to fetch it with");
}

#[test]
fn options_and_keys_print_no_secret() {
    let canary = "canary-".repeat(6);
    let keys = vec![named("one", canary.as_bytes())];
    let options = Options { keys, ..Options::default() };
    let shown = format!("{options:?} {:?}", Verifier::new(options.clone()).unwrap());
    assert!(!shown.contains("canary") && !shown.contains("99, 97"), "{shown}");
}
