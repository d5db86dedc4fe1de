//! The client over TLS.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderMap;
use openline_ws::tls::TlsAcceptor;
use openline_ws::tls::rustls::ServerConfig;
use openline_ws::tls::rustls::crypto::ring::default_provider;
use openline_ws::tls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::backend::Backend;
use super::{Client, Options, OutboundError};

/// A server for `name` that answers each connection once, and its certificate.
async fn start(name: &str) -> (SocketAddr, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nsafe").await;
            let _ = stream.shutdown().await;
        }
    });
    (address, certificate)
}

fn trusting(extra_roots: Vec<CertificateDer<'static>>) -> Client {
    let allow_private = vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()];
    Client::new(Options { allow_private, extra_roots, ..Options::default() })
}

async fn get(client: &Client, url: &str) -> Result<bytes::Bytes, OutboundError> {
    client.get(url, HeaderMap::new()).await.map(|response| response.body)
}

#[tokio::test]
async fn a_certificate_of_a_listed_authority_is_trusted() {
    let (address, certificate) = start("localhost").await;
    let url = format!("https://localhost:{}/", address.port());
    assert_eq!(get(&trusting(vec![certificate]), &url).await.unwrap(), "safe");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not() {
    let (address, _) = start("localhost").await;
    let url = format!("https://localhost:{}/", address.port());
    let error = get(&trusting(Vec::new()), &url).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not() {
    let (address, certificate) = start("other.test").await;
    let url = format!("https://localhost:{}/", address.port());
    let error = get(&trusting(vec![certificate]), &url).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls { .. }), "{error}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_one_that_is_away() {
    let backend = Backend::always(200, "").await;
    let url = format!("https://127.0.0.1:{}/", backend.port());
    let error = get(&trusting(Vec::new()), &url).await.unwrap_err();
    assert!(matches!(error, OutboundError::Tls { .. }), "{error}");
    assert!(backend.seen().is_empty());
}
