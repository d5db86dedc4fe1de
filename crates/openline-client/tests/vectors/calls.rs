//! Calls of the client with what a vector's message says, and what they give.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline_client::{Client, Data, Error};
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::told;

/// What a call gives, in the shape of the server's message.
pub(crate) type Call = JoinHandle<Result<Value, Error>>;

pub(crate) fn publish(client: &Client, message: &Value) -> Call {
    let data = payload(message);
    let mut publish = client.publish_data(text(message, "channel").unwrap(), data);
    if let Some(event) = text(message, "event") {
        publish = publish.event(event);
    }
    if let Some(key) = text(message, "key") {
        publish = publish.key(key);
    }
    if let Some(echo) = message["echo"].as_bool() {
        publish = publish.echo(echo);
    }
    if message["volatile"] == true {
        publish = publish.volatile();
    }
    tokio::spawn(async { publish.await.map(|published| told::published(&published)) })
}

pub(crate) fn history(client: &Client, message: &Value) -> Call {
    let mut history = client.history(text(message, "channel").unwrap());
    if let Some(limit) = message["limit"].as_u64() {
        history = history.limit(limit as u32);
    }
    if let Some(position) = text(message, "since") {
        history = history.since(position.parse().unwrap());
    }
    if let Some(position) = text(message, "before") {
        history = history.before(position.parse().unwrap());
    }
    if let Some(time) = message["sinceTime"].as_u64() {
        history = history.since_time(time);
    }
    if message["reverse"] == true {
        history = history.reverse();
    }
    tokio::spawn(async { history.await.map(|history| told::history(&history)) })
}

pub(crate) fn presence(client: &Client, message: &Value) -> Call {
    let (client, channel) = (client.clone(), text(message, "channel").unwrap().to_owned());
    tokio::spawn(
        async move { client.presence(&channel).await.map(|members| told::members(&members)) },
    )
}

pub(crate) fn set_presence(client: &Client, message: &Value) -> Call {
    let mut presence = client.set_presence();
    if let Some(channel) = text(message, "channel") {
        presence = presence.channel(channel);
    }
    if let Some(status) = text(message, "status") {
        presence = presence.status(status);
    }
    if let Some(data) = message.get("data") {
        presence = presence.data(data);
    }
    tokio::spawn(async { presence.await.map(|()| Value::Null) })
}

fn payload(message: &Value) -> Data {
    let data = &message["data"];
    let base64 = data["$bytes"].as_str().or(match message["encoding"].as_str() {
        Some("base64") => data.as_str(),
        _ => None,
    });
    match base64 {
        Some(base64) => Data::Binary(STANDARD.decode(base64).unwrap().into()),
        None => Data::Json(data.to_string().into()),
    }
}

pub(crate) fn text<'a>(message: &'a Value, name: &str) -> Option<&'a str> {
    message[name].as_str()
}
