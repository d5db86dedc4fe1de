//! What the tests share.

#![allow(dead_code, reason = "not every test file uses all of it")]

use bytes::Bytes;
use openline_protocol::{Command, Fault, Format, Request, parse_request};
use proptest::prelude::*;
use rmpv::Value as Packed;
use serde_json::{Value, json};

/// A message of a client on a JSON line.
pub(crate) fn parse(text: &str) -> Result<Request, Fault> {
    parse_request(Format::Json, &Bytes::copy_from_slice(text.as_bytes()))
}

/// What a good message asks for.
#[track_caller]
pub(crate) fn command(text: &str) -> Command {
    match parse(text) {
        Ok(request) => request.command,
        Err(fault) => panic!("{text}: {fault}"),
    }
}

/// The code and the sentence that a bad message is answered with.
#[track_caller]
pub(crate) fn fault(text: &str) -> (&'static str, String) {
    match parse(text) {
        Ok(request) => panic!("{text} was taken for {request:?}"),
        Err(fault) => (fault.code.as_str(), fault.message),
    }
}

pub(crate) fn packed(value: &Packed) -> Bytes {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).expect("a vector takes everything");
    bytes.into()
}

pub(crate) fn unpacked(bytes: &[u8]) -> Packed {
    let mut rest = bytes;
    let value = rmpv::decode::read_value(&mut rest).expect("one value was written");
    assert!(rest.is_empty(), "{} bytes follow the value", rest.len());
    value
}

/// The same value in MessagePack.
pub(crate) fn to_packed(value: &Value) -> Packed {
    match value {
        Value::Null => Packed::Nil,
        Value::Bool(flag) => Packed::from(*flag),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), _, _) => Packed::from(number),
            (_, Some(number), _) => Packed::from(number),
            (_, _, number) => Packed::from(number.expect("a number is one of the three")),
        },
        Value::String(text) => Packed::from(text.as_str()),
        Value::Array(items) => Packed::Array(items.iter().map(to_packed).collect()),
        Value::Object(fields) => Packed::Map(
            fields
                .iter()
                .map(|(key, value)| (Packed::from(key.as_str()), to_packed(value)))
                .collect(),
        ),
    }
}

/// The same value in JSON.
pub(crate) fn to_json(value: &Packed) -> Value {
    match value {
        Packed::Nil => Value::Null,
        Packed::Boolean(flag) => json!(flag),
        Packed::Integer(number) => match number.as_u64() {
            Some(number) => json!(number),
            None => json!(number.as_i64()),
        },
        Packed::F64(number) => json!(number),
        Packed::String(text) => json!(text.as_str().expect("only UTF-8 is written")),
        Packed::Array(items) => items.iter().map(to_json).collect(),
        Packed::Map(fields) => fields
            .iter()
            .map(|(key, value)| (key.as_str().expect("keys are text").to_owned(), to_json(value)))
            .collect(),
        other => panic!("{other} is not written for JSON"),
    }
}

/// Any JSON value. Its doubles have few digits, so that they survive every way of writing them.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-300_i32..300).prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        any::<String>().prop_map(Value::from),
        "[a-z\"\\\\\u{0}-\u{20}\u{7f}-\u{a0}🙂]{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..20)
                .prop_map(|fields| fields.into_iter().collect()),
        ]
    })
}
