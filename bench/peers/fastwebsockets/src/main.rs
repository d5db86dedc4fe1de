//! fastwebsockets: its echo example's loop and settings, upgraded through hyper.
//!
//! Its API writes each frame at once, so there is no batched loop: `--batched`
//! changes nothing. Vectored writes stay on (the default), for 64 KiB messages.

use std::convert::Infallible;

use fastwebsockets::upgrade::{self, UpgradeFut};
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use peer_shell::EchoLoop;
use tokio::net::TcpStream;

fn main() {
    peer_shell::serve(serve_http);
}

async fn serve_http(stream: TcpStream, _: EchoLoop) {
    // A connection that fails ends here; the load generator notices.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service_fn(accept))
        .with_upgrades()
        .await;
}

async fn accept(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let Ok((response, line)) = upgrade::upgrade(&mut request) else {
        let mut refusal = Response::new(Empty::new());
        *refusal.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(refusal);
    };
    tokio::spawn(tokio::task::unconstrained(echo(line)));
    Ok(response)
}

async fn echo(line: UpgradeFut) -> Result<(), WebSocketError> {
    let mut line = FragmentCollector::new(line.await?);
    loop {
        let frame = line.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => line.write_frame(frame).await?,
            _ => {}
        }
    }
}
