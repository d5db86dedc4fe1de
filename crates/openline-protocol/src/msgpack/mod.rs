//! MessagePack: read into JSON text, and written from the same calls as JSON.
//!
//! Reading goes by way of JSON so that a request means the same in both formats by construction, and
//! because subscribers on JSON lines need the payload as JSON anyway. The format is a table of first
//! bytes (`read`, `write`); a library would leave the iteration, the limits and the bytes to us.

mod from_json;
mod read;
mod write;

pub(crate) use read::{Transcoded, transcode, transcode_nested};
pub(crate) use write::MsgpackWriter;
