//! [`TlsAcceptor`] and [`AcceptedTlsStream`]: a server's side of TLS, on rustls' unbuffered interface.
//!
//! The buffered one, which `tokio-rustls` stands on, keeps 4 KiB for each connection from the first
//! byte on. Here a connection reads into memory that all of its thread share, and writes from such
//! memory too; it keeps bytes of its own only while a record has come in part or the peer takes
//! nothing.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use tokio_rustls::rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, InsufficientSizeError, UnbufferedStatus,
};
use tokio_rustls::rustls::{Error, ProtocolVersion, ServerConfig};

use crate::scratch;

/// What one write encrypts at most: four full records (RFC 8446 §5.1), or as many shorter ones where
/// the settings want them shorter.
const WRITE_BYTES_MAX: usize = 4 * RECORD_CONTENT_MAX;

/// What a record may hold.
const RECORD_CONTENT_MAX: usize = 16 * 1024;

/// What records of that are longer than what is in them, and an alert: head, nonce, type and tag.
const OVERHEAD_BYTES_MAX: usize = 512;

/// A record with its head, at most (RFC 5246 §6.2.3; those of TLS 1.3 are shorter).
const RECORD_BYTES_MAX: usize = 5 + RECORD_CONTENT_MAX + 2048;

/// Of input that is not whole yet. A message of the handshake may have 64 KiB, and comes in records.
const INCOMING_BYTES_MAX: usize = 96 * 1024;

/// Shakes hands with clients.
#[derive(Clone)]
pub struct TlsAcceptor(Arc<ServerConfig>);

/// What is to be said once that is possible.
enum Wish<'a> {
    Nothing,
    /// Data, where it goes encrypted, and how long it is there.
    Write(&'a [u8], &'a mut [u8], &'a mut usize),
    Close,
}

/// A connection on which hands were shaken. What is read from it was encrypted, and what is written
/// to it will be.
pub struct AcceptedTlsStream<S> {
    io: S,
    connection: Box<UnbufferedServerConnection>,
    /// What has come of a record that is not whole.
    incoming: BytesMut,
    /// What was decrypted and did not fit where it was read to.
    plain: BytesMut,
    /// What was encrypted and the peer has not taken.
    outgoing: BytesMut,
    write_bytes_max: usize,
    peer_has_closed: bool,
    has_said_close: bool,
}

impl From<Arc<ServerConfig>> for TlsAcceptor {
    fn from(config: Arc<ServerConfig>) -> Self {
        Self(config)
    }
}

impl TlsAcceptor {
    /// Shakes hands with who connected. Give it a deadline: a client may stop at any point, and holds
    /// up to 96 KiB then.
    ///
    /// # Errors
    /// What the client did wrong, of kind `InvalidData`; it has been told by an alert if it reads.
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) when it went away, or what else the transport
    /// fails with.
    pub fn accept<S>(
        &self,
        io: S,
    ) -> impl Future<Output = io::Result<AcceptedTlsStream<S>>> + use<S>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.0.clone();
        async move {
            let record = config.max_fragment_size.unwrap_or(RECORD_CONTENT_MAX);
            let connection = UnbufferedServerConnection::new(config).map_err(io::Error::other)?;
            let mut stream = AcceptedTlsStream {
                io,
                connection: Box::new(connection),
                incoming: BytesMut::new(),
                plain: BytesMut::new(),
                outgoing: BytesMut::new(),
                write_bytes_max: 4 * record.min(RECORD_CONTENT_MAX),
                peer_has_closed: false,
                has_said_close: false,
            };
            poll_fn(|cx| stream.poll_handshake(cx)).await?;
            Ok(stream)
        }
    }
}

impl<S> AcceptedTlsStream<S> {
    /// The protocol that was agreed on by ALPN (RFC 7301), if any.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// What it goes over.
    pub fn get_ref(&self) -> &S {
        &self.io
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AcceptedTlsStream<S> {
    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let said = self.poll_outgoing(cx)?;
            if !self.connection.is_handshaking() {
                // The last word of TLS 1.2 is the server's. What 1.3 has left are tickets, which a client
                // may read when it reads more.
                let is_last = self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_2);
                return if is_last { said.map(Ok) } else { Poll::Ready(Ok(())) };
            }
            if self.peer_has_closed {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            ready!(self.poll_input(cx, &mut ReadBuf::new(&mut [])))?;
        }
    }

    /// Reads once, and does what came. What there is to answer, new keys or what was wrong, is tried
    /// to be written; it stays with what waits to be written otherwise.
    fn poll_input(&mut self, cx: &mut Context<'_>, sink: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let outgoing = self.outgoing.len();
        let done = ready!(scratch::with_sealed(|scratch| {
            // What is decrypted and has no place waits here, so not much more is read than there is for.
            let most = scratch.len().min(sink.remaining() + RECORD_BYTES_MAX);
            let mut read = ReadBuf::new(&mut scratch[..most]);
            ready!(Pin::new(&mut self.io).poll_read(cx, &mut read))?;
            Poll::Ready(self.take_input(read.filled_mut(), sink))
        }));
        if self.outgoing.len() > outgoing
            && let Poll::Ready(Err(error)) = self.poll_outgoing(cx)
        {
            done?;
            return Poll::Ready(Err(error));
        }
        Poll::Ready(done)
    }

    fn take_input(&mut self, came: &mut [u8], sink: &mut ReadBuf<'_>) -> io::Result<()> {
        if came.is_empty() {
            // Without a `close_notify` something may be missing (RFC 8446 §6.1).
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if self.incoming.is_empty() {
            let done = self.turn(came, sink, Wish::Nothing)?;
            self.incoming.extend_from_slice(&came[done..]);
        } else {
            self.incoming.extend_from_slice(came);
            self.turn_incoming(sink, Wish::Nothing)?;
        }
        if self.incoming.len() > INCOMING_BYTES_MAX {
            let what = "a TLS message is larger than 96 KiB";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(())
    }

    fn turn_incoming(&mut self, sink: &mut ReadBuf<'_>, wish: Wish<'_>) -> io::Result<()> {
        let mut incoming = std::mem::take(&mut self.incoming);
        let done = self.turn(&mut incoming, sink, wish)?;
        incoming.advance(done);
        if !incoming.is_empty() {
            self.incoming = incoming;
        }
        Ok(())
    }

    /// Does what input says, and what is wished for behind it; returns how much of the input is done
    /// with. What was decrypted goes into `sink`, and what does not fit there waits.
    fn turn(
        &mut self,
        input: &mut [u8],
        sink: &mut ReadBuf<'_>,
        mut wish: Wish<'_>,
    ) -> io::Result<usize> {
        let mut done = 0;
        loop {
            let UnbufferedStatus { mut discard, state, .. } =
                self.connection.process_tls_records(&mut input[done..]);
            let is_over = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(invalid)?;
                        discard += record.discard;
                        let (now, later) =
                            record.payload.split_at(record.payload.len().min(sink.remaining()));
                        sink.put_slice(now);
                        self.plain.extend_from_slice(later);
                    }
                    false
                }
                Ok(ConnectionState::EncodeTlsData(mut message)) => {
                    encode(&mut message, &mut self.outgoing)?;
                    false
                }
                // It goes the way of all that is written.
                Ok(ConnectionState::TransmitTlsData(message)) => {
                    message.done();
                    false
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.peer_has_closed = true;
                    false
                }
                Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                    match std::mem::replace(&mut wish, Wish::Nothing) {
                        Wish::Nothing => {}
                        Wish::Write(data, sealed, length) => {
                            *length = traffic.encrypt(data, sealed).map_err(io::Error::other)?;
                        }
                        Wish::Close => {
                            let mut alert = [0; OVERHEAD_BYTES_MAX];
                            let length =
                                traffic.queue_close_notify(&mut alert).map_err(io::Error::other)?;
                            self.outgoing.extend_from_slice(&alert[..length]);
                        }
                    }
                    true
                }
                Ok(ConnectionState::Closed) => {
                    self.peer_has_closed = true;
                    true
                }
                Ok(ConnectionState::BlockedHandshake) => true,
                // Early data is never accepted.
                Ok(_) => return Err(io::Error::other("TLS in a state of which nothing is known")),
                Err(error) => {
                    self.queue_alert();
                    return Err(invalid(error));
                }
            };
            done += discard;
            if is_over {
                return Ok(done);
            }
        }
    }

    /// Tells the peer what it did wrong.
    fn queue_alert(&mut self) {
        // What comes next but this is the error once more.
        while let Ok(ConnectionState::EncodeTlsData(mut alert)) =
            self.connection.process_tls_records(&mut []).state
        {
            let _ = encode(&mut alert, &mut self.outgoing);
        }
    }

    /// Writes what waits.
    fn poll_outgoing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(cx, &self.outgoing))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outgoing.advance(written);
        }
        self.outgoing = BytesMut::new();
        Poll::Ready(Ok(()))
    }

    /// Encrypts `data` into `sealed` and writes it from there; what the peer does not take waits.
    fn write_sealed(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
        sealed: &mut [u8],
    ) -> io::Result<()> {
        let mut length = 0;
        let wish = Wish::Write(data, &mut *sealed, &mut length);
        self.turn_incoming(&mut ReadBuf::new(&mut []), wish)?;
        let mut left = &sealed[..length];
        if left.is_empty() && !data.is_empty() {
            // Both sides have said that they close.
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // Behind what TLS had to say for itself, such as new keys.
        while self.outgoing.is_empty() && !left.is_empty() {
            match Pin::new(&mut self.io).poll_write(cx, left)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(written) => left = &left[written..],
                Poll::Pending => break,
            }
        }
        self.outgoing.extend_from_slice(left);
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for AcceptedTlsStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            if !self.plain.is_empty() {
                let count = self.plain.len().min(buffer.remaining());
                buffer.put_slice(&self.plain.split_to(count));
                if self.plain.is_empty() {
                    self.plain = BytesMut::new();
                }
            }
            if buffer.filled().len() > before || buffer.remaining() == 0 || self.peer_has_closed {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_input(cx, buffer))?;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for AcceptedTlsStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_outgoing(cx))?;
        let data = &data[..data.len().min(self.write_bytes_max)];
        scratch::with_sealed(|sealed| self.write_sealed(cx, data, sealed))?;
        Poll::Ready(Ok(data.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_outgoing(cx))?;
        scratch::with_sealed(|scratch| {
            let (plain, sealed) = scratch.split_at_mut(WRITE_BYTES_MAX);
            let mut length = 0;
            for slice in slices {
                let count = slice.len().min(self.write_bytes_max - length);
                plain[length..][..count].copy_from_slice(&slice[..count]);
                length += count;
            }
            self.write_sealed(cx, &plain[..length], sealed)?;
            Poll::Ready(Ok(length))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_outgoing(cx))?;
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.has_said_close, true) {
            self.turn_incoming(&mut ReadBuf::new(&mut []), Wish::Close)?;
        }
        ready!(self.poll_outgoing(cx))?;
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

impl fmt::Debug for TlsAcceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsAcceptor").finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for AcceptedTlsStream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptedTlsStream").field("io", &self.io).finish_non_exhaustive()
    }
}

fn encode(
    message: &mut EncodeTlsData<'_, ServerConnectionData>,
    out: &mut BytesMut,
) -> io::Result<()> {
    let before = out.len();
    let missing = match message.encode(&mut []) {
        Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
            required_size
        }
        Ok(_) => return Ok(()),
        Err(error) => return Err(io::Error::other(error)),
    };
    out.resize(before + missing, 0);
    message.encode(&mut out[before..]).map_err(io::Error::other)?;
    Ok(())
}

fn invalid(error: Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
