//! [`Talk`]: a line that speaks protocol v1, in JSON or MessagePack.

use openline_ws::{Message, Transport, WebSocket};
use serde_json::Value;

use super::packed::{pack, unpack};
use super::{connector, soon};

pub(crate) const MESSAGEPACK: &str = "openline.v1.msgpack";

pub(crate) struct Talk {
    pub(crate) ws: WebSocket<Transport>,
    packed: bool,
}

/// How a line ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct End {
    /// 1006 where there was no close frame.
    pub(crate) code: u16,
    pub(crate) reason: String,
}

impl Talk {
    /// Opens a line; without a subprotocol none is offered.
    pub(crate) async fn open(url: &str, subprotocol: Option<&str>) -> Self {
        Self::try_open(url, subprotocol).await.expect("the line is let in")
    }

    /// None where it was not let in, or the connection was lost before that.
    pub(crate) async fn try_open(url: &str, subprotocol: Option<&str>) -> Option<Self> {
        let connector = subprotocol.into_iter().fold(connector(), |c, wanted| c.protocol(wanted));
        let ws = soon(connector.connect(url)).await.ok()?;
        assert_eq!(ws.protocol(), subprotocol);
        Some(Self { ws, packed: subprotocol == Some(MESSAGEPACK) })
    }

    /// Opens a line and takes its welcome.
    pub(crate) async fn greeted(url: &str) -> (Self, Value) {
        let mut talk = Self::open(url, None).await;
        let welcome = talk.next().await.expect("a line begins with a welcome");
        assert_eq!(welcome["type"], "welcome");
        (talk, welcome)
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        self.try_send(message).await.expect("the line is open");
    }

    pub(crate) async fn try_send(&mut self, message: &Value) -> Result<(), openline_ws::Error> {
        let message = match self.packed {
            true => Message::from(pack(message)),
            false => Message::from(message.to_string()),
        };
        self.put(message).await
    }

    /// Sends a message as it is.
    pub(crate) async fn put(&mut self, message: Message) -> Result<(), openline_ws::Error> {
        soon(self.ws.send(message)).await?;
        // Or it could wait for the next receive, while the test waits for another line.
        soon(self.ws.flush()).await
    }

    /// The next message, or how the line ended.
    pub(crate) async fn next(&mut self) -> Result<Value, End> {
        soon(self.receive()).await
    }

    /// As [`Talk::next`], without an end to patience. Cancel-safe.
    pub(crate) async fn receive(&mut self) -> Result<Value, End> {
        match self.ws.recv().await {
            Ok(Some(Message::Text(text))) if !self.packed => {
                Ok(serde_json::from_str(&text).unwrap())
            }
            Ok(Some(Message::Binary(bytes))) if self.packed => Ok(unpack(&bytes)),
            Ok(Some(other)) => panic!("a message in the other format: {other:?}"),
            Ok(None) | Err(_) => Err(self.ws.closed().map_or_else(End::lost, |closed| End {
                code: closed.reason.code.0,
                reason: closed.reason.text.clone(),
            })),
        }
    }

    /// The answer to a request, by its id. What else comes is passed over.
    pub(crate) async fn ask(&mut self, request: &Value) -> Value {
        self.send(request).await;
        loop {
            let came = self.next().await.expect("the line is open");
            if came.get("id") == request.get("id") && came.get("id").is_some() {
                return came;
            }
        }
    }

    /// How the line ends, whatever comes before that.
    pub(crate) async fn ended(&mut self) -> End {
        self.last_words().await.1
    }

    /// The last message, and how the line ends after it.
    pub(crate) async fn last_words(&mut self) -> (Option<Value>, End) {
        let mut last = None;
        loop {
            match self.next().await {
                Ok(message) => last = Some(message),
                Err(end) => return (last, end),
            }
        }
    }
}

impl End {
    fn lost() -> Self {
        Self { code: 1006, reason: String::new() }
    }
}
