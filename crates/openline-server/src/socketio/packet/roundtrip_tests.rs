//! What was encoded decodes to the same, and no bytes make the decoder panic.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::Bytes;
use bytestring::ByteString;
use proptest::prelude::*;
use serde_json::Value;

use super::{Arguments, Decoder, Encoded, Kind, Malformed, Packet, ack, event, is_reserved};

fn decode(encoded: Encoded) -> Result<Option<Packet>, Malformed> {
    let mut decoder = Decoder::new(1 << 20);
    let mut packet = decoder.handle_text(&encoded.text)?;
    for bytes in encoded.attachments {
        assert_eq!(packet, None, "whole before its attachments came");
        packet = decoder.handle_binary(bytes)?;
    }
    Ok(packet)
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let object = prop::collection::btree_map("[a-z\"\\\\]{0,4}", inner.clone(), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(Value::from),
            object.prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn any_arguments() -> impl Strategy<Value = Arguments> {
    let values = prop::collection::vec(any_value(), 0..5);
    let attachments = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..=10);
    (values, attachments).prop_map(|(mut values, attachments)| {
        let places = attachments.len();
        values.extend((0..places).map(|num| serde_json::json!({"_placeholder": true, "num": num})));
        let list = ByteString::from(Value::from(values).to_string());
        let attachments = attachments.into_iter().map(Bytes::from).collect();
        Arguments::from_list(&list, attachments).unwrap()
    })
}

fn any_namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[^,]{1,50}"]
}

proptest! {
    #[test]
    fn an_event_comes_as_it_went(
        namespace in any_namespace(),
        name in any::<String>().prop_filter("reserved", |name| !is_reserved(name)),
        arguments in any_arguments(),
        id in any::<Option<u64>>(),
    ) {
        let packet = decode(event(&namespace, &name, &arguments, id, None)).unwrap().unwrap();
        let kind = Kind::Event { name: name.into(), arguments, id };
        prop_assert_eq!(packet, Packet { namespace: namespace.into(), kind });
    }

    #[test]
    fn an_ack_comes_as_it_went(
        namespace in any_namespace(),
        arguments in any_arguments(),
        id in any::<u64>(),
    ) {
        let packet = decode(ack(&namespace, id, &arguments)).unwrap().unwrap();
        let kind = Kind::Ack { id, arguments };
        prop_assert_eq!(packet, Packet { namespace: namespace.into(), kind });
    }

    #[test]
    fn an_offset_is_one_value_more(arguments in any_arguments(), offset in "[0-9a-f]{1,16}") {
        let packet = decode(event("/", "a", &arguments, None, Some(&offset))).unwrap().unwrap();
        let Kind::Event { arguments: found, .. } = packet.kind else { panic!() };
        prop_assert_eq!(found.len(), arguments.len() + 1);
        let last = format!("\"{offset}\"");
        prop_assert!(found.values().ends_with(&last));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[0-6]{0,2}-?(/[a,]{0,3})?[0-9]{0,3}[\\[\\]{}\",:a_0-9ü ]{0,20}") {
        let _ = decode(Encoded { text: text.into(), attachments: Vec::new() });
    }

    #[test]
    fn what_is_read_is_written_the_same(text in "[2356](1-)?(/a,)?[0-9]{0,2}\\[(\"a\"|1)?(,[0-9]|,\\{\\})?\\]") {
        let attachments = if text.contains('-') { vec![Bytes::new()] } else { Vec::new() };
        if let Ok(Some(packet)) = decode(Encoded { text: text.clone().into(), attachments }) {
            let again = match &packet.kind {
                Kind::Event { name, arguments, id } => event(&packet.namespace, name, arguments, *id, None),
                Kind::Ack { id, arguments } => ack(&packet.namespace, *id, arguments),
                other => panic!("{other:?}"),
            };
            prop_assert_eq!(decode(again).unwrap(), Some(packet));
        }
    }
}
