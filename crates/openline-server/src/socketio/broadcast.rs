//! What the rooms of a socket get, as events.

use bytestring::ByteString;
use openline_engine::Broadcast;
use openline_protocol::{Data, Format};

use super::engine::Message;
use super::packet::{self, Arguments, Encoded, is_reserved};
use crate::app::{Arity, Payload};
use crate::exchange::write;

/// An event without a name, or one whose name clients keep for themselves.
const UNNAMED: &str = "message";

/// The messages that tell the sockets of a namespace of a broadcast.
pub(crate) fn messages(
    namespace: &str,
    broadcast: &Broadcast,
    number: Option<u64>,
) -> impl Iterator<Item = Message> + use<> {
    let offset = number.map(|number| number.to_string());
    let event = |name: &str, data: &Data| {
        let arguments = Arguments::from(data.clone());
        packet::event(namespace, event_name(name), &arguments, None, offset.as_deref())
    };
    let encoded = match broadcast {
        Broadcast::Publication(publication) => {
            event(publication.event.as_deref().unwrap_or(UNNAMED), &publication.data)
        }
        Broadcast::Event(said) => event(&said.event, &said.data),
        Broadcast::Presence(_) => event("presence", &fields(broadcast)),
        Broadcast::Typing(_) => event("typing", &fields(broadcast)),
    };
    engine_messages(encoded)
}

/// A name that no client takes for broken.
pub(super) fn event_name(name: &str) -> &str {
    if is_reserved(name) { UNNAMED } else { name }
}

pub(super) fn engine_messages(encoded: Encoded) -> impl Iterator<Item = Message> {
    let attachments = encoded.attachments.into_iter().map(Message::Binary);
    std::iter::once(Message::Text(encoded.text)).chain(attachments)
}

/// The fields of a message of protocol v1, without its type.
fn fields(broadcast: &Broadcast) -> Data {
    let mut text = Vec::new();
    write(broadcast, Format::Json, &mut text);
    let mut fields: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(&text).unwrap_or_default();
    fields.remove("type");
    Data::Json(serde_json::Value::Object(fields).to_string().into())
}

/// What came with an event, as handlers know it.
impl From<Arguments> for Payload {
    fn from(arguments: Arguments) -> Self {
        let arity = match arguments.len() {
            0 => return Self::none(),
            1 => Arity::One,
            _ => Arity::Many,
        };
        match arguments.into_data() {
            (Data::Json(json), attachments) => Self::of_arguments(json, arity, attachments),
            (bytes @ Data::Binary(_), _) => Self::one(bytes),
        }
    }
}

/// What handlers say, as arguments.
impl From<&Payload> for Arguments {
    fn from(payload: &Payload) -> Self {
        match (payload.arity(), payload.data()) {
            (Arity::None, _) => Self::default(),
            (Arity::One, Data::Json(json)) if !payload.attachments().is_empty() => {
                let list = ByteString::from(format!("[{json}]"));
                Self::from_list(&list, payload.attachments().to_vec())
                    .unwrap_or_else(|_| payload.to_data().into())
            }
            (Arity::Many, Data::Json(list)) => {
                Self::from_list(list, payload.attachments().to_vec())
                    .or_else(|_| match payload.to_data() {
                        // A client reads few attachments, and none that something else names: then
                        // bytes are base64, as for everybody else.
                        Data::Json(list) => Self::from_list(&list, Vec::new()),
                        bytes @ Data::Binary(_) => Ok(bytes.into()),
                    })
                    .unwrap_or_default()
            }
            (_, data) => data.clone().into(),
        }
    }
}
