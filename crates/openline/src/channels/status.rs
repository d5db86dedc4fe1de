//! How the line is, told as it changes.

use openline_client::{Client, State, Status};

use super::failure::Stop;
use super::json::Object;
use super::output::Output;

/// Tells how the line is, for as long as it is polled. Ends only when nobody takes the output.
pub(super) async fn tell(client: &Client, url: &str, output: Output) -> Stop {
    let mut status = client.status();
    let (mut was_online, mut last) = (false, State::Idle);
    while status.changed().await.is_ok() {
        let now = status.borrow_and_update().clone();
        if std::mem::replace(&mut last, now.state) == now.state && !now.is_online() {
            continue;
        }
        let is_back = now.is_online() && was_online;
        let text = || match now.state {
            State::Online if is_back => Some("back".to_owned()),
            State::Online => Some(format!("connected to {}{}", without_user(url), known_as(&now))),
            State::Waiting if was_online => Some(lost(&now)),
            _ => None,
        };
        if let Err(error) = output.tell(|| object(&now), text) {
            return error.into();
        }
        was_online |= now.is_online();
    }
    std::future::pending().await
}

fn lost(status: &Status) -> String {
    let code = status.code.map_or(String::new(), |code| format!(" ({code})"));
    let next = match status.delay {
        Some(delay) => format!(", next try in {:.1} s", delay.as_secs_f64()),
        None => String::new(),
    };
    let why = match status.reason.as_deref() {
        Some(reason) if !reason.is_empty() => format!(": {reason}"),
        _ => String::new(),
    };
    format!("lost{code}{next}{why}")
}

fn known_as(status: &Status) -> String {
    let user = status.user.as_ref().map_or(String::new(), |user| format!(" as {user}"));
    let line = status.client_id.as_ref().map_or(String::new(), |line| format!(", line {line}"));
    user + &line
}

fn object(status: &Status) -> Object {
    let object = Object::new("status").text("state", status.state.as_str());
    let object = object.raw("attempt", status.attempt);
    let object = match status.delay {
        Some(delay) => object.raw("delay", delay.as_millis()),
        None => object,
    };
    let object = match status.code {
        Some(code) => object.raw("code", code),
        None => object,
    };
    object
        .text_if("reason", status.reason.as_ref())
        .text_if("clientId", status.client_id.as_ref())
        .text_if("user", status.user.as_ref())
}

/// The address without what is secret in it.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
    let path = rest[host..].split('?').next().unwrap_or_default();
    format!("{scheme}://{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (url, shown) in [
            ("ws://127.0.0.1:8000/ws", "ws://127.0.0.1:8000/ws"),
            ("wss://me:secret@host/ws?token=abc", "wss://host/ws"),
            ("ws://host/a@b", "ws://host/a@b"),
        ] {
            assert_eq!(without_user(url), shown);
        }
    }
}
