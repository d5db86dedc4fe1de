//! Messages of protocol v1, of clients and of servers, in both formats, and positions: no panic; what
//! a client may say is within its bounds; positions are written as they were read.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use openline_protocol::limits::ID_BYTES_MAX;
use openline_protocol::{Format, Id, Message, Position, parse_request};

fuzz_target!(|data: &[u8]| {
    let [format, input @ ..] = data else { return };
    let format = if format % 2 == 0 { Format::Json } else { Format::MessagePack };
    let input = Bytes::copy_from_slice(input);
    if let Ok(request) = parse_request(format, &input)
        && let Some(Id::Text(id)) = &request.id
    {
        assert!(id.len() <= ID_BYTES_MAX, "{id:?}");
    }
    let _ = Message::decode(format, &input);
    if let Ok(text) = std::str::from_utf8(&input)
        && let Ok(position) = text.parse::<Position>()
    {
        assert_eq!(position.to_string().parse(), Ok(position), "{text:?}");
    }
});
