//! Handshakes that are slow, strange or too many.

use std::sync::Arc;
use std::time::Duration;

use openline_ws::tls::rustls::pki_types::ServerName;
use openline_ws::tls::rustls::version;
use openline_ws::tls::{ConnectedTlsStream, TlsConnector};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use super::super::handshake::PLACES;
use super::{Authority, PEER, handshakes};
use crate::config::Config;
use crate::log::Log;
use crate::metrics::Metrics;
use crate::tls::Tls;

/// A server's side of handshakes, on a clock of its own.
struct Bench {
    authority: Authority,
    tls: Arc<Tls>,
    metrics: Arc<Metrics>,
}

impl Bench {
    fn new() -> Self {
        let authority = Authority::new();
        authority.issue("own", &["a.example"], 90);
        let tls = authority.start(&["own"]);
        Self { authority, tls, metrics: Arc::default() }
    }

    /// Accepts a client; it is the other end. The task says whether there was a line.
    fn accept(&self) -> (DuplexStream, tokio::task::JoinHandle<bool>) {
        let (client, server) = duplex(64 << 10);
        let (tls, metrics) = (self.tls.clone(), self.metrics.clone());
        let accepting =
            async move { tls.accept(server, PEER, (&metrics, &Log::quiet())).await.is_some() };
        (client, tokio::spawn(accepting))
    }

    /// An honest client on this connection. It stays: what follows a handshake is written to it.
    async fn connect(
        &self,
        stream: DuplexStream,
    ) -> std::io::Result<ConnectedTlsStream<DuplexStream>> {
        let client = self.authority.client(&[&version::TLS13]);
        let name = ServerName::try_from("a.example").unwrap();
        TlsConnector::from(Arc::new(client)).connect(name, stream).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_let_go_after_five_seconds() {
    let bench = Bench::new();
    let begun = tokio::time::Instant::now();
    let (mut client, accepting) = bench.accept();
    assert!(!accepting.await.unwrap());
    assert_eq!(begun.elapsed(), Duration::from_secs(5));
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0, "the connection ends");
    assert_eq!(handshakes(&bench.metrics, "timeout"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_drips_gets_no_more_time() {
    let bench = Bench::new();
    let begun = tokio::time::Instant::now();
    let (mut client, accepting) = bench.accept();
    // A record of 512 bytes, a byte each second.
    let drip = async {
        for byte in [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3] {
            tokio::time::sleep(Duration::from_secs(1)).await;
            if client.write_all(&[byte]).await.is_err() {
                return;
            }
        }
    };
    let ((), accepted) = tokio::join!(drip, accepting);
    assert!(!accepted.unwrap());
    assert!(begun.elapsed() < Duration::from_secs(7), "{:?}", begun.elapsed());
    assert_eq!(handshakes(&bench.metrics, "timeout"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_while_others_hold_all_places() {
    let bench = Bench::new();
    let mut silent: Vec<_> = (0..PLACES).map(|_| bench.accept()).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (client, accepting) = bench.accept();
    // When those who say nothing are let go it is its turn.
    let (connected, accepted) = tokio::join!(bench.connect(client), accepting);
    assert!(connected.is_ok() && accepted.unwrap());
    for (_, accepting) in &mut silent {
        assert!(!accepting.await.unwrap());
    }
    assert_eq!(handshakes(&bench.metrics, "timeout"), PLACES as u64);
    assert_eq!(handshakes(&bench.metrics, "done"), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_handshakes_are_under_way_than_there_are_places() {
    let bench = Bench::new();
    let first: Vec<_> = (0..PLACES).map(|_| bench.accept()).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let second: Vec<_> = (0..PLACES).map(|_| bench.accept()).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (_, last) = bench.accept();
    // The second have the places after five seconds, the last has waited for five after seven.
    assert!(!last.await.unwrap());
    assert_eq!(handshakes(&bench.metrics, "no_place"), 1);
    drop((first, second));
}

#[tokio::test]
async fn a_client_hello_in_pieces_is_understood() {
    let bench = Bench::new();
    // In records of a few bytes each, which come as they are.
    let mut client = bench.authority.client(&[&version::TLS13]);
    client.max_fragment_size = Some(32);
    let (stream, accepting) = bench.accept();
    let name = ServerName::try_from("a.example").unwrap();
    let connected = TlsConnector::from(Arc::new(client)).connect(name.clone(), stream);
    let (connected, accepted) = tokio::join!(connected, accepting);
    assert!(connected.is_ok() && accepted.unwrap());
    // And byte by byte.
    let (mut far, accepting) = bench.accept();
    let (near, mut middle) = duplex(64 << 10);
    let relay = async move {
        let (mut one, mut answer) = ([0], [0; 4096]);
        loop {
            tokio::select! {
                Ok(1..) = middle.read(&mut one) => {
                    far.write_all(&one).await.unwrap();
                    tokio::task::yield_now().await;
                }
                Ok(count @ 1..) = far.read(&mut answer) => {
                    middle.write_all(&answer[..count]).await.unwrap();
                }
                else => return,
            }
        }
    };
    let relaying = tokio::spawn(relay);
    let (connected, accepted) = tokio::join!(bench.connect(near), accepting);
    assert!(connected.is_ok() && accepted.unwrap());
    relaying.abort();
    assert_eq!(handshakes(&bench.metrics, "done"), 2);
}

#[tokio::test]
async fn what_is_no_tls_fails_and_is_counted() {
    let bench = Bench::new();
    // TLS 1.0, a record longer than any, an empty one, plain HTTP, and an end.
    let old = [0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    let garbage: [&[u8]; 5] =
        [&old, &[0x16, 3, 3, 0xff, 0xff, 0], &[0x16, 3, 1, 0, 0], b"GET / HTTP/1.1\r\n\r\n", &[]];
    for bytes in garbage {
        let (mut client, accepting) = bench.accept();
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        assert!(!accepting.await.unwrap(), "{bytes:?}");
    }
    assert_eq!(handshakes(&bench.metrics, "failed"), garbage.len() as u64);
}

#[cfg(feature = "acme")]
#[tokio::test]
async fn before_the_first_certificate_clients_are_refused() {
    let authority = Authority::new();
    let text = format!(
        "data_dir = {:?}\n[tls]\nacme_domains = [\"a.example\"]\n\
         acme_directory = \"https://127.0.0.1:1/dir\"",
        authority.folder
    );
    let config = Config::read(Some(("openline.toml", &text)), [], []).unwrap();
    let tls = Arc::new(Tls::start(&config, Log::quiet()).unwrap().unwrap());
    let bench = Bench { authority, tls, metrics: Arc::default() };
    let (client, accepting) = bench.accept();
    let (connected, accepted) = tokio::join!(bench.connect(client), accepting);
    assert!(connected.is_err() && !accepted.unwrap());
    assert_eq!(handshakes(&bench.metrics, "no_certificate"), 1);
    assert_eq!(bench.tls.first_expiry(), None);
}
