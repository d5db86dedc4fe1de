//! The exchanges in spec/vectors, with this server: each in JSON, and in MessagePack where the
//! exchange is not about how a message is written.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/pattern.rs"]
mod pattern;
mod support;

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openline_server::Config;
use openline_ws::Message;
use pattern::Kept;
use serde_json::Value;
use support::talk::{MESSAGEPACK, Talk};
use support::{TestServer, soon};

const VECTORS: usize = 45;
/// Of these, those that say nothing of the format.
const VECTORS_IN_EITHER_FORMAT: usize = 40;

/// Messages among which `find` finds.
const FOUND_AMONG: usize = 100;

struct Vector {
    name: String,
    server: String,
    steps: Vec<Value>,
}

#[tokio::test]
async fn all_hold_in_json() {
    let vectors = vectors();
    assert_eq!(vectors.len(), VECTORS, "the number is to be changed with the vectors");
    let servers = Servers::start();
    for vector in &vectors {
        Run::new(vector, &servers, None).all().await;
    }
}

#[tokio::test]
async fn those_about_more_than_the_format_hold_in_messagepack() {
    let names_format = |step: &Value| {
        ["subprotocol", "sendText", "sendBytes"].iter().any(|field| step.get(field).is_some())
    };
    let mut vectors = vectors();
    vectors.retain(|vector| !vector.steps.iter().any(names_format));
    assert_eq!(vectors.len(), VECTORS_IN_EITHER_FORMAT);
    let servers = Servers::start();
    for vector in &vectors {
        Run::new(vector, &servers, Some(MESSAGEPACK)).all().await;
    }
}

/// The kinds of servers that vectors ask for. Two threads, so that lines of one vector are on
/// different ones.
struct Servers {
    plain: TestServer,
    token: TestServer,
}

impl Servers {
    fn start() -> Self {
        let keys = r#"[{algorithm = "HS256", secret = "openline-vectors-hs256-secret-32b"}]"#;
        let token = [("OPENLINE_AUTH_KEYS".to_owned(), keys.to_owned())];
        let server = |environment: Vec<(String, String)>| {
            let mut config = Config::read(None, environment, []).unwrap();
            config.threads = NonZeroUsize::new(2);
            TestServer::with_config(config)
        };
        Self { plain: server(Vec::new()), token: server(token.into()) }
    }
}

fn vectors() -> Vec<Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spec/vectors");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let mut steps: Vec<Value> =
            serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        let head = steps.remove(0);
        let server = head["server"].as_str().unwrap_or_default().to_owned();
        Vector { name: path.file_stem().unwrap().to_string_lossy().into_owned(), server, steps }
    };
    paths.iter().map(read).collect()
}

/// One exchange.
struct Run<'a> {
    vector: &'a Vector,
    server: &'a TestServer,
    /// The subprotocol to offer where the vector does not say.
    offered: Option<&'static str>,
    lines: HashMap<String, Talk>,
    kept: Kept,
}

impl<'a> Run<'a> {
    fn new(vector: &'a Vector, servers: &'a Servers, offered: Option<&'static str>) -> Self {
        let server = match &*vector.server {
            "" => &servers.plain,
            "token" => &servers.token,
            other => panic!("{}: there is no server {other}", vector.name),
        };
        let run = rand::random::<u64>() >> 4;
        let kept = Kept::new(&format!("{run:015x}"));
        Self { vector, server, offered, lines: HashMap::new(), kept }
    }

    async fn all(mut self) {
        for step in &self.vector.steps {
            if let Err(why) = self.step(step).await {
                let (name, format) =
                    (&self.vector.name, self.offered.unwrap_or("openline.v1.json"));
                panic!("{name} ({format}): {step}: {why}");
            }
        }
    }

    async fn step(&mut self, step: &Value) -> Result<(), String> {
        if let Some(name) = step["open"].as_str() {
            let wanted = step["subprotocol"].as_str().or(self.offered);
            let line = Talk::open(&self.server.url("/ws"), wanted).await;
            self.lines.insert(name.to_owned(), line);
            return Ok(());
        }
        let line = self.lines.get_mut(step["line"].as_str().unwrap()).expect("the line is open");
        let kept = &mut self.kept;
        if let Some(message) = step.get("send") {
            line.send(&kept.fill(message)).await;
        } else if let Some(text) = step.get("sendText") {
            let text = kept.fill(text);
            line.put(Message::from(text.as_str().unwrap())).await.unwrap();
        } else if let Some(bytes) = step["sendBytes"].as_str() {
            line.put(Message::from(STANDARD.decode(bytes).unwrap())).await.unwrap();
        } else if let Some(pattern) = step.get("expect") {
            let came = next_but_presence(line).await?;
            check(kept.matches(pattern, Some(&came)), &came)?;
        } else if let Some(patterns) = step["expectAll"].as_array() {
            let mut all = Vec::new();
            for _ in patterns {
                all.push(next_but_presence(line).await?);
            }
            check(kept.matches_set(patterns, &all.iter().collect::<Vec<_>>()), &all)?;
        } else if let Some(pattern) = step.get("find") {
            for _ in 0..FOUND_AMONG {
                let came = next(line).await?;
                if kept.matches(pattern, Some(&came)) {
                    return Ok(());
                }
            }
            return Err(format!("not among {FOUND_AMONG} messages"));
        } else if let Some(code) = step["close"].as_u64() {
            soon(line.ws.close(code as u16, "")).await.unwrap();
        } else if let Some(code) = step["closed"].as_u64() {
            match line.next().await {
                Err(end) => check(u64::from(end.code) == code, &end)?,
                Ok(came) => return Err(format!("{came} came")),
            }
        } else {
            return Err("what kind of step is this?".to_owned());
        }
        Ok(())
    }
}

async fn next(line: &mut Talk) -> Result<Value, String> {
    line.next().await.map_err(|end| format!("{end:?}"))
}

async fn next_but_presence(line: &mut Talk) -> Result<Value, String> {
    loop {
        let came = next(line).await?;
        if came["type"] != "presence" || came.get("id").is_some() {
            return Ok(came);
        }
    }
}

fn check(matched: bool, came: &impl std::fmt::Debug) -> Result<(), String> {
    if matched { Ok(()) } else { Err(format!("{came:?} came")) }
}
