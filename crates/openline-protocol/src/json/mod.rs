//! JSON: what is needed to check a message without taking it apart, and to write one.

mod list;
mod scan;
mod text;
mod write;

pub use list::each_json_element;
pub(crate) use scan::{Broken, Explained, Raw, Scanner};
pub(crate) use text::{plain_len, unescaped};
pub(crate) use write::{JsonWriter, write_base64, write_text};
