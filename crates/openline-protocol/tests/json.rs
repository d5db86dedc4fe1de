//! What counts as JSON, held against serde_json.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use openline_protocol::{Data, Fault, each_json_element};
use proptest::prelude::*;
use serde_json::Value;
use support::{any_json, fault, parse};

fn check(text: &str) -> Result<Data, Fault> {
    Data::from_json_text(text.into(), 100)
}

#[test]
fn the_place_of_a_mistake_is_named() {
    for (text, message) in [
        ("", "line 1 column 1: expected a value, got the end"),
        ("{", "line 1 column 2: expected a key in double quotes, got the end"),
        (r#"{"type":"ping",}"#, "line 1 column 16: expected a key in double quotes, got }"),
        (r#"{"type" "ping"}"#, "line 1 column 9: expected :, got \""),
        ("{\n  \"ü\":1 2}", "line 2 column 9: expected , or }, got 2"),
        ("[1 2]", "line 1 column 4: expected , or ], got 2"),
        ("{} {}", "line 1 column 4: expected the end, got {"),
        ("{'a':1}", "line 1 column 2: expected a key in double quotes, got '"),
        (r#"{"a":tru}"#, "line 1 column 6: expected a value, got t"),
        (r#"{"a":.5}"#, "line 1 column 6: expected a value, got ."),
        (r#"{"a":01}"#, "line 1 column 7: expected , or }, got 1"),
        (r#"{"a":1.}"#, "line 1 column 8: expected a digit, got }"),
        (r#"{"a":-}"#, "line 1 column 7: expected a digit, got }"),
        (r#"{"a":NaN}"#, "line 1 column 6: expected a value, got N"),
        (
            "{\"a\":\"\n\"}",
            "line 1 column 7: control characters in text must be escaped, got U+000A",
        ),
        (r#"{"a":"\x"}"#, "line 1 column 7: expected an escape that JSON has, got \\"),
        (r#"{"a":"\u12"}"#, "line 1 column 7: expected four hexadecimal digits after \\u, got \\"),
        (
            r#"{"a":"\ud800"}"#,
            "line 1 column 7: half of a surrogate pair is not a character, got \\",
        ),
        (
            r#"{"a":"\udc00\ud800"}"#,
            "line 1 column 7: half of a surrogate pair is not a character, got \\",
        ),
        (r#"{"a":1e999}"#, "line 1 column 6: a number must fit into a double, got 1"),
        (r#"{"a":"b"#, "line 1 column 8: expected the closing quote of a text, got the end"),
        ("\u{feff}{}", "line 1 column 1: expected a value, got \u{feff}"),
    ] {
        assert_eq!(fault(text), ("invalid_json", format!("invalid JSON at {message}")), "{text}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_invalid_json() {
    let input = bytes::Bytes::from_static(b"{\"type\":\"\xff\"}");
    let fault =
        openline_protocol::parse_request(openline_protocol::Format::Json, &input).unwrap_err();
    assert_eq!(fault.to_string(), "invalid_json: invalid JSON: byte 9 is not UTF-8");
}

#[test]
fn a_payload_loses_the_white_space_around_it_only() {
    assert_eq!(check("\n [1, 2]\t").unwrap(), Data::Json("[1, 2]".into()));
    assert_eq!(check("null").unwrap(), Data::null());
}

#[test]
fn a_message_may_be_nested_32_deep() {
    let nested = |open: &str, close: &str, n: usize| {
        let data = format!("{}1{}", open.repeat(n), close.repeat(n));
        format!(r#"{{"type":"publish","channel":"a","id":7,"data":{data}}}"#)
    };
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        assert!(parse(&nested(open, close, 31)).is_ok());
        let fault = parse(&nested(open, close, 32)).unwrap_err();
        assert_eq!(fault.to_string(), "bad_request: nested more than 32 deep");
        assert_eq!(fault.id, Some(7.into()));
    }
}

#[test]
fn depth_costs_no_stack() {
    let deep = "[".repeat(100_000);
    // A stack on which recursion of this depth would not get far.
    let thread = std::thread::Builder::new().stack_size(64 * 1024);
    let run = thread.spawn(move || {
        for text in [deep.clone(), format!(r#"{{"type":"publish","channel":"a","data":{deep}"#)] {
            assert_eq!(fault(&text), ("bad_request", "nested more than 32 deep".to_owned()));
        }
        let packed = bytes::Bytes::from(vec![0x91; 100_000]);
        let fault =
            openline_protocol::parse_request(openline_protocol::Format::MessagePack, &packed)
                .unwrap_err();
        assert_eq!(fault.to_string(), "bad_request: nested more than 32 deep");
    });
    run.unwrap().join().unwrap();
}

proptest! {
    #[test]
    fn what_serde_json_writes_is_taken(value in any_json()) {
        let text = value.to_string();
        prop_assert_eq!(check(&text).unwrap(), Data::Json(text.into()));
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert!(check(&pretty).is_ok());
    }

    #[test]
    fn text_is_taken_when_serde_json_takes_it(value in any_json(), edits in edits()) {
        let text = edited(&value.to_string(), &edits);
        let ours = check(&text);
        let theirs = serde_json::from_str::<Value>(&text);
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}: {:?}, {:?}", text, ours, theirs);
    }

    #[test]
    fn text_of_jsons_alphabet_is_taken_when_serde_json_takes_it(
        text in r#"([\[\]{}:,"\\ \-+.eEu01a]|true|null|"a"|\\u|d8|"a":|1e|1\.5){0,12}"#
    ) {
        let (ours, theirs) = (check(&text), serde_json::from_str::<Value>(&text));
        prop_assert_eq!(ours.is_ok(), theirs.is_ok(), "{}: {:?}, {:?}", text, ours, theirs);
    }

    #[test]
    fn no_text_makes_it_panic(text: String) {
        let _ = check(&text);
        let _ = parse(&text);
    }
}

/// Places and what to do there: put a character in, or take one away.
fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, Option<char>)>> {
    let characters: Vec<char> = "{}[]:,\"\\u0dD8cC1eE.+- \n\u{1}tfn/ü".chars().collect();
    let edit = (any::<prop::sample::Index>(), prop::option::of(prop::sample::select(characters)));
    prop::collection::vec(edit, 0..4)
}

fn edited(text: &str, edits: &[(prop::sample::Index, Option<char>)]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for (at, put) in edits {
        match put {
            Some(character) => text.insert(at.index(text.len() + 1), *character),
            None if text.is_empty() => {}
            None => drop(text.remove(at.index(text.len()))),
        }
    }
    text.into_iter().collect()
}

fn elements(list: &str, depth_max: usize) -> Option<Vec<&str>> {
    let mut elements = Vec::new();
    each_json_element(list, depth_max, |element| elements.push(element)).ok().map(|()| elements)
}

#[test]
fn a_list_is_checked_and_split_in_one_pass() {
    for (list, split) in [
        ("[]", &[][..]),
        (" [ ] ", &[]),
        ("[1]", &["1"]),
        (r#"[ "a,]" , {"b":[1,2]} ,[] ]"#, &[r#""a,]""#, r#"{"b":[1,2]}"#, "[]"]),
    ] {
        assert_eq!(elements(list, 3).as_deref(), Some(split), "{list}");
    }
    for list in ["", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1]]", "[1] 2", "{}", "1", "[1}"] {
        assert_eq!(elements(list, 3), None, "{list}");
    }
    assert_eq!(elements("[[[]]]", 2), None);
    assert_eq!(elements("[]", 0), None);
}

proptest! {
    #[test]
    fn elements_are_those_that_were_listed(values in prop::collection::vec(any_json(), 0..5)) {
        let texts: Vec<String> = values.iter().map(Value::to_string).collect();
        let list = format!("[{}]", texts.join(","));
        prop_assert_eq!(elements(&list, 100), Some(texts.iter().map(String::as_str).collect()));
    }
}
