//! Certificates from files, and handshakes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod clients;
mod faulty;
mod handshakes;
mod replacing;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use openline_ws::tls::TlsConnector;
use openline_ws::tls::rustls::crypto::{CryptoProvider, ring};
use openline_ws::tls::rustls::pki_types::{CertificateDer, ServerName};
use openline_ws::tls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Tls;
use crate::config::Config;
use crate::log::Log;
use crate::metrics::{Gauges, Metrics};

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A client's end of a connection.
type Line = openline_ws::tls::ConnectedTlsStream<TcpStream>;

/// An authority, and a folder for what it signs. The folder goes when it is dropped.
pub(crate) struct Authority {
    pub(crate) folder: PathBuf,
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("openline-tls-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let mut said = CertificateParams::default();
        said.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = said.self_signed(&key).unwrap().der().clone();
        Self { folder, root, issuer: Issuer::new(said, key) }
    }

    /// Writes `file.pem` and `file.key`, a certificate for these names, good for so many days.
    pub(crate) fn issue(&self, file: &str, names: &[&str], days: u32) -> CertificateDer<'static> {
        self.issue_between(file, names, SystemTime::now() - DAY, SystemTime::now() + DAY * days)
    }

    pub(crate) fn issue_between(
        &self,
        file: &str,
        names: &[&str],
        from: SystemTime,
        to: SystemTime,
    ) -> CertificateDer<'static> {
        self.sign(file, names, (from, to), &KeyPair::generate().unwrap())
    }

    fn sign(
        &self,
        file: &str,
        names: &[&str],
        (from, to): (SystemTime, SystemTime),
        key: &KeyPair,
    ) -> CertificateDer<'static> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut said = CertificateParams::new(names).unwrap();
        (said.not_before, said.not_after) = (from.into(), to.into());
        let certificate = said.signed_by(key, &self.issuer).unwrap();
        self.write(&format!("{file}.pem"), &certificate.pem());
        self.write(&format!("{file}.key"), &key.serialize_pem());
        certificate.der().clone()
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).unwrap();
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }

    /// A configuration with these certificates, the first as the one for all others.
    fn config(&self, files: &[&str]) -> Config {
        let path = |file: &str, end| self.folder.join(format!("{file}.{end}"));
        let (first, more) = files.split_first().unwrap();
        let mut text = format!(
            "[tls]\ncertificate = {:?}\nkey = {:?}\n",
            path(first, "pem"),
            path(first, "key")
        );
        for file in more {
            let (certificate, key) = (path(file, "pem"), path(file, "key"));
            text +=
                &format!("[[tls.certificates]]\ncertificate = {certificate:?}\nkey = {key:?}\n");
        }
        Config::read(Some(("openline.toml", &text)), [], []).unwrap()
    }

    fn start(&self, files: &[&str]) -> Arc<Tls> {
        Arc::new(Tls::start(&self.config(files), Log::quiet()).unwrap().unwrap())
    }

    fn client(&self, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
        self.client_with(ring::default_provider(), versions)
    }

    fn client_with(
        &self,
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// A line to `address` that asks for `name`.
    async fn connect(&self, address: SocketAddr, name: &str) -> std::io::Result<Line> {
        connect(Arc::new(self.client(&[&version::TLS13, &version::TLS12])), address, name).await
    }

    /// The certificate that clients get who ask for `name`.
    async fn shown(&self, address: SocketAddr, name: &str) -> CertificateDer<'static> {
        shown(&self.connect(address, name).await.unwrap())
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn connect(
    client: Arc<ClientConfig>,
    address: SocketAddr,
    name: &str,
) -> std::io::Result<Line> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(client).connect(name, stream).await
}

fn shown(line: &Line) -> CertificateDer<'static> {
    line.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// Sends what it is sent back, under this TLS.
async fn serve(tls: &Arc<Tls>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let tls = tls.clone();
    tokio::spawn(async move {
        let metrics = Arc::new(Metrics::default());
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, metrics) = (tls.clone(), metrics.clone());
            tokio::spawn(async move {
                let told = (&*metrics, &Log::quiet());
                let Some(mut stream) = tls.accept(stream, PEER, told).await else { return };
                let mut bytes = [0; 64];
                while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                    stream.write_all(&bytes[..count]).await.unwrap();
                    stream.flush().await.unwrap();
                }
            });
        }
    });
    address
}

/// Whether what is sent on the line comes back.
async fn echoes(line: &mut Line) -> bool {
    line.write_all(b"still here").await.unwrap();
    line.flush().await.unwrap();
    let mut back = [0; 10];
    line.read_exact(&mut back).await.is_ok() && &back == b"still here"
}

/// How many handshakes had this result.
fn handshakes(metrics: &Metrics, result: &str) -> u64 {
    let text = metrics.encode(&Gauges::default());
    let begin = format!("openline_tls_handshakes_total{{result=\"{result}\"}} ");
    let line = text.lines().find_map(|line| line.strip_prefix(&begin));
    line.expect("each result is there").parse().unwrap()
}
