//! What clients get.

use std::sync::Arc;
use std::time::SystemTime;

use openline_ws::tls::rustls::crypto::ring;
use openline_ws::tls::rustls::{HandshakeKind, ProtocolVersion, SignatureScheme, version};
use rcgen::{KeyPair, PKCS_ED25519};

use super::{Authority, DAY, connect, echoes, serve, shown};

#[tokio::test]
async fn three_names_have_three_certificates() {
    let authority = Authority::new();
    let first = authority.issue("first", &["a.example", "localhost"], 90);
    let second = authority.issue("second", &["b.example"], 90);
    let third = authority.issue("third", &["*.c.example"], 90);
    let address = serve(&authority.start(&["first", "second", "third"])).await;
    assert_eq!(authority.shown(address, "a.example").await, first);
    assert_eq!(authority.shown(address, "b.example").await, second);
    assert_eq!(authority.shown(address, "B.Example").await, second);
    assert_eq!(authority.shown(address, "chat.c.example").await, third);
    // A star is one label; the first is for all others, and is not theirs.
    for other in ["c.example", "a.b.c.example", "other.example"] {
        let error = authority.connect(address, other).await.unwrap_err().to_string();
        assert!(error.contains("not valid for name"), "{other}: {error}");
    }
}

#[tokio::test]
async fn who_comes_back_resumes_its_session() {
    let authority = Authority::new();
    authority.issue("own", &["a.example"], 90);
    let address = serve(&authority.start(&["own"])).await;
    for versions in [[&version::TLS12], [&version::TLS13]] {
        let client = Arc::new(authority.client(&versions));
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut line = connect(client.clone(), address, "a.example").await.unwrap();
            // In TLS 1.3 tickets come with the first data.
            assert!(echoes(&mut line).await);
            kinds.push(line.get_ref().1.handshake_kind().unwrap());
        }
        assert_eq!(kinds[1], HandshakeKind::Resumed, "{kinds:?}");
        assert_ne!(kinds[0], HandshakeKind::Resumed);
    }
}

#[tokio::test]
async fn the_best_version_and_protocol_of_both_are_spoken() {
    let authority = Authority::new();
    authority.issue("own", &["a.example"], 90);
    let address = serve(&authority.start(&["own"])).await;
    let both = [&version::TLS12, &version::TLS13];
    for (offered, spoken) in [
        (&["http/1.1", "h2"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
        // Not without a challenge.
        (&["acme-tls/1", "h2"], Some("h2")),
    ] {
        let mut client = authority.client(&both);
        client.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let line = connect(Arc::new(client), address, "a.example").await.unwrap();
        let connection = line.get_ref().1;
        assert_eq!(connection.alpn_protocol(), spoken.map(str::as_bytes), "{offered:?}");
        assert_eq!(connection.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    }
    let old = Arc::new(authority.client(&[&version::TLS12]));
    let line = connect(old, address, "a.example").await.unwrap();
    assert_eq!(line.get_ref().1.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    for unknown in ["http/1.0", "acme-tls/1"] {
        let mut client = authority.client(&both);
        client.alpn_protocols = vec![unknown.as_bytes().to_vec()];
        let line = connect(Arc::new(client), address, "a.example").await;
        assert!(line.is_err(), "{unknown}");
    }
}

#[tokio::test]
async fn of_two_certificates_for_a_name_a_client_gets_the_first_that_it_can_check() {
    let authority = Authority::new();
    let times = (SystemTime::now() - DAY, SystemTime::now() + DAY * 90);
    let edwards = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let first = authority.sign("first", &["a.example"], times, &edwards);
    let second = authority.issue("second", &["a.example"], 90);
    let address = serve(&authority.start(&["first", "second"])).await;
    assert_eq!(authority.shown(address, "a.example").await, first);
    // A client that knows ECDSA on P-256 alone.
    let mut provider = ring::default_provider();
    let known = provider.signature_verification_algorithms.mapping;
    let index = known.iter().position(|known| known.0 == SignatureScheme::ECDSA_NISTP256_SHA256);
    let index = index.unwrap();
    provider.signature_verification_algorithms.mapping = &known[index..=index];
    let client = authority.client_with(provider, &[&version::TLS13]);
    let line = connect(Arc::new(client), address, "a.example").await.unwrap();
    assert_eq!(shown(&line), second);
}
