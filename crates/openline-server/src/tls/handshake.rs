//! Handshakes: how many at once, for how long, and what became of them.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use openline_ws::tls::{AcceptedTlsStream, TlsAcceptor};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{ACME_PROTOCOL, Tls};
use crate::log::Log;
use crate::metrics::{Handshake, Metrics};

/// How long a client may take, and how long it waits for a place before.
const DEADLINE: Duration = Duration::from_secs(5);

/// Handshakes at once. Each may hold up to 96 KiB of what the client has sent, and work for all of them
/// is in line on the same threads; more wait, holding nothing.
pub(super) const PLACES: usize = 1024;

/// The places of handshakes.
#[derive(Debug)]
pub(super) struct Places(Semaphore);

impl Places {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(PLACES))
    }
}

impl Tls {
    /// Shakes hands with a client; None where that fails, or where there is nothing else to be said
    /// on the connection. The connection ends then.
    pub(crate) async fn accept<S>(
        &self,
        stream: S,
        peer: IpAddr,
        (metrics, log): (&Metrics, &Log),
    ) -> Option<AcceptedTlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (result, stream) = match self.shake_hands(stream).await {
            Ok(stream) if stream.protocol() == Some(ACME_PROTOCOL) => (Handshake::Challenge, None),
            Ok(stream) => (Handshake::Done, Some(stream)),
            Err(Failed::NoPlace) => (Handshake::NoPlace, None),
            Err(Failed::Timeout) => (Handshake::Timeout, None),
            Err(Failed::Tls(_)) if !self.has_certificate() => (Handshake::NoCertificate, None),
            Err(Failed::Tls(error)) => {
                log.tls_handshake_failed(peer, &error);
                (Handshake::Failed, None)
            }
        };
        match result {
            Handshake::NoPlace => log.tls_handshakes_refused(PLACES as u64),
            Handshake::NoCertificate => log.tls_without_certificate(peer),
            _ => {}
        }
        metrics.tls_handshake(result);
        stream
    }

    async fn shake_hands<S>(&self, stream: S) -> Result<AcceptedTlsStream<S>, Failed>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let place = timeout(DEADLINE, self.places.0.acquire()).await;
        let _place = place.map_err(|_| Failed::NoPlace)?.map_err(|_| Failed::NoPlace)?;
        let handshake = TlsAcceptor::from(self.settings.clone()).accept(stream);
        timeout(DEADLINE, handshake).await.map_err(|_| Failed::Timeout)?.map_err(Failed::Tls)
    }
}

/// Why there is no line.
enum Failed {
    NoPlace,
    Timeout,
    Tls(io::Error),
}
