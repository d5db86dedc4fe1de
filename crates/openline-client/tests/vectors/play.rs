//! The steps of a vector, done in their order.

use std::collections::HashMap;

use openline_client::Format;
use serde_json::Value;

use crate::instance::{Instances, complete};
use crate::line::Line;
use crate::pattern::Kept;
use crate::said;

/// Plays the server of a vector. Lines whose subprotocol the vector does not say speak `format`.
pub(crate) async fn play(name: &str, steps: &[Value], format: Format) {
    let (kept, instances) = (Kept::new("r1"), Instances::default());
    let mut play = Play { steps, format, kept, instances, lines: HashMap::new() };
    for (at, step) in steps.iter().enumerate() {
        if let Err(why) = play.step(at).await {
            panic!("{name} ({format:?}): {step}: {why}");
        }
    }
    for (line, open) in play.lines {
        if let Err(why) = open.nothing_is_left().await {
            panic!("{name} ({format:?}): at the end of line {line}: {why}");
        }
    }
}

struct Play<'a> {
    steps: &'a [Value],
    format: Format,
    kept: Kept,
    instances: Instances,
    lines: HashMap<String, Line>,
}

impl Play<'_> {
    async fn step(&mut self, at: usize) -> Result<(), String> {
        let step = &self.steps[at];
        if let Some(name) = step["open"].as_str() {
            let format = match step["subprotocol"].as_str() {
                None => self.format,
                Some("openline.v1.json") => Format::Json,
                Some("openline.v1.msgpack") => Format::MessagePack,
                Some(other) => return Err(format!("the client does not speak {other}")),
            };
            let first = self.next_said(at, name).filter(|message| message["type"] == "auth");
            let token = first.map(|message| message["token"].as_str().unwrap().to_owned());
            self.lines.insert(name.to_owned(), Line::open(format, token).await);
            return Ok(());
        }
        let name = step["line"].as_str().unwrap();
        let next = self.next_said(at, name);
        let line = self.lines.get_mut(name).expect("the line is open");
        if let Some(message) = step.get("send") {
            line.sum = sum(&self.steps[at..]);
            return line.say(&self.kept.fill(message)).await;
        }
        if let Some(code) = step["close"].as_u64() {
            return line.close(code).await;
        }
        if let Some(code) = step["closed"].as_u64() {
            return line.end(code).await;
        }
        let one = || step.get("expect").or(step.get("find")).map(std::slice::from_ref);
        let patterns = step["expectAll"].as_array().map(Vec::as_slice).or_else(one);
        for pattern in patterns.ok_or("what kind of step is this?")? {
            let mut message = self.instances.of(pattern, &mut self.kept).unwrap();
            let asked = line.asked(&message);
            complete(&mut message, asked, line.room());
            if message["type"] == "upload"
                && let Some(chunk) = next_chunk(&self.steps[at..])
            {
                message["data"]["chunkMax"] = said::bytes(chunk).len().into();
            }
            assert!(self.kept.matches(pattern, Some(&message)), "{message} does not match");
            let early = next.as_ref().filter(|_| message["type"] == "welcome");
            if let Some(early) = early.filter(|message| said::asks_for_several(message)) {
                line.subscribe_early(&self.kept.fill(early)).await;
            }
            line.tell(message).await?;
        }
        Ok(())
    }

    /// What this line says next.
    fn next_said(&self, at: usize, line: &str) -> Option<Value> {
        let mut rest = self.steps[at + 1..].iter().filter(|step| step["line"] == line);
        rest.find_map(|step| step.get("send").cloned())
    }
}

/// The next chunk that is sent. The client makes them as long as they may be.
fn next_chunk(steps: &[Value]) -> Option<&Value> {
    steps.iter().map(|step| &step["send"]).find(|message| message["type"] == "chunk")
}

/// The sum that is sent in the end for the file that the first of these steps begins.
fn sum(steps: &[Value]) -> Option<String> {
    let sent = &steps[0]["send"];
    let is_answer = |expected: &&Value| expected["id"] == sent["id"] && sent["type"] == "upload";
    let answer = steps.iter().map(|step| &step["expect"]).find(is_answer)?;
    let name = format!("${{{}}}", answer["data"]["upload"]["as"].as_str()?);
    let is_end = |sent: &&Value| sent["type"] == "complete" && sent["upload"] == name;
    let end = steps.iter().map(|step| &step["send"]).find(is_end)?;
    end["sha256"].as_str().map(str::to_owned)
}
