//! `spec/openapi.json` says what the routes do.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::super::lines::CODES;
use super::super::publish::{BATCH_MAX, BROADCAST_MAX};
use super::super::route::{Field, ROUTES, Route};
use super::Server;
use crate::auth::Identity;
use openline_protocol::ErrorCode;

fn specification() -> Value {
    let text = include_str!("../../../../../spec/openapi.json");
    serde_json::from_str(text).unwrap()
}

/// The schema that a reference leads to, or the schema itself.
fn resolved<'a>(specification: &'a Value, schema: &'a Value) -> &'a Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(reference) => specification.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

fn keys(map: &Map<String, Value>) -> BTreeSet<&str> {
    map.keys().map(String::as_str).collect()
}

fn texts(list: Option<&Value>) -> BTreeSet<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

fn names(fields: &[Field], wanted: impl Fn(&Field) -> bool) -> BTreeSet<&'static str> {
    fields.iter().filter(|field| wanted(field)).map(|field| field.name).collect()
}

#[test]
fn paths_and_methods_are_those_of_the_routes() {
    let specification = specification();
    let described: BTreeSet<(String, String)> = specification["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| (path.clone(), method.to_uppercase()))
        })
        .collect();
    let routed: BTreeSet<(String, String)> = ROUTES
        .iter()
        .flat_map(|route| route.methods.iter().map(|m| (route.path.to_owned(), m.to_string())))
        .collect();
    assert_eq!(described, routed);
}

#[test]
fn fields_are_those_of_the_routes() {
    let specification = specification();
    for route in ROUTES {
        for method in route.methods {
            let operation =
                &specification["paths"][route.path][method.as_str().to_ascii_lowercase()];
            let (all, required) = described(&specification, operation);
            assert_eq!(all, names(route.fields, |_| true), "{method} {}", route.path);
            assert_eq!(required, names(route.fields, |f| f.required), "{method} {}", route.path);
        }
    }
}

/// The fields that an operation takes, and those it needs.
fn described<'a>(
    specification: &'a Value,
    operation: &'a Value,
) -> (BTreeSet<&'a str>, BTreeSet<&'a str>) {
    if let Some(body) = operation.get("requestBody") {
        let schema = resolved(specification, &body["content"]["application/json"]["schema"]);
        assert_eq!(schema["additionalProperties"], false, "{schema}");
        let all = keys(schema["properties"].as_object().unwrap());
        return (all, texts(schema.get("required")));
    }
    let parameters = operation.get("parameters").and_then(Value::as_array);
    let query = parameters.into_iter().flatten().filter(|parameter| parameter["in"] == "query");
    let name = |parameter: &'a Value| parameter["name"].as_str().unwrap();
    let required = query.clone().filter(|parameter| parameter["required"] == true);
    (query.map(name).collect(), required.map(name).collect())
}

#[test]
fn numbers_and_codes_are_those_of_the_program() {
    let specification = specification();
    let schemas = &specification["components"]["schemas"];
    let codes: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(texts(Some(&schemas["Problem"]["properties"]["code"]["enum"])), codes);
    assert_eq!(schemas["Disconnect"]["properties"]["code"]["enum"], json!(CODES));
    assert_eq!(schemas["Batch"]["properties"]["publications"]["maxItems"], BATCH_MAX);
    assert_eq!(schemas["Broadcast"]["properties"]["channels"]["maxItems"], BROADCAST_MAX);
}

/// Holds a value to a schema, as far as the words go that the file uses; where it does not fit.
fn misfit(specification: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    let schema = resolved(specification, schema);
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        let fitting =
            choices.iter().filter(|one| misfit(specification, one, value, at).is_none()).count();
        return (fitting != 1).then(|| format!("{at}: fits {fitting} of oneOf: {value}"));
    }
    let is_kind = match schema.get("type").and_then(Value::as_str) {
        None => true,
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_u64(),
        Some(other) => panic!("a type that this test does not know: {other}"),
    };
    if !is_kind || schema.get("enum").is_some_and(|all| !all.as_array().unwrap().contains(value)) {
        return Some(format!("{at}: {value} is not {schema}"));
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        return list.iter().find_map(|item| misfit(specification, items, item, at));
    }
    let (Some(properties), Some(object)) = (schema.get("properties"), value.as_object()) else {
        return None;
    };
    let missing =
        texts(schema.get("required")).into_iter().find(|name| !object.contains_key(*name));
    if let Some(missing) = missing {
        return Some(format!("{at}: has no {missing}"));
    }
    object.iter().find_map(|(name, value)| match properties.get(name) {
        Some(schema) => misfit(specification, schema, value, &format!("{at}.{name}")),
        None => Some(format!("{at}: {name} is not described")),
    })
}

fn example(route: &Route) -> Value {
    let publication = json!({"channel": "room", "data": {"n": 1}, "event": "e", "key": "k"});
    match route.name() {
        "publish" => publication,
        "batch" => json!({"publications": [publication, {"channel": "", "data": 1}]}),
        "broadcast" => json!({"channels": ["room", "a b"], "data": "AA==", "encoding": "base64"}),
        "history" | "history/clear" | "presence" | "channel" => json!({"channel": "room"}),
        "channels" | "clients" => json!({"limit": 1}),
        "client" => json!({"client": "c1"}),
        "reload" => json!({}),
        "disconnect" | "revoke" => json!({"user": "nobody"}),
        "drain" => json!({}),
        other => panic!("no example for {other}"),
    }
}

#[tokio::test]
async fn answers_are_as_they_are_described() {
    let specification = specification();
    let server = Server::new();
    let ann = Identity { user: Some("ann".into()), ..Identity::default() };
    let _client = server.client("c1", ann, &["room", "room:2"]);
    for route in ROUTES {
        for method in route.methods {
            let good = match (method.as_str(), route.fields.iter().any(|field| field.required)) {
                ("GET", true) if route.name() == "client" => server.get("client?client=c1").await,
                ("GET", true) => server.get(&format!("{}?channel=room", route.name())).await,
                ("GET", false) => server.get(route.name()).await,
                _ => server.post(route.name(), &example(route).to_string()).await,
            };
            let bad = match method.as_str() {
                "GET" => server.get(&format!("{}?x=1", route.name())).await,
                _ => server.post(route.name(), "{\"x\":1}").await,
            };
            assert_eq!((good.status, bad.status), (200, 400), "{} {}", good.text, bad.text);
            let operation =
                &specification["paths"][route.path][method.as_str().to_ascii_lowercase()];
            for told in [good, bad] {
                let described = &operation["responses"][told.status.to_string()];
                let schema = &described["content"]["application/json"]["schema"];
                let at = format!("{method} {} {}", route.path, told.status);
                assert!(schema.is_object(), "{at} is not described");
                assert_eq!(misfit(&specification, schema, &told.json(), &at), None);
            }
        }
    }
}
