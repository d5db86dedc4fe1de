//! A client of RFC 8441 by the crate `h2`, with frames by hand.

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method, Request, Response, StatusCode, Version};
use tokio::net::TcpStream;

use super::frames::{self, Frame};

/// A connection that may carry many lines.
pub(crate) struct Client(SendRequest<Bytes>);

/// One line.
pub(crate) struct Line {
    pub(crate) send: SendStream<Bytes>,
    receive: RecvStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: std::net::SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (client, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        // The server's settings come with its first frames.
        for _ in 0..1000 {
            if client.is_extended_connect_protocol_enabled() {
                break;
            }
            tokio::task::yield_now().await;
            client = client.ready().await.unwrap();
        }
        Self(client)
    }

    pub(crate) fn is_extended_connect_enabled(&self) -> bool {
        self.0.is_extended_connect_protocol_enabled()
    }

    /// An extended CONNECT request for `path`, lawful but for what `change` does to it.
    pub(crate) async fn open(
        &mut self,
        path: &str,
        change: impl FnOnce(&mut Request<()>),
    ) -> Result<(Response<()>, Line), (StatusCode, String)> {
        let mut request = Request::builder()
            .method(Method::CONNECT)
            .uri(format!("http://a.test{path}"))
            .version(Version::HTTP_2)
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .body(())
            .unwrap();
        change(&mut request);
        let (response, send) = self.0.send_request(request, false).unwrap();
        let (parts, mut receive) = response.await.unwrap().into_parts();
        if parts.status != StatusCode::OK {
            let mut body = Vec::new();
            while let Some(data) = receive.data().await {
                body.extend_from_slice(&data.unwrap());
            }
            return Err((parts.status, String::from_utf8(body).unwrap()));
        }
        let line = Line { send, receive, received: Vec::new() };
        Ok((Response::from_parts(parts, ()), line))
    }
}

impl Line {
    pub(crate) fn send(&mut self, bytes: Vec<u8>) {
        self.send.send_data(bytes.into(), false).unwrap();
    }

    /// The next `count` frames.
    pub(crate) async fn frames(&mut self, count: usize) -> Vec<Frame> {
        loop {
            let (frames, rest) = frames::read_whole(&self.received);
            if frames.len() >= count {
                assert_eq!(frames.len(), count);
                self.received = rest.to_vec();
                return frames;
            }
            let data = self.receive.data().await.expect("there is more to come").unwrap();
            self.receive.flow_control().release_capacity(data.len()).unwrap();
            self.received.extend_from_slice(&data);
        }
    }

    /// Reads to where the server ends the stream, and nothing may come before that. The end by
    /// END_STREAM is the orderly one (RFC 8441 §5); a reset is an error here.
    pub(crate) async fn end(&mut self) -> Result<(), h2::Error> {
        while let Some(data) = self.receive.data().await {
            assert!(data?.is_empty());
        }
        Ok(())
    }
}
