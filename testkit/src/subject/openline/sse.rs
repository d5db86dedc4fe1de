//! A reader of server-sent events: a stream for each channel.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use super::super::Heard;
use super::tasks::{TaskLine, Told};
use super::{http, message};

/// The server says something every 15 seconds.
const DEAD: Duration = Duration::from_secs(20);
/// The longest line of a stream.
const LINE_MAX: usize = 4 << 20;

pub(super) fn line(address: SocketAddr) -> TaskLine {
    TaskLine::new(false, move |channel, position, tell| async move {
        let told = match open(address, &channel, position.as_deref()).await {
            Ok(Ok(body)) => Err(read(body, &tell).await),
            Ok(Err(code)) => Ok(Heard::Refused { channel, code }),
            Err(why) => Err(why),
        };
        // Nobody listens to a line that was dropped.
        let _ = tell.send(told).await;
    })
}

/// Opens a stream, or says with which code it was refused.
async fn open(
    address: SocketAddr,
    channel: &str,
    last: Option<&str>,
) -> Result<Result<Incoming, String>, String> {
    let path = format!("/sse?channel={}", http::encoded(channel));
    let response = http::events(address, &path, last).await.map_err(|error| error.to_string())?;
    if response.status().is_success() {
        return Ok(Ok(response.into_body()));
    }
    let (status, answer) = http::answer(response).await.map_err(|error| error.to_string())?;
    match answer["error"]["code"].as_str() {
        Some(code) if status.is_client_error() => Ok(Err(code.to_owned())),
        _ => Err(format!("{status}")),
    }
}

/// Tells what comes, until nothing does; returns why.
async fn read(mut body: Incoming, tell: &Sender<Told>) -> String {
    let mut pending = Vec::new();
    let mut data = String::new();
    loop {
        let frame = match timeout(DEAD, body.frame()).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return error.to_string(),
            Ok(None) => return "the stream ended".to_owned(),
            Err(_) => return format!("nothing was heard for {DEAD:?}"),
        };
        pending.extend_from_slice(&frame.into_data().unwrap_or_default());
        if pending.len() > LINE_MAX {
            return format!("a line of more than {LINE_MAX} bytes");
        }
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&pending[..end]).into_owned();
            pending.drain(..=end);
            if let Some(more) = line.strip_prefix("data: ") {
                data.push_str(more);
            } else if line.is_empty() && !data.is_empty() {
                let message: Value = serde_json::from_str(&data).unwrap_or_default();
                data.clear();
                for heard in message::heard(&message) {
                    if tell.send(Ok(heard)).await.is_err() {
                        return "the line was dropped".to_owned();
                    }
                }
            }
        }
    }
}
