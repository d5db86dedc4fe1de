//! Heads and header values of any content: no panic, cuts do not matter, what is agreed on is
//! within the rules, and what we answer can be read.

#![no_main]

use http::{HeaderMap, HeaderValue, Request, Response};
use libfuzzer_sys::fuzz_target;
use openline_fuzz::cut;
use openline_ws_proto::DeflateOptions;
use openline_ws_proto::handshake::client::Handshake;
use openline_ws_proto::handshake::server::{Offer, Rejection};
use openline_ws_proto::handshake::{Agreed, HeadReader, encode_request, encode_response};

fuzz_target!(|data: &[u8]| {
    let [flags, data @ ..] = data else { return };
    match flags % 4 {
        0 => request_head(data, u32::from(*flags)),
        1 => response_head(data, u32::from(*flags)),
        2 => extensions_and_protocols(data),
        _ => answer_of_a_server(data),
    }
});

fn options() -> [DeflateOptions; 4] {
    [
        DeflateOptions::default(),
        DeflateOptions::client(),
        DeflateOptions { window_bits_max: 9, ..DeflateOptions::client() },
        DeflateOptions::disabled(),
    ]
}

/// Reads a head whole and in pieces; both come to the same.
fn read(data: &[u8], seed: u32) -> Option<HeadReader> {
    let mut whole = HeadReader::new();
    let complete = whole.handle_input(data);
    let mut reader = HeadReader::new();
    let mut last = Ok(false);
    for piece in cut(data, seed) {
        last = reader.handle_input(piece);
        if last.is_err() {
            break;
        }
    }
    assert_eq!(complete, last);
    if complete != Ok(true) {
        return None;
    }
    assert_eq!(whole.bytes(), reader.bytes());
    let head_len = data.len() - reader.into_rest().len();
    assert!(data[..head_len].ends_with(b"\r\n\r\n"));
    Some(whole)
}

fn request_head(data: &[u8], seed: u32) {
    let Some(reader) = read(data, seed) else { return };
    match reader.request() {
        Err(error) => answer(&error.into()),
        Ok(request) => {
            assert!(request.headers().len() <= openline_ws_proto::handshake::HEADERS_MAX);
            serve(&request);
            // What we write of it is read as the same.
            let mut again = HeadReader::new();
            if again.handle_input(&encode_request(&request)) == Ok(true)
                && let Ok(again) = again.request()
            {
                assert_eq!(again.headers(), request.headers());
            }
        }
    }
}

fn serve(request: &Request<()>) {
    match Offer::from_http1(request) {
        Err(rejection) => answer(&rejection),
        Ok(offer) => {
            assert!(Offer::is_attempted(request));
            for options in options() {
                let protocol = offer.protocols().first().map(String::as_str);
                let (response, agreed) = offer.accept(protocol, &options);
                assert_eq!(response.status(), 101);
                within_the_rules(&agreed);
                let mut reader = HeadReader::new();
                let bytes = encode_response(&response.map(|()| ""));
                if bytes.len() <= openline_ws_proto::handshake::HEAD_BYTES_MAX {
                    assert_eq!(reader.handle_input(&bytes), Ok(true));
                    reader.response().expect("our own answer can be read");
                }
            }
        }
    }
}

fn answer(rejection: &Rejection) {
    let response = rejection.response();
    assert!(response.status().is_client_error());
    assert!(!response.body().contains(|c: char| c < ' '), "{:?}", response.body());
    let mut reader = HeadReader::new();
    assert_eq!(reader.handle_input(&encode_response(&response)), Ok(true));
    reader.response().expect("our own answer can be read");
}

fn within_the_rules(agreed: &Agreed) {
    if let Some(params) = agreed.deflate {
        assert!((8..=15).contains(&params.server_max_window_bits));
        assert!((8..=15).contains(&params.client_max_window_bits));
    }
}

fn handshake(options: &DeflateOptions) -> (Request<()>, Handshake) {
    let uri = "ws://example.com/".parse().expect("an address");
    let protocols = ["v1".to_owned(), "v2".to_owned()];
    Handshake::new(&uri, [7; 16], &protocols, options, &HeaderMap::new()).expect("a request")
}

fn response_head(data: &[u8], seed: u32) {
    let Some(reader) = read(data, seed) else { return };
    let Ok(response) = reader.response() else { return };
    for options in options() {
        let _ = handshake(&options).1.check(&response);
    }
}

/// A lawful request but for the values of two headers.
fn extensions_and_protocols(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (mut request, _) = handshake(&DeflateOptions::client());
    for name in ["sec-websocket-extensions", "sec-websocket-protocol"] {
        if let Some(Ok(value)) = parts.next().map(HeaderValue::from_bytes) {
            request.headers_mut().append(name, value);
        }
    }
    serve(&request);
}

/// A lawful response but for the values of two headers.
fn answer_of_a_server(data: &[u8]) {
    for options in options() {
        let (request, handshake) = handshake(&options);
        let offer = Offer::from_http1(&request).expect("our own request is lawful");
        let (mut response, on_server): (Response<()>, Agreed) = offer.accept(None, &options);
        assert_eq!(handshake.check(&response).as_ref(), Ok(&on_server));
        let mut parts = data.splitn(2, |byte| *byte == b'\n');
        for name in ["sec-websocket-extensions", "sec-websocket-protocol"] {
            if let Some(Ok(value)) = parts.next().map(HeaderValue::from_bytes) {
                response.headers_mut().insert(name, value);
            }
        }
        if let Ok(agreed) = handshake.check(&response) {
            within_the_rules(&agreed);
            assert!(agreed.deflate.is_none() || options.enabled);
            assert!(agreed.protocol.is_none_or(|p| p == "v1" || p == "v2"));
        }
    }
}
