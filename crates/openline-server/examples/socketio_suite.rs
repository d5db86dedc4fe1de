//! The server of the conformance tests of Engine.IO and Socket.IO, on the library's public API.
//!
//! `conformance/node/socketio_reference.mjs` is the same program on npm's `socket.io`; `conformance/README.md`
//! says how the tests use both.
//!
//! `--ping-interval MS`, `--ping-timeout MS`, `--connect-timeout MS`, `--recovery MS`, `--origin ORIGIN`, `--listen PORT`.

use std::collections::BTreeMap;
use std::time::Duration;

use openline_server::app::{Binary, Context, Handlers, Payload, Refusal};
use openline_server::{Config, Server};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::builder()
        .engine_io("/engine.io/", raw())
        .handlers(echoes())
        .namespace("/custom", echoes())
        .namespace("/guarded", echoes().on_connect(let_in))
        .namespace("/rooms", rooms())
        // Sends nothing by itself: what a client gets there it was sent by another.
        .namespace("/quiet", quiet())
        .bind(config()?)?;
    println!("listening on http://{}", server.local_addr());
    server.run()?;
    Ok(())
}

/// Every message comes back.
fn raw() -> Handlers {
    Handlers::new()
        .on_text(async |cx, text| cx.send_text(text))
        .on_binary(async |cx, bytes| cx.send_binary(bytes))
}

fn echoes() -> Handlers {
    Handlers::new()
        .on_connect(async |cx| greet(&cx))
        .on("message", async |cx, sent: Payload| cx.emit_payload("message-back", &sent))
        .on("message-with-ack", async |_cx, sent: Payload| sent)
        .on("id", async |cx, (): ()| cx.id().to_owned())
        .on("never", async |_cx, (): ()| std::future::pending::<()>().await)
        .on("leave-me", async |cx, whole: bool| match whole {
            true => cx.disconnect_all("asked to"),
            false => cx.disconnect("asked to"),
        })
        .on("weigh", async |_cx, thing: Thing| {
            let bytes: Vec<_> = thing.parts.iter().map(|part| part.0.to_vec()).collect();
            json!({ "name": thing.name, "bytes": bytes })
        })
        .on("bytes", async |_cx, (): ()| {
            let deep = Deep { deep: List { list: [bytes([]), bytes([255, 0])] } };
            Payload::arguments(&(bytes([1, 2, 3]), deep))
        })
        .on("send-bytes", async |cx, (): ()| {
            cx.emit(
                "sent-bytes",
                &Sent { name: "two", parts: (bytes([4, 5]), Last { last: bytes([6]) }) },
            )
        })
        .on("ask-me", async |cx, question: String| {
            match cx.ask::<_, Said>("question", &question, PATIENCE).await {
                Ok(said) => cx.emit("you-said", &said),
                Err(_) => cx.emit("you-said", "no answer"),
            }
        })
        .on("volatile", async |cx, (): ()| cx.emit_volatile("maybe", "now"))
        .on("many", async |cx, count: u32| {
            (0..count).try_for_each(|number| cx.emit("number", &number))
        })
}

fn rooms() -> Handlers {
    Handlers::new()
        .on("join", async |cx, room: String| cx.join(&room).await)
        .on("leave", async |cx, room: String| {
            cx.leave(&room);
        })
        .on("tell", async |cx, to: Told| cx.to(&to.room).emit("told", &to.text).await)
        .on("tell-all", async |cx, to: Told| {
            cx.namespace().to(&to.room).emit("told", &to.text).await
        })
        .on("tell-either", async |cx, to: ToldEither| {
            let [one, other] = &to.rooms;
            cx.namespace().to(one).to(other).emit("told", &to.text).await
        })
        .on("tell-except", async |cx, to: Told| {
            cx.namespace().everybody().except(&to.room).emit("told", &to.text).await
        })
        .on("shout", async |cx, text: String| cx.broadcast().emit("told", &text).await)
        .on("poll", async |cx, poll: Poll| {
            let room = cx.namespace().to(&poll.room);
            let answers = room.ask::<_, String>("question", &poll.question, PATIENCE).await?;
            Ok::<Vec<String>, Refusal>(answers.into_iter().flatten().collect())
        })
}

fn quiet() -> Handlers {
    Handlers::new()
        .on_connect(async |cx| match cx.auth::<Place>() {
            Ok(place) => cx.join(&place.room).await,
            Err(_) => Ok(()),
        })
        .on("news", async |cx, to: Told| cx.namespace().to(&to.room).emit("news", &to.text).await)
        .on("typing", async |cx, to: Typing| {
            cx.namespace().to(&to.room).volatile().emit("typing", &to.who).await
        })
}

/// Sends a client what it said when it came.
fn greet(cx: &Context) -> Result<(), Refusal> {
    cx.emit("auth", &cx.auth::<Value>()?)
}

async fn let_in(cx: Context) -> Result<(), Refusal> {
    match cx.auth::<Token>() {
        Ok(Token { token }) if token == "sesame" => greet(&cx),
        _ => {
            let data = json!({ "code": "wrong_token", "hint": ["ask", 7] });
            Err(Refusal::new("wrong_token", "not authorized").with_data(&data)?)
        }
    }
}

/// How long clients have for an answer.
const PATIENCE: Duration = Duration::from_secs(1);

fn bytes<const N: usize>(bytes: [u8; N]) -> Binary {
    Binary(bytes.to_vec().into())
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Place {
    room: String,
}

#[derive(Deserialize)]
struct Thing {
    name: String,
    parts: Vec<Binary>,
}

#[derive(Serialize)]
struct Deep {
    deep: List,
}

#[derive(Serialize)]
struct List {
    list: [Binary; 2],
}

#[derive(Serialize)]
struct Sent {
    name: &'static str,
    parts: (Binary, Last),
}

#[derive(Serialize)]
struct Last {
    last: Binary,
}

/// What a client may answer to `question`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Said {
    Text(String),
    Bytes { bytes: Binary },
}

#[derive(Deserialize)]
struct Told {
    room: String,
    text: String,
}

#[derive(Deserialize)]
struct ToldEither {
    rooms: [String; 2],
    text: String,
}

#[derive(Deserialize)]
struct Poll {
    room: String,
    question: String,
}

#[derive(Deserialize)]
struct Typing {
    room: String,
    who: String,
}

/// What the arguments say.
fn config() -> Result<Config, Box<dyn std::error::Error>> {
    let mut settings = BTreeMap::from([
        ("ephemeral", "true".to_owned()),
        ("listen", "127.0.0.1:0".to_owned()),
        ("socketio.recovery", "0s".to_owned()),
    ]);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} wants a value"))?;
        let (key, value) = match &*argument {
            "--listen" => ("listen", format!("127.0.0.1:{value}")),
            "--origin" => ("http.allowed_origins", value),
            "--ping-interval" => ("socketio.ping_interval", format!("{value}ms")),
            "--ping-timeout" => ("socketio.ping_timeout", format!("{value}ms")),
            "--connect-timeout" => ("socketio.connect_timeout", format!("{value}ms")),
            "--recovery" => ("socketio.recovery", format!("{value}ms")),
            _ => return Err(format!("there is no argument {argument}").into()),
        };
        settings.insert(key, value);
    }
    let flags = settings.into_iter().map(|(key, value)| (key.to_owned(), value));
    Config::read(None, [], flags).map_err(|errors| format!("{errors:?}").into())
}
