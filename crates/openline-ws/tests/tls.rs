//! The server's side of TLS, against the client's of `tokio-rustls`.

#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io;
use std::sync::Arc;

use openline_ws::tls::rustls::crypto::ring;
use openline_ws::tls::rustls::pki_types::{PrivateKeyDer, ServerName};
use openline_ws::tls::rustls::version::{TLS12, TLS13};
use openline_ws::tls::rustls::{
    ClientConfig, HandshakeKind, RootCertStore, ServerConfig, SupportedProtocolVersion,
};
use openline_ws::tls::{AcceptedTlsStream, ConnectedTlsStream, TlsAcceptor, TlsConnector};
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, duplex, split};

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Both sides' settings.
struct Party {
    acceptor: TlsAcceptor,
    connector: TlsConnector,
}

impl Party {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        Self::with_records(version, None)
    }

    /// Where the server's records have at most so many bytes.
    fn with_records(version: &'static SupportedProtocolVersion, bytes_max: Option<usize>) -> Self {
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let certificate = issued.cert.der().clone();
        let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        server.max_fragment_size = bytes_max;
        server.ticketer = ring::Ticketer::new().unwrap();
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            connector: TlsConnector::from(Arc::new(client)),
        }
    }

    /// A server and its client, with a pipe of so many bytes between them.
    async fn meet(
        &self,
        bytes: usize,
    ) -> (AcceptedTlsStream<DuplexStream>, ConnectedTlsStream<DuplexStream>) {
        let (near, far) = duplex(bytes);
        let name = ServerName::try_from("localhost").unwrap();
        let (server, client) =
            tokio::join!(self.acceptor.accept(near), self.connector.connect(name, far));
        (server.unwrap(), client.unwrap())
    }
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(next).collect()
}

#[tokio::test]
async fn much_goes_both_ways_at_once_however_narrow_the_way_is() {
    for version in VERSIONS {
        for pipe in [1, 17, 5_000, 1 << 20] {
            let length = if pipe == 1 { 40_000 } else { 600_000 };
            let data = noise(length);
            let (server, client) = Party::new(version).meet(pipe).await;
            let (mut server_reads, mut server_writes) = split(server);
            let (mut client_reads, mut client_writes) = split(client);
            let (mut at_server, mut at_client) = (vec![0; length], vec![0; length]);
            let (there, back, said, answered) = tokio::join!(
                server_reads.read_exact(&mut at_server),
                client_reads.read_exact(&mut at_client),
                async {
                    client_writes.write_all(&data).await?;
                    client_writes.flush().await
                },
                async {
                    server_writes.write_all(&data).await?;
                    server_writes.flush().await
                },
            );
            said.unwrap();
            answered.unwrap();
            assert_eq!((there.unwrap(), back.unwrap()), (length, length));
            assert!(at_server == data && at_client == data, "{version:?} through {pipe}");
        }
    }
}

#[tokio::test]
async fn slices_are_written_as_one() {
    let (mut server, mut client) = Party::new(&TLS13).meet(1 << 20).await;
    let slices = [&b"one "[..], b"", b"and two"].map(io::IoSlice::new);
    assert!(AsyncWrite::is_write_vectored(&server));
    assert_eq!(server.write_vectored(&slices).await.unwrap(), 11);
    let mut came = [0; 64];
    assert_eq!(client.read(&mut came).await.unwrap(), 11, "one record");
    assert_eq!(&came[..11], b"one and two");
}

#[tokio::test]
async fn records_may_have_to_be_short() {
    for version in VERSIONS {
        let (mut server, mut client) = Party::with_records(version, Some(32)).meet(1 << 20).await;
        let data = noise(20_000);
        server.write_all(&data).await.unwrap();
        let slices = [&data[..10_000], &data[..10_000]].map(io::IoSlice::new);
        let more = server.write_vectored(&slices).await.unwrap();
        server.flush().await.unwrap();
        let mut came = vec![0; data.len() + more];
        client.read_exact(&mut came).await.unwrap();
        assert!(came[..data.len()] == data && came[data.len()..] == data[..more]);
    }
}

/// RFC 8446 §6.1: a side that closes says so, or the other cannot know that nothing is missing.
#[tokio::test]
async fn an_end_that_was_announced_is_an_end_and_any_other_an_error() {
    for version in VERSIONS {
        let party = Party::new(version);
        let (mut server, mut client) = party.meet(1 << 16).await;
        client.write_all(b"last").await.unwrap();
        client.shutdown().await.unwrap();
        let mut came = Vec::new();
        server.read_to_end(&mut came).await.unwrap();
        assert_eq!(came, b"last");
        // What the server has to say is still heard, and its own end is announced.
        server.write_all(b"bye").await.unwrap();
        server.shutdown().await.unwrap();
        let mut heard = Vec::new();
        client.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"bye");

        let (mut server, client) = party.meet(1 << 16).await;
        drop(client.into_inner().0);
        let error = server.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

/// RFC 8446 §4.6.3.
#[tokio::test]
async fn keys_may_change_at_any_time() {
    let (mut server, mut client) = Party::new(&TLS13).meet(1 << 16).await;
    for round in 0..3_u8 {
        client.get_mut().1.refresh_traffic_keys().unwrap();
        client.write_all(&[round]).await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), round);
        server.write_all(&[round]).await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), round);
    }
}

#[tokio::test]
async fn who_comes_back_with_a_ticket_is_known() {
    for version in VERSIONS {
        let party = Party::new(version);
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (mut server, mut client) = party.meet(1 << 16).await;
            server.write_all(b"x").await.unwrap();
            // Tickets come with what is read first.
            client.read_u8().await.unwrap();
            assert_eq!(client.get_ref().1.handshake_kind(), Some(expected), "{version:?}");
            assert_eq!(server.protocol(), Some(&b"http/1.1"[..]));
        }
    }
}

/// RFC 8446 §6: who did something wrong is told what, and the connection ends.
#[tokio::test]
async fn what_is_no_tls_is_an_error_and_answered_by_an_alert() {
    let party = Party::new(&TLS13);
    let (near, mut far) = duplex(1 << 16);
    far.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let error = party.acceptor.accept(near).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
    let mut alert = Vec::new();
    far.read_to_end(&mut alert).await.unwrap();
    assert_eq!((alert[0], alert.len()), (21, 7), "an alert's record");

    let (mut server, client) = party.meet(1 << 16).await;
    let mut bare = client.into_inner().0;
    bare.write_all(&[23, 3, 3, 0, 20]).await.unwrap();
    bare.write_all(&[0; 20]).await.unwrap();
    let error = server.read(&mut [0; 8]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_is_an_early_end() {
    let (near, mut far) = duplex(1 << 16);
    far.write_all(&[22, 3, 1, 0, 200, 1, 0, 0]).await.unwrap();
    drop(far);
    let error = Party::new(&TLS13).acceptor.accept(near).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
}
