//! MessagePack by itself: what a client says in it means the same when it is written again, in either
//! format, and so does its payload when subscribers get it in theirs.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use openline_protocol::{
    Command, Data, Format, Message, Publication, Publish, Request, parse_request,
};

fuzz_target!(|data: &[u8]| {
    let input = Bytes::copy_from_slice(data);
    let Ok(request) = parse_request(Format::MessagePack, &input) else { return };
    for format in [Format::MessagePack, Format::Json] {
        let mut written = Vec::new();
        let known = Request { unknown_fields: 0, ..request.clone() };
        known.encode(format, &mut written);
        assert_eq!(parse_request(format, &written.into()), Ok(known));
    }
    let Command::Publish(Publish { channel, data, .. }) = request.command else { return };
    for format in [Format::MessagePack, Format::Json] {
        let sent = publication(&channel, data.clone());
        let mut written = Vec::new();
        sent.encode(format, &mut written);
        let read = Message::decode(format, &written.into()).expect("we write publications");
        assert_eq!(read, Message::Publication(sent));
    }
});

fn publication(channel: &openline_protocol::ChannelName, data: Data) -> Publication {
    Publication {
        channel: channel.clone(),
        event: None,
        data,
        position: None,
        prev_tag: 0,
        timestamp: 5,
        from: None,
    }
}
