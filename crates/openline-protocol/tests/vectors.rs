//! The vectors in spec/vectors, as far as they are about reading messages: whatever a client sends is
//! understood or refused as they say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use openline_protocol::{Format, parse_request};
use rmpv::Value as Packed;
use serde_json::Value;
use support::{packed, to_packed};

/// What only a server with lines and channels can find out.
const FOUND_OUT_LATER: [&str; 9] = [
    "already_subscribed",
    "bad_offset",
    "checksum_mismatch",
    "idempotency_conflict",
    "incomplete",
    "not_found",
    "not_subscribed",
    "too_large",
    "unknown_type",
];

#[test]
fn what_vectors_send_is_understood_or_refused_as_they_say() {
    let vectors = vectors();
    assert!(vectors.len() >= 30, "there are {} vectors", vectors.len());
    let mut refused = 0;
    for (name, steps) in &vectors {
        for (at, step) in steps.iter().enumerate() {
            let Some((format, input)) = message(step, steps) else { continue };
            let answer = steps[at + 1..]
                .iter()
                .find(|next| next["line"] == step["line"] && next.get("expect").is_some())
                .map(|next| &next["expect"]);
            let expected = answer.filter(|answer| answer["type"] == "error");
            match (parse_request(format, &input), expected) {
                (Ok(_), None) => {}
                (Ok(_), Some(error)) => {
                    let code = error["code"].as_str().unwrap();
                    assert!(FOUND_OUT_LATER.contains(&code), "{name}: {step} should be {code}");
                }
                (Err(fault), Some(error)) => {
                    refused += 1;
                    assert_eq!(error["code"], fault.code.as_str(), "{name}: {step}: {fault}");
                    let hint = error["error"]["contains"].as_str().unwrap_or_default();
                    assert!(fault.message.contains(hint), "{name}: {fault}");
                    let id = fault.id.as_ref().map(ToString::to_string);
                    let expected_id = match &error["id"] {
                        Value::String(id) => Some(id.clone()),
                        Value::Number(id) => Some(id.to_string()),
                        _ => None,
                    };
                    assert_eq!(id, expected_id, "{name}: {step}: {fault}");
                }
                (Err(fault), None) => panic!("{name}: {step}: {fault}"),
            }
        }
    }
    assert!(refused > 20, "only {refused} messages were refused");
}

#[test]
fn every_vector_keeps_to_the_format() {
    for (name, steps) in vectors() {
        assert!(steps[0]["about"].is_string(), "{name}: what is it about?");
        let mut open = Vec::new();
        for step in &steps[1..] {
            if let Some(line) = step.get("open") {
                open.push(line);
                continue;
            }
            assert!(open.contains(&&step["line"]), "{name}: {step}: the line is not open");
            let kinds =
                ["send", "sendText", "sendBytes", "expect", "expectAll", "find", "close", "closed"];
            let count = kinds.iter().filter(|kind| step.get(**kind).is_some()).count();
            assert_eq!(count, 1, "{name}: {step}");
        }
    }
}

/// All files, by name, with the names in their texts replaced by samples.
fn vectors() -> Vec<(String, Vec<Value>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors");
    let mut vectors = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "json") {
            let text = fs::read_to_string(&path).unwrap().replace("${run}", "0123456789abcdef");
            let steps: Vec<Value> = serde_json::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            vectors.push((path.file_name().unwrap().to_string_lossy().into_owned(), steps));
        }
    }
    vectors.sort_by(|a, b| a.0.cmp(&b.0));
    vectors
}

/// What a step sends.
fn message(step: &Value, steps: &[Value]) -> Option<(Format, Bytes)> {
    let is_messagepack = steps.iter().any(|other| {
        other["open"] == step["line"] && other["subprotocol"] == "openline.v1.msgpack"
    });
    if let Some(text) = step.get("sendText") {
        return Some((Format::Json, text.as_str()?.to_owned().into()));
    }
    if let Some(bytes) = step.get("sendBytes") {
        return Some((Format::MessagePack, STANDARD.decode(bytes.as_str()?).unwrap().into()));
    }
    let message = with_positions(step.get("send")?.clone());
    if is_messagepack {
        return Some((Format::MessagePack, packed(&with_bytes(&message))));
    }
    Some((Format::Json, message.to_string().into()))
}

/// A position in place of each name that stands for one.
fn with_positions(value: Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("${") => Value::from("AAAAAQAAAAAAAAACAQ"),
        Value::Array(items) => items.into_iter().map(with_positions).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(key, value)| (key, with_positions(value))).collect()
        }
        other => other,
    }
}

fn with_bytes(value: &Value) -> Packed {
    match value {
        Value::Object(fields) => match fields.get("$bytes").and_then(Value::as_str) {
            Some(bytes) => Packed::Binary(STANDARD.decode(bytes).unwrap()),
            None => Packed::Map(
                fields.iter().map(|(key, v)| (Packed::from(key.as_str()), with_bytes(v))).collect(),
            ),
        },
        Value::Array(items) => Packed::Array(items.iter().map(with_bytes).collect()),
        other => to_packed(other),
    }
}
