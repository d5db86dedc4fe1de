//! MessagePack as far as messages need it, apart from the server's own. Bytes are written
//! `{"$bytes": base64}`, as in the vectors.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// The value in MessagePack.
pub(crate) fn pack(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// The value that the bytes are, all of them.
pub(crate) fn unpack(bytes: &[u8]) -> Value {
    let mut rest = bytes;
    let value = read(&mut rest);
    assert!(rest.is_empty(), "{} bytes follow the value", rest.len());
    value
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(flag) => out.push(0xc2 + u8::from(*flag)),
        Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(small @ 0..128), ..) => out.push(small as u8),
            (Some(number), ..) => tagged(0xcf, &number.to_be_bytes(), out),
            (_, Some(number), _) => tagged(0xd3, &number.to_be_bytes(), out),
            (.., number) => tagged(0xcb, &number.unwrap().to_be_bytes(), out),
        },
        Value::String(text) => {
            length([0xd9, 0xda, 0xdb], text.len(), out);
            out.extend(text.as_bytes());
        }
        Value::Array(items) => {
            tagged(0xdd, &(items.len() as u32).to_be_bytes(), out);
            items.iter().for_each(|item| write(item, out));
        }
        Value::Object(fields) => match fields.get("$bytes").and_then(Value::as_str) {
            Some(bytes) => {
                let bytes = STANDARD.decode(bytes).unwrap();
                length([0xc4, 0xc5, 0xc6], bytes.len(), out);
                out.extend(bytes);
            }
            None => {
                tagged(0xdf, &(fields.len() as u32).to_be_bytes(), out);
                for (name, value) in fields {
                    write(&json!(name), out);
                    write(value, out);
                }
            }
        },
    }
}

fn tagged(tag: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    out.extend(bytes);
}

/// With the tags for a length of one, two and four bytes.
fn length(tags: [u8; 3], len: usize, out: &mut Vec<u8>) {
    match len {
        0..0x100 => tagged(tags[0], &[len as u8], out),
        0x100..0x1_0000 => tagged(tags[1], &(len as u16).to_be_bytes(), out),
        _ => tagged(tags[2], &(len as u32).to_be_bytes(), out),
    }
}

fn read(rest: &mut &[u8]) -> Value {
    let tag = take(rest, 1)[0];
    match tag {
        0xc0 => Value::Null,
        0xc2 | 0xc3 => json!(tag == 0xc3),
        0..=0x7f => json!(tag),
        0xe0.. => json!(tag as i8),
        0xcc..=0xcf => json!(unsigned(rest, 1 << (tag - 0xcc))),
        0xd0..=0xd3 => {
            let len = 1 << (tag - 0xd0);
            let unused = 64 - 8 * len;
            json!((unsigned(rest, len) << unused) as i64 >> unused)
        }
        0xca => json!(f32::from_bits(unsigned(rest, 4) as u32)),
        0xcb => json!(f64::from_bits(unsigned(rest, 8))),
        0xa0..=0xbf => text(rest, usize::from(tag & 31)),
        0xd9..=0xdb => {
            let len = unsigned(rest, 1 << (tag - 0xd9));
            text(rest, len as usize)
        }
        0xc4..=0xc6 => {
            let len = unsigned(rest, 1 << (tag - 0xc4));
            json!({ "$bytes": STANDARD.encode(take(rest, len as usize)) })
        }
        0x90..=0x9f => list(rest, u64::from(tag & 15)),
        0xdc | 0xdd => {
            let len = unsigned(rest, 2 << (tag - 0xdc));
            list(rest, len)
        }
        0x80..=0x8f => map(rest, u64::from(tag & 15)),
        0xde | 0xdf => {
            let len = unsigned(rest, 2 << (tag - 0xde));
            map(rest, len)
        }
        _ => panic!("{tag:#x} begins nothing that a message holds"),
    }
}

fn take<'a>(rest: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(len);
    *rest = after;
    taken
}

fn unsigned(rest: &mut &[u8], len: usize) -> u64 {
    take(rest, len).iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn text(rest: &mut &[u8], len: usize) -> Value {
    json!(std::str::from_utf8(take(rest, len)).unwrap())
}

fn list(rest: &mut &[u8], len: u64) -> Value {
    (0..len).map(|_| read(rest)).collect()
}

fn map(rest: &mut &[u8], len: u64) -> Value {
    let mut fields = Map::new();
    for _ in 0..len {
        let name = read(rest);
        let name = name.as_str().expect("keys are text").to_owned();
        assert!(fields.insert(name.clone(), read(rest)).is_none(), "{name} stands twice");
    }
    fields.into()
}
