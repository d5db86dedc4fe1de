//! Tokens for `openline token`: making one, and saying what is in one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Map, Value, json};

use super::keys::check_secret;
use super::{Algorithm, AuthError, Identity, Secret, Token, Verifier, jws};

/// What to make a token of.
#[derive(Debug, Clone)]
pub(crate) struct MintOptions {
    /// HS256, HS384 or HS512; the others need a private key, which stays with the issuer.
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    pub(crate) secret: Secret,
    /// All claims; nothing is added.
    pub(crate) claims: Map<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MintError(String);

/// What is in a token, and what the server would say to it.
#[derive(Debug)]
pub(crate) struct Inspection {
    /// As JSON text. Unchecked, unless `verdict` is good.
    pub(crate) header: String,
    /// As JSON text. Unchecked, unless `verdict` is good.
    pub(crate) claims: String,
    pub(crate) verdict: Result<Identity, AuthError>,
}

/// Makes a token.
pub(crate) fn mint(options: &MintOptions) -> Result<Token, MintError> {
    let name = options.algorithm.as_str();
    let Some(hash) = options.algorithm.hmac() else {
        let message = format!("{name} signs with a private key; use HS256, HS384 or HS512");
        return Err(MintError(message));
    };
    check_secret(options.secret.expose()).map_err(MintError)?;
    if !options.claims.get("exp").is_some_and(Value::is_number) {
        return Err(MintError("claims need exp, a number of seconds since 1970".into()));
    }
    let mut header = json!({"alg": name, "typ": "JWT"});
    if let Some(key_id) = &options.key_id {
        header["kid"] = Value::from(key_id.as_str());
    }
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&Value::from(options.claims.clone())));
    let key = hmac::Key::new(hash, options.secret.expose());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    Ok(Token::new(format!("{signed}.{signature}")))
}

/// Takes a token apart and asks the verifier about it. An error is a token that cannot even be
/// taken apart.
pub(crate) async fn inspect(
    verifier: &Verifier,
    token: &Token,
    now: u64,
) -> Result<Inspection, AuthError> {
    let (header, claims) = jws::peek(token)?;
    Ok(Inspection { header, claims, verdict: verifier.verify(token, now).await })
}

impl fmt::Display for MintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for MintError {}

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::test_keys::{SECRET, TOKENS, key_for};
    use super::*;

    const NOW: u64 = 1_000_000;

    fn mint_options(algorithm: Algorithm) -> MintOptions {
        let claims = json!({"sub": "ann", "exp": 2_000_000}).as_object().unwrap().clone();
        MintOptions { algorithm, key_id: Some("k1".into()), secret: Secret::new(*SECRET), claims }
    }

    #[tokio::test]
    async fn minted_tokens_are_accepted_and_can_be_inspected() {
        for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            let token = mint(&mint_options(algorithm)).unwrap();
            let verifier =
                Verifier::new(Options { keys: vec![key_for(algorithm)], ..Options::default() })
                    .unwrap();
            let inspection = inspect(&verifier, &token, NOW).await.unwrap();
            let header: Value = serde_json::from_str(&inspection.header).unwrap();
            assert_eq!(header, json!({"alg": algorithm.as_str(), "typ": "JWT", "kid": "k1"}));
            let claims: Value = serde_json::from_str(&inspection.claims).unwrap();
            assert_eq!(claims, json!({"sub": "ann", "exp": 2_000_000}));
            assert_eq!(inspection.verdict.unwrap().user.as_deref(), Some("ann"));

            let late = inspect(&verifier, &token, 2_000_030).await.unwrap().verdict.unwrap_err();
            assert_eq!(late.message(), "token expired 30 s ago (leeway 30 s)");
        }
        let keyless = Verifier::new(Options::default()).unwrap();
        let token = Token::new(TOKENS[3].1);
        let inspection = inspect(&keyless, &token, NOW).await.unwrap();
        assert!(inspection.claims.contains("ann"));
        assert_eq!(inspection.verdict, Err(AuthError::NoKeys));
        assert!(inspect(&keyless, &Token::new("x"), NOW).await.is_err());
    }

    #[test]
    fn what_would_be_refused_is_not_minted() {
        let refused = |options| mint(&options).unwrap_err().to_string();
        assert_eq!(
            refused(mint_options(Algorithm::Rs256)),
            "RS256 signs with a private key; use HS256, HS384 or HS512"
        );
        let short = MintOptions { secret: Secret::new(*b"x"), ..mint_options(Algorithm::Hs256) };
        assert_eq!(refused(short), "secret has 1 bytes; at least 32 are needed");
        for exp in [Value::Null, json!("1")] {
            let mut options = mint_options(Algorithm::Hs256);
            options.claims.insert("exp".into(), exp);
            assert_eq!(refused(options), "claims need exp, a number of seconds since 1970");
        }
    }
}
