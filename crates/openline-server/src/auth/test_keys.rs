//! Keys and tokens that another implementation made (pyca/cryptography), and a signer for more.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use serde_json::{Value, json};

use super::{Algorithm, KeyMaterial, KeyOptions, Secret, Token};

/// What the tokens with a secret are signed with.
pub(super) const SECRET: &[u8; 64] =
    b"a secret that has just 64 bytes, as HS512 would like best of all";

/// 2,048 bits.
pub(super) const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAo4HAsY6hKnHZbo+3lK8D\n\
    Se2h4OWJtSZNG0ZdlDU9hdTxayh6ZYQV0al05Vr0dezyY2QqjRQn1JabAnc/EjDi\n\
    LajHcl6b3RcRPZKddeoywyF/o7dcInEIcWWXc4PkPPB5hnUBf391PhOAV/O6vabT\n\
    2INRA9zeJ1wRO2SyY31qF4NF0b7wKhcXHTrFaH5Q4Lw3lyCuJGqZr+5p6WhdUeg8\n\
    L4WU5SzPgrsuDYVU6ph+o/Ox815Pq1y4Es2QiHaZruofI6D19uqOrBDvKustCoZ2\n\
    vMIllegQz8GvlmNmXZpi/ofCln2xrqj330bhtuQgaFfyLGnVTrHLXA4TN1hLOTub\n\
    YQIDAQAB\n\
    -----END PUBLIC KEY-----\n";

/// On P-256.
pub(super) const EC_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEt2eSh17LbTUi1I1UUMg+YuRwpo6b\n\
    iNgIP/IugaKO751L4qRjHVugegXp08r2q0VFshD19u2kKfw4LJed3udKwA==\n\
    -----END PUBLIC KEY-----\n";

/// Ed25519.
pub(super) const ED_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAyx0MVaJ0eC0eXLnAumNev3lLXMBI2TN3lL5tLPfh/0g=\n\
    -----END PUBLIC KEY-----\n";

/// An RSA key of 1,024 bits: too short.
pub(super) const RSA_1024_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDRR9BVdeudqOmHnuTcu6yvw7X1\n\
    2Bb0ojFrltLCFnYT599a0S+G50VcRMjG0LvvEoAwV+K5Pm6E7zjuBJiAmJY2PuY5\n\
    C7/9QKukywAN257GDmGDrsFV1EVRtgjf7Jz0oq6LOybSGQKCLD4eCFOsJS0Ites4\n\
    1Mjo8HBL0dOy0GdyvwIDAQAB\n\
    -----END PUBLIC KEY-----\n";

/// On P-384: no algorithm that is read.
pub(super) const EC_384_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEf5WmtGHl27y0gxGlg1HKeeZCBAPdPG4z\n\
    LGnSnivGMMbscqG/5yhnuCVznJC+BAyNgx7mAwf6n6WETxbkNzngrSfTcs2OSD0Z\n\
    mOUH0EMgBAInK8WmdHzPdil73XgJ6/ur\n\
    -----END PUBLIC KEY-----\n";

/// A token for each algorithm: `sub` is ann, `iat` 999000, `exp` 1000000, no `kid`.
pub(super) const TOKENS: [(Algorithm, &str); 6] = [
    (
        Algorithm::Hs256,
        "eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDEwMDAwMDAsICJpYXQ\
    iOiA5OTkwMDB9.Ii7jTwzbTpguazUoAEOe0x7xX3jRYFLxjLwUu88Hmqs",
    ),
    (
        Algorithm::Hs384,
        "eyJhbGciOiAiSFMzODQiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDEwMDAwMDAsICJpYXQ\
    iOiA5OTkwMDB9.fUeng6d6HhhY0yuSsqboovjWqdac2evpsCef5lDdllrdpCdjS8mPcPSBbaRDh15R",
    ),
    (
        Algorithm::Hs512,
        "eyJhbGciOiAiSFM1MTIiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDEwMDAwMDAsICJpYXQ\
    iOiA5OTkwMDB9.48q2UF75i0aaXnsfW4G9rg2hmalzKMmkGtP9NoITOTLqCI1Lq5of41k4ujl2clE0Nv0xLP9Gxy\
    NWg5yoRwTd0w",
    ),
    (
        Algorithm::Rs256,
        "eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDEwMDAwMDAsICJpYXQ\
    iOiA5OTkwMDB9.nggZHmbfiIfR6wdIUlwJL8d7JB5lmwAMu6yQPusIdVVPJnke0suUWPgT3ql8qOmApO5OEFKHM8\
    vBYnJxRwg3a5eCDWM9JitDEQbIBhQ3K-VvgtWaU1HeDsBBslMa_MBEH2aI08LkXP01WoBheyvz_-wCbGBK2ajZ0q\
    L_vO9OXMBt2GxLwFoj0IIcsaM3SoBVlcq4rEmk2OqpuOs94PMVBhI1OMzGHtCA8tZ7niXaja8ABTd66PfE-6Drxy\
    Avb9fRwfTVUHmuZQDcHOXb_qRFAmbXCZUW6ucVFePP1vTWZGcJeNBD8-usPl50k21GtRxrW4dNe9d7XNU5_pc_s3\
    YzpQ",
    ),
    (
        Algorithm::Es256,
        "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDEwMDAwMDAsICJpYXQ\
    iOiA5OTkwMDB9.O2QeQUueaifWuM9mN7ODG0TV1Ni1w88NnehwdQW2K0JqTxlu1ZM3hYJcyNXhaMK3nRJzm6QO6x\
    0Eoodjhiahbg",
    ),
    (
        Algorithm::EdDsa,
        "eyJhbGciOiAiRWREU0EiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDEwMDAwMDAsICJpYXQ\
    iOiA5OTkwMDB9.fYqC2wecshqnurb0ImBa31twg3fMtMA4Ii5FyHW0WVaMiLfK21CAUJuAcxQFmd8wlZSiwPKMVe\
    yyZXm36nqgBw",
    ),
];

/// As the ES256 token, but its signature is DER, which JWS does not allow.
pub(super) const ES256_DER_TOKEN: &str = "eyJhbGciOiAiRVMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDEwMDAwMDAsICJpYXQ\
    iOiA5OTkwMDB9.MEQCIF1KGIPvasBNfuyKutJF3ZAGS4DXuDA0hIJ1-dYtliFOAiBZAix4rRZSnYSwWGSrz7dHES\
    _tcy6hg1-gK5U9fdMRbQ";

/// The modulus of the RSA key, as a JWK has it; the exponent is AQAB.
pub(super) const RSA_N: &str = "o4HAsY6hKnHZbo-3lK8DSe2h4OWJtSZNG0ZdlDU9hdTxayh6ZYQV0al05Vr0dezyY2QqjRQn1JabAnc_EjDiLajH\
    cl6b3RcRPZKddeoywyF_o7dcInEIcWWXc4PkPPB5hnUBf391PhOAV_O6vabT2INRA9zeJ1wRO2SyY31qF4NF0b7w\
    KhcXHTrFaH5Q4Lw3lyCuJGqZr-5p6WhdUeg8L4WU5SzPgrsuDYVU6ph-o_Ox815Pq1y4Es2QiHaZruofI6D19uqO\
    rBDvKustCoZ2vMIllegQz8GvlmNmXZpi_ofCln2xrqj330bhtuQgaFfyLGnVTrHLXA4TN1hLOTubYQ";

/// Signs tokens.
pub(super) enum Signer {
    Hmac(hmac::Key, Algorithm),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl Signer {
    pub(super) fn hmac(algorithm: Algorithm, secret: &[u8]) -> Self {
        Self::Hmac(hmac::Key::new(algorithm.hmac().unwrap(), secret), algorithm)
    }

    /// With a new key on P-256.
    pub(super) fn ec() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self::Ec(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap())
    }

    /// With a new key.
    pub(super) fn ed() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    /// A token with these claims and its own algorithm.
    pub(super) fn token(&self, kid: Option<&str>, claims: &Value) -> Token {
        let algorithm = match self {
            Self::Hmac(_, algorithm) => *algorithm,
            Self::Ec(_) => Algorithm::Es256,
            Self::Ed(_) => Algorithm::EdDsa,
        };
        let mut header = json!({"alg": algorithm.as_str()});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        self.sign(&header.to_string(), &claims.to_string())
    }

    /// A token of exactly these texts.
    pub(super) fn sign(&self, header: &str, claims: &str) -> Token {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let signature = match self {
            Self::Hmac(key, _) => hmac::sign(key, signed.as_bytes()).as_ref().to_vec(),
            Self::Ec(key) => {
                key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap().as_ref().to_vec()
            }
            Self::Ed(key) => key.sign(signed.as_bytes()).as_ref().to_vec(),
        };
        Token::new(format!("{signed}.{}", encode(&signature)))
    }

    /// The public key, as a JWKS lists it.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Hmac(..) => panic!("a secret is not published"),
            Self::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": kid, "alg": "ES256", "use": "sig",
                    "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Self::Ed(key) => {
                let x = encode(key.public_key().as_ref());
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": x})
            }
        }
    }
}

/// The key that fits the token of [`TOKENS`] for this algorithm.
pub(super) fn key_for(algorithm: Algorithm) -> KeyOptions {
    let material = match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
            KeyMaterial::Secret(Secret::new(*SECRET))
        }
        Algorithm::Rs256 => KeyMaterial::PublicKeyPem(RSA_PEM.into()),
        Algorithm::Es256 => KeyMaterial::PublicKeyPem(EC_PEM.into()),
        Algorithm::EdDsa => KeyMaterial::PublicKeyPem(ED_PEM.into()),
    };
    KeyOptions { algorithm, key_id: None, material }
}
