//! A message of a channel, as it is printed.

use std::io;

use openline_client::{Data, Publication};

use super::json::{Object, one_line};
use super::output::{Output, printable};
use crate::connect::hex;

/// Prints a message. `named`: with its channel in front, where it is text.
pub(super) fn print(message: &Publication, named: bool, output: Output) -> io::Result<()> {
    output.result(|| object(message), || text(message, named))
}

fn object(message: &Publication) -> Object {
    let mut object = Object::new("publication")
        .text("channel", &message.channel)
        .text_if("event", message.event.as_ref())
        .data("data", &message.data)
        .text_if("position", message.position)
        .raw("timestamp", message.timestamp);
    if let Some(from) = &message.from {
        let user = from.user.as_ref();
        object = object.text("clientId", &from.client_id).text_if("user", user);
    }
    object.raw("replayed", message.replayed)
}

fn text(message: &Publication, named: bool) -> String {
    let data = match &message.data {
        Data::Json(text) => one_line(text),
        Data::Binary(bytes) => hex::encode(bytes),
    };
    if named { format!("{} {data}", printable(message.channel.as_str())) } else { data }
}
