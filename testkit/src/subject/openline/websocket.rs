//! A reader over WebSocket that is as simple as the protocol allows: it knows nothing but its line.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use openline_ws::{Connector, Message as Frame, Transport, WebSocket};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::super::{Doing, Heard, Line};
use super::message;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a line may be quiet before the server is asked for a sign of life.
const QUIET: Duration = Duration::from_secs(2);
/// How long it may be quiet at all.
const DEAD: Duration = Duration::from_secs(8);

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    MessagePack,
}

/// A WebSocket that says and hears messages as JSON, whichever way they are written.
pub(super) struct Socket {
    socket: WebSocket<Transport>,
    form: Form,
    last: Instant,
    ask: Instant,
}

impl Socket {
    pub(super) async fn connect(address: SocketAddr, form: Form) -> Result<Self, String> {
        let protocol = match form {
            Form::Json => "openline.v1.json",
            Form::MessagePack => "openline.v1.msgpack",
        };
        let connector = Connector::new().protocol(protocol).no_proxy().timeout(CONNECT_TIMEOUT);
        let socket = connector.connect(&format!("ws://{address}/ws")).await;
        let socket = socket.map_err(|error| error.to_string())?;
        let last = Instant::now();
        Ok(Self { socket, form, last, ask: last + QUIET })
    }

    pub(super) async fn say(&mut self, message: &Value) -> Result<(), String> {
        let frame = match self.form {
            Form::Json => Frame::from(message.to_string()),
            Form::MessagePack => Frame::Binary(packed(message)?.into()),
        };
        self.socket.send(frame).await.map_err(|error| error.to_string())
    }

    /// The next message. Nothing is lost when the future is dropped.
    pub(super) async fn hear(&mut self) -> Result<Value, String> {
        loop {
            tokio::select! {
                frame = self.socket.recv() => {
                    self.last = Instant::now();
                    self.ask = self.last + QUIET;
                    return match frame {
                        Ok(Some(frame)) => self.unpacked(&frame),
                        Ok(None) => Err(format!("closed: {:?}", self.socket.closed())),
                        Err(error) => Err(error.to_string()),
                    };
                }
                () = sleep_until(self.ask) => {
                    if self.last.elapsed() > DEAD {
                        return Err(format!("nothing was heard for {DEAD:?}"));
                    }
                    self.ask = Instant::now() + QUIET;
                    self.say(&json!({ "type": "ping" })).await?;
                }
            }
        }
    }

    fn unpacked(&self, frame: &Frame) -> Result<Value, String> {
        match self.form {
            Form::Json => {
                serde_json::from_slice(frame.as_bytes()).map_err(|error| error.to_string())
            }
            Form::MessagePack => {
                let value = rmpv::decode::read_value(&mut frame.as_bytes());
                value.map_err(|error| error.to_string()).and_then(|value| plain(&value))
            }
        }
    }
}

/// A reader's line.
pub(super) struct SocketLine {
    socket: Socket,
    waiting: VecDeque<Heard>,
}

impl SocketLine {
    pub(super) async fn json(address: SocketAddr) -> Result<Self, String> {
        Self::connect(address, Form::Json).await
    }

    pub(super) async fn message_pack(address: SocketAddr) -> Result<Self, String> {
        Self::connect(address, Form::MessagePack).await
    }

    async fn connect(address: SocketAddr, form: Form) -> Result<Self, String> {
        let socket = Socket::connect(address, form).await?;
        Ok(Self { socket, waiting: VecDeque::new() })
    }
}

impl Line for SocketLine {
    fn comes_back(&self) -> bool {
        false
    }

    fn subscribe<'a>(
        &'a mut self,
        channel: &'a str,
        position: Option<&'a str>,
    ) -> Doing<'a, Result<(), String>> {
        Box::pin(async move {
            let mut wanted = json!({ "channel": channel });
            if let Some(position) = position {
                wanted["position"] = position.into();
            }
            let message = json!({ "type": "subscribe", "id": channel, "channels": [wanted] });
            self.socket.say(&message).await
        })
    }

    fn unsubscribe<'a>(&'a mut self, channel: &'a str) -> Doing<'a, Result<(), String>> {
        Box::pin(async move {
            let message = json!({ "type": "unsubscribe", "id": channel, "channels": [channel] });
            self.socket.say(&message).await
        })
    }

    fn heard(&mut self) -> Doing<'_, Result<Heard, String>> {
        Box::pin(async move {
            loop {
                if let Some(heard) = self.waiting.pop_front() {
                    return Ok(heard);
                }
                let message = self.socket.hear().await?;
                self.waiting.extend(message::heard(&message));
            }
        })
    }
}

fn packed(message: &Value) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, &packable(message)).map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn packable(value: &Value) -> rmpv::Value {
    match value {
        Value::Null => rmpv::Value::Nil,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(list) => rmpv::Value::Array(list.iter().map(packable).collect()),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (name.as_str().into(), packable(value)));
            rmpv::Value::Map(fields.collect())
        }
    }
}

fn plain(value: &rmpv::Value) -> Result<Value, String> {
    Ok(match value {
        rmpv::Value::Nil => Value::Null,
        rmpv::Value::Boolean(value) => (*value).into(),
        rmpv::Value::Integer(number) => match number.as_u64() {
            Some(number) => number.into(),
            None => number.as_i64().into(),
        },
        rmpv::Value::F64(number) => (*number).into(),
        rmpv::Value::F32(number) => f64::from(*number).into(),
        rmpv::Value::String(text) => text.as_str().ok_or("text is not UTF-8")?.into(),
        rmpv::Value::Array(list) => list.iter().map(plain).collect::<Result<_, _>>()?,
        rmpv::Value::Map(fields) => {
            let field = |(name, value): &(rmpv::Value, rmpv::Value)| {
                Ok((name.as_str().ok_or("a key is no text")?.to_owned(), plain(value)?))
            };
            Value::Object(fields.iter().map(field).collect::<Result<_, String>>()?)
        }
        other => return Err(format!("{other} is nothing that Openline sends to readers")),
    })
}
