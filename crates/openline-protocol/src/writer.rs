//! What a message is written with, whatever the format.

use crate::json::JsonWriter;
use crate::msgpack::MsgpackWriter;
use crate::{Data, Format, Id, Position};

/// A format being written. Maps and lists that are opened have to be closed; in a map, each value has
/// its key before it.
pub(crate) trait Writer {
    fn open_map(&mut self);
    fn close_map(&mut self);
    fn open_list(&mut self);
    fn close_list(&mut self);
    fn key(&mut self, key: &str);
    fn text(&mut self, text: &str);
    fn unsigned(&mut self, number: u64);
    fn number(&mut self, number: &serde_json::Number);
    fn flag(&mut self, flag: bool);
    /// A value that is JSON text.
    fn json(&mut self, text: &str);
    /// Bytes, or base64 where the format has no bytes. Says whether they are bytes.
    fn bytes(&mut self, bytes: &[u8]) -> bool;

    /// A list with what `write` makes of each item.
    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T))
    where
        Self: Sized,
    {
        self.open_list();
        for item in items {
            write(self, item);
        }
        self.close_list();
    }

    fn text_field(&mut self, key: &str, text: &str) {
        self.key(key);
        self.text(text);
    }

    fn unsigned_field(&mut self, key: &str, number: u64) {
        self.key(key);
        self.unsigned(number);
    }

    fn flag_field(&mut self, key: &str, flag: bool) {
        self.key(key);
        self.flag(flag);
    }

    fn position_field(&mut self, key: &str, position: Position) {
        self.text_field(key, position.text(&mut Position::text_buffer()));
    }

    fn id_field(&mut self, id: Option<&Id>) {
        let Some(id) = id else { return };
        self.key("id");
        match id {
            Id::Number(number) => self.number(number),
            Id::Text(text) => self.text(text),
        }
    }

    /// A payload, and beside it how it is written where that is not plain.
    fn data_field(&mut self, key: &str, data: &Data) {
        self.key(key);
        match data {
            Data::Json(text) => self.json(text),
            Data::Binary(bytes) => {
                if !self.bytes(bytes) {
                    self.text_field("encoding", "base64");
                }
            }
        }
    }
}

/// Something that can be written.
pub(crate) trait Message {
    fn write(&self, writer: &mut impl Writer);

    fn encode_to(&self, format: Format, out: &mut Vec<u8>) {
        match format {
            Format::Json => self.write(&mut JsonWriter::new(out)),
            Format::MessagePack => self.write(&mut MsgpackWriter::new(out)),
        }
    }
}
